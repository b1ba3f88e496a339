// What the user types at the terminal, as movements of a PC keyboard's keys. A terminal tells characters and
// not keys, and no releases; so each character becomes a press and a release, with the modifiers it needs
// around them.
#pragma once

#include <optional>
#include <vector>

#include "userland/devices/keyboard_keys.hh"

namespace btvm {

/// One input from the terminal: a character, or one of ncurses' key codes. Alt came as an ESC before it.
struct TerminalInput {
    bool is_code{}; ///< `value` is a KEY_* code.
    bool alt{};
    unsigned value{};
};

/// The next input, or nothing if there is none now.
[[nodiscard]] std::optional<TerminalInput> next_input();

/// The key movements that stand for it; empty for what a PC keyboard has no key for.
[[nodiscard]] std::vector<KeyEvent> keys_for_input(const TerminalInput& input);

} // namespace btvm
