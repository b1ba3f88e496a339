// The guest's 16 colours on the user's terminal: exactly, where the terminal lets its palette be set or takes
// direct colours; else the nearest it has.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "userland/devices/text_screen.hh"

namespace btvm {

class Colours {
public:
    /// After ncurses is up.
    Colours();

    /// The colours the guest shows now. Cheap when they have not changed.
    void set_palette(const std::array<Rgb, 16>& palette);

    /// How ncurses shows foreground on background, both 0 to 15.
    struct Look {
        unsigned attributes; ///< A_BOLD where that stands for a bright colour.
        int pair;
    };
    [[nodiscard]] Look look(unsigned foreground, unsigned background);

private:
    enum class Method {
        None,    ///< No colours: bright is bold, light backgrounds are reverse.
        Eight,   ///< The terminal's own eight; bright foregrounds are bold.
        Sixteen, ///< The terminal's own sixteen.
        Change,  ///< Its first sixteen, set to what the guest wants.
        Cube,    ///< The nearest in the fixed part of the 256-colour palette.
        Direct   ///< Any colour by its components.
    };

    [[nodiscard]] int colour_number(unsigned colour) const;

    Method method_;
    std::array<Rgb, 16> palette_{};
    bool have_palette_{};
    std::map<std::pair<int, int>, int> pairs_; ///< ncurses colour numbers to pair.
};

} // namespace btvm
