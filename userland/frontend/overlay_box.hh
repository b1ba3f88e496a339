// What windows over the guest's screen are made of: for overlay.cc and timeline.cc.
#pragma once

#include <algorithm>
#include <string>

#include "userland/frontend/curses.hh"
#include "userland/frontend/terminal_keys.hh"

namespace btvm {

/// The first characters of UTF-8 text, each taken for a column wide.
inline std::string first_characters(const std::string& text, std::size_t count) {
    std::size_t at = 0;
    for (; at < text.size(); at++)
        // Not a continuation byte: a character begins.
        if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 && count-- == 0) break;
    return text.substr(0, at);
}

/// A framed box in the middle, in reverse video so that it stands out without a colour of its own.
struct Box {
    int y, x, height, width; ///< The inside.

    Box(const std::string& title, int rows, int columns, int wanted_height, int wanted_width) {
        height = std::max(1, std::min(wanted_height, rows - 2));
        width =
            std::max(1, std::min(std::max(wanted_width, static_cast<int>(title.size()) + 2), columns - 4));
        y = std::max(0, (rows - height) / 2);
        x = std::max(0, (columns - width) / 2);
        ::attr_set(A_REVERSE, 0, nullptr);
        for (int row = -1; row <= height; row++)
            for (int column = -2; column <= width + 1; column++)
                if (y + row >= 0 && y + row < rows && x + column >= 0 && x + column < columns)
                    put(row, column, frame(row, column));
        line(-1, " " + title + " ");
    }

    void line(int row, const std::string& text, bool marked = false) const {
        ::attr_set(marked ? A_NORMAL | A_BOLD : A_REVERSE, 0, nullptr);
        ::mvaddstr(y + row, x, first_characters(text, static_cast<std::size_t>(width)).c_str());
        ::attr_set(A_REVERSE, 0, nullptr);
    }

    /// Into a row from a column on, up to the right edge.
    void text(int row, int column, const std::string& words) const {
        if (column < width)
            ::mvaddstr(y + row, x + column,
                       first_characters(words, static_cast<std::size_t>(width - column)).c_str());
    }

private:
    void put(int row, int column, const cchar_t* what) const {
        if (what)
            ::mvadd_wch(y + row, x + column, what);
        else
            ::mvaddch(y + row, x + column, ' ' | A_REVERSE);
    }
    [[nodiscard]] const cchar_t* frame(int row, int column) const {
        const bool top = row == -1, bottom = row == height, left = column == -2, right = column == width + 1;
        if (top) return left ? WACS_ULCORNER : right ? WACS_URCORNER : WACS_HLINE;
        if (bottom) return left ? WACS_LLCORNER : right ? WACS_LRCORNER : WACS_HLINE;
        return left || right ? WACS_VLINE : nullptr;
    }
};

inline constexpr unsigned kEscape = 0x1b;
inline constexpr unsigned kEnter = '\r';

inline bool is_code(const TerminalInput& input, int code) {
    return input.is_code && input.value == unsigned(code);
}
inline bool is_char(const TerminalInput& input, unsigned value) {
    return !input.is_code && input.value == value;
}
inline bool is_enter(const TerminalInput& input) {
    return is_char(input, kEnter) || is_code(input, KEY_ENTER);
}

} // namespace btvm
