// Draws the guest's text screen into the terminal, or the part of it that fits.
#pragma once

#include "userland/devices/text_screen.hh"
#include "userland/frontend/colours.hh"

namespace btvm {

class ScreenView {
public:
    explicit ScreenView(Colours& colours) : colours_(colours) {}

    /// Draws into the terminal's first `rows` rows and `columns` columns. A part smaller than the guest's
    /// screen is scrolled so that the cursor is in it.
    void draw(const TextScreen& screen, int rows, int columns);
    /// Puts the terminal's cursor where the guest's is, or hides it. After everything else is drawn.
    void place_cursor(const TextScreen& screen) const;
    /// Whether all of the guest's screen was to be seen at the last draw().
    [[nodiscard]] bool fits() const { return fits_; }

private:
    void scroll_to_cursor(const TextScreen& screen);
    void draw_row(const TextScreen& screen, int y);
    void draw_message(const char* text) const;

    Colours& colours_;
    int rows_{}, columns_{};           ///< Of the terminal's part.
    int first_row_{}, first_column_{}; ///< Of the guest's screen, at the part's upper left.
    bool fits_{true};
};

} // namespace btvm
