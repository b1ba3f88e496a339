// The keys of a US keyboard, their names, and which keys type a character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace btvm {

// clang-format off
/// Every key of the US 104-key layout by what is printed on it, and the 102nd key of European boards.
enum class Key : std::uint8_t {
    Escape, F1, F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12, PrintScreen, ScrollLock, Pause,
    Grave, Digit1, Digit2, Digit3, Digit4, Digit5, Digit6, Digit7, Digit8, Digit9, Digit0, Minus, Equal, Backspace,
    Tab, Q, W, E, R, T, Y, U, I, O, P, LeftBracket, RightBracket, Backslash,
    CapsLock, A, S, D, F, G, H, J, K, L, Semicolon, Quote, Enter,
    LeftShift, Z, X, C, V, B, N, M, Comma, Period, Slash, RightShift,
    LeftControl, LeftWindows, LeftAlt, Space, RightAlt, RightWindows, Menu, RightControl,
    Insert, Home, PageUp, Delete, End, PageDown, Up, Left, Down, Right,
    NumLock, KeypadSlash, KeypadStar, KeypadMinus, Keypad7, Keypad8, Keypad9, KeypadPlus, Keypad4, Keypad5, Keypad6,
    Keypad1, Keypad2, Keypad3, KeypadEnter, Keypad0, KeypadPeriod,
    NonUsBackslash, ///< Beside the left shift key of 102- and 105-key boards.
};
// clang-format on
inline constexpr unsigned kKeyCount = static_cast<unsigned>(Key::NonUsBackslash) + 1;

/// One movement of one key.
struct KeyEvent {
    Key key{};
    bool down{};

    bool operator==(const KeyEvent&) const = default;
};

/// The strokes that type one character on the US layout, shift and control included; empty if no key types
/// it. Control characters: 08h and 7Fh Backspace, 09h Tab, 0Ah and 0Dh Enter, 1Bh Escape, others Ctrl with a
/// letter.
[[nodiscard]] std::vector<KeyEvent> keys_for_text(char32_t character);

/// The name of a key as parse_key_chord() takes it.
[[nodiscard]] std::string_view key_name(Key key);

/// "ctrl-alt-del", "f1", "A", "shift+tab", "ctrl--": keys joined by '-' or '+'. Names are those of key_name()
/// and usual other spellings, in any case; a single printable character stands for the key (with shift, if it
/// takes one) that types it. Throws std::invalid_argument that names the part it does not know.
[[nodiscard]] std::vector<Key> parse_key_chord(std::string_view chord);

/// Presses the keys in order and releases them in reverse.
[[nodiscard]] std::vector<KeyEvent> chord_events(const std::vector<Key>& keys);

} // namespace btvm
