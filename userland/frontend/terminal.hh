// The user's terminal under ncurses, given back as it was on every way out: normal return, exception, and
// crash signals.
#pragma once

#include <optional>
#include <string>

struct screen; // ncurses' SCREEN

namespace btvm {

class Terminal {
public:
    /// Whether standard input and output are a terminal that ncurses can use. If not, the reason.
    [[nodiscard]] static std::optional<std::string> unusable();

    /// Takes the terminal: raw keys, no echo, the alternate screen. Only one at a time.
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// The terminal's size has changed (SIGWINCH).
    void resized();
    [[nodiscard]] int rows() const;
    [[nodiscard]] int columns() const;

private:
    screen* screen_{};
};

} // namespace btvm
