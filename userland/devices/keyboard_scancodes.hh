// Scan codes: what a key sends in set 2 and set 3, and how the keyboard controller turns set 2 into set 1
// (IBM PS/2 Hardware Interface Technical Reference: Keyboards, scan code tables).
#pragma once

#include <cstdint>

#include "userland/devices/keyboard_keys.hh"

namespace btvm {

struct ScanCode {
    std::uint8_t code; ///< Without prefixes. 0 for keys with a sequence of their own (Pause).
    bool extended;     ///< E0h comes before it.
};

[[nodiscard]] ScanCode scan_code_set2(Key key);
/// Set 3 has one byte for each key and no prefixes but F0h.
[[nodiscard]] std::uint8_t scan_code_set3(Key key);

/// The controller's translation of one byte from the keyboard, break prefix aside. Bytes that are no make
/// code of set 2 pass unchanged.
[[nodiscard]] std::uint8_t translate_set2_to_set1(std::uint8_t byte);

/// How set 3 treats a key unless told otherwise.
enum class KeyAction : std::uint8_t { Typematic, MakeBreak, MakeOnly, TypematicMakeBreak };
[[nodiscard]] KeyAction default_action_set3(Key key);

} // namespace btvm
