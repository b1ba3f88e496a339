// The line below the guest's screen: who runs, how it is doing, drives, LEDs, and how to open the menu.
#pragma once

#include <string>

#include "userland/machine/pc.hh"

namespace btvm {

struct StatusLineText {
    std::string name; ///< The guest's.
    std::string engine;
    std::string escape;  ///< The key that opens the menu.
    std::string message; ///< Takes the place of what is less important; may be empty.
};

/// The line, exactly `columns` wide (ASCII but for what comes in from `text`).
[[nodiscard]] std::string status_line(int columns, const StatusLineText& text, const PcStatus& status);

void draw_status_line(int row, int columns, const StatusLineText& text, const PcStatus& status);

} // namespace btvm
