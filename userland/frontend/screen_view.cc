#include "userland/frontend/screen_view.hh"

#include <algorithm>
#include <cstring>

#include "userland/devices/codepage437.hh"
#include "userland/frontend/curses.hh"

namespace btvm {

void ScreenView::draw(const TextScreen& screen, int rows, int columns) {
    rows_ = rows;
    columns_ = columns;
    ::attr_set(A_NORMAL, 0, nullptr);
    for (int y = 0; y < rows; y++) {
        ::move(y, 0);
        ::clrtoeol();
    }
    fits_ = true;
    if (!screen.text_mode) {
        draw_message("The guest is in a graphics mode, which btvm does not show.");
        return;
    }
    fits_ = static_cast<int>(screen.columns) <= columns && static_cast<int>(screen.rows) <= rows;
    scroll_to_cursor(screen);
    if (screen.blanked) return;
    colours_.set_palette(screen.palette);
    for (int y = 0; y < rows; y++)
        draw_row(screen, y);
}

void ScreenView::scroll_to_cursor(const TextScreen& screen) {
    const auto follow = [](int first, int shown, unsigned whole, unsigned cursor) {
        const int last_first = std::max(0, static_cast<int>(whole) - shown);
        const int at = static_cast<int>(cursor);
        // Move no further than needed, so that the picture stays quiet while the cursor moves in it.
        if (at < first) first = at;
        if (at >= first + shown) first = at - shown + 1;
        return std::clamp(first, 0, last_first);
    };
    first_row_ = follow(first_row_, rows_, screen.rows, screen.cursor.y);
    first_column_ = follow(first_column_, columns_, screen.columns, screen.cursor.x);
}

void ScreenView::draw_row(const TextScreen& screen, int y) {
    const int row = first_row_ + y;
    if (row >= static_cast<int>(screen.rows)) return;
    const int width = std::min(columns_, static_cast<int>(screen.columns) - first_column_);
    for (int x = 0; x < width; x++) {
        const TextCell cell =
            screen.cell(static_cast<unsigned>(first_column_ + x), static_cast<unsigned>(row));
        const bool blinks = screen.blink && (cell.attribute & 0x80);
        const unsigned background = (cell.attribute >> 4) & (screen.blink ? 7u : 15u);
        const Colours::Look look = colours_.look(cell.attribute & 0x0f, background);
        const wchar_t text[2] = {static_cast<wchar_t>(codepage437_glyph(cell.code)), 0};
        cchar_t out;
        int pair = look.pair;
        ::setcchar(&out, text, look.attributes | (blinks ? A_BLINK : 0), static_cast<short>(look.pair),
                   &pair);
        ::mvadd_wch(y, x, &out);
    }
}

void ScreenView::draw_message(const char* text) const {
    const int length = static_cast<int>(std::strlen(text));
    ::mvaddnstr(rows_ / 2, std::max(0, (columns_ - length) / 2), text, columns_);
}

void ScreenView::place_cursor(const TextScreen& screen) const {
    const TextCursor& cursor = screen.cursor;
    const int y = static_cast<int>(cursor.y) - first_row_, x = static_cast<int>(cursor.x) - first_column_;
    if (!screen.text_mode || screen.blanked || !cursor.visible || y < 0 || y >= rows_ || x < 0 ||
        x >= columns_) {
        ::curs_set(0);
        return;
    }
    // Terminals know a normal and a very visible cursor; the latter for one that fills more than half of its
    // cell.
    const bool block = 2 * (cursor.last_line - cursor.first_line + 1) > screen.cell_height;
    if (::curs_set(block ? 2 : 1) == ERR) ::curs_set(1);
    ::move(y, x);
}

} // namespace btvm
