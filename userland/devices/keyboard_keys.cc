#include "userland/devices/keyboard_keys.hh"

#include <array>
#include <optional>
#include <stdexcept>

namespace btvm {

namespace {

// In the order of Key.
constexpr std::array<std::string_view, kKeyCount> kNames{
    "esc",         "f1",       "f2",       "f3",        "f4",     "f5",        "f6",        "f7",
    "f8",          "f9",       "f10",      "f11",       "f12",    "print",     "scroll",    "pause",
    "grave",       "1",        "2",        "3",         "4",      "5",         "6",         "7",
    "8",           "9",        "0",        "minus",     "equal",  "backspace", "tab",       "q",
    "w",           "e",        "r",        "t",         "y",      "u",         "i",         "o",
    "p",           "lbracket", "rbracket", "backslash", "caps",   "a",         "s",         "d",
    "f",           "g",        "h",        "j",         "k",      "l",         "semicolon", "quote",
    "enter",       "shift",    "z",        "x",         "c",      "v",         "b",         "n",
    "m",           "comma",    "period",   "slash",     "rshift", "ctrl",      "win",       "alt",
    "space",       "ralt",     "rwin",     "menu",      "rctrl",  "insert",    "home",      "pageup",
    "del",         "end",      "pagedown", "up",        "left",   "down",      "right",     "num",
    "kp_slash",    "kp_star",  "kp_minus", "kp7",       "kp8",    "kp9",       "kp_plus",   "kp4",
    "kp5",         "kp6",      "kp1",      "kp2",       "kp3",    "kp_enter",  "kp0",       "kp_period",
    "lessgreater",
};

struct OtherName {
    std::string_view name;
    Key key;
};

constexpr OtherName kOtherNames[] = {
    {"escape", Key::Escape},
    {"return", Key::Enter},
    {"ret", Key::Enter},
    {"delete", Key::Delete},
    {"ins", Key::Insert},
    {"pgup", Key::PageUp},
    {"page_up", Key::PageUp},
    {"pgdn", Key::PageDown},
    {"pgdown", Key::PageDown},
    {"page_down", Key::PageDown},
    {"bksp", Key::Backspace},
    {"bs", Key::Backspace},
    {"control", Key::LeftControl},
    {"lctrl", Key::LeftControl},
    {"lshift", Key::LeftShift},
    {"lalt", Key::LeftAlt},
    {"altgr", Key::RightAlt},
    {"lwin", Key::LeftWindows},
    {"super", Key::LeftWindows},
    {"meta", Key::LeftWindows},
    {"capslock", Key::CapsLock},
    {"caps_lock", Key::CapsLock},
    {"numlock", Key::NumLock},
    {"num_lock", Key::NumLock},
    {"scrolllock", Key::ScrollLock},
    {"scroll_lock", Key::ScrollLock},
    {"printscreen", Key::PrintScreen},
    {"prtsc", Key::PrintScreen},
    {"sysrq", Key::PrintScreen},
    {"break", Key::Pause},
    {"spc", Key::Space},
    {"apostrophe", Key::Quote},
    {"dot", Key::Period},
    {"equals", Key::Equal},
    {"kpenter", Key::KeypadEnter},
    {"apps", Key::Menu},
};

struct Typed {
    Key key;
    bool shift;
};

std::optional<Typed> printable(char32_t c) {
    constexpr std::array<Key, 26> letters{Key::A, Key::B, Key::C, Key::D, Key::E, Key::F, Key::G,
                                          Key::H, Key::I, Key::J, Key::K, Key::L, Key::M, Key::N,
                                          Key::O, Key::P, Key::Q, Key::R, Key::S, Key::T, Key::U,
                                          Key::V, Key::W, Key::X, Key::Y, Key::Z};
    if (c >= U'a' && c <= U'z') return Typed{letters[c - U'a'], false};
    if (c >= U'A' && c <= U'Z') return Typed{letters[c - U'A'], true};
    struct Pair {
        char32_t plain, shifted;
        Key key;
    };
    constexpr Pair pairs[] = {
        {U'`', U'~', Key::Grave},      {U'1', U'!', Key::Digit1},      {U'2', U'@', Key::Digit2},
        {U'3', U'#', Key::Digit3},     {U'4', U'$', Key::Digit4},      {U'5', U'%', Key::Digit5},
        {U'6', U'^', Key::Digit6},     {U'7', U'&', Key::Digit7},      {U'8', U'*', Key::Digit8},
        {U'9', U'(', Key::Digit9},     {U'0', U')', Key::Digit0},      {U'-', U'_', Key::Minus},
        {U'=', U'+', Key::Equal},      {U'[', U'{', Key::LeftBracket}, {U']', U'}', Key::RightBracket},
        {U'\\', U'|', Key::Backslash}, {U';', U':', Key::Semicolon},   {U'\'', U'"', Key::Quote},
        {U',', U'<', Key::Comma},      {U'.', U'>', Key::Period},      {U'/', U'?', Key::Slash},
    };
    for (const Pair& pair : pairs)
        if (c == pair.plain || c == pair.shifted) return Typed{pair.key, c == pair.shifted};
    if (c == U' ') return Typed{Key::Space, false};
    return std::nullopt;
}

std::vector<KeyEvent> strokes(std::optional<Key> modifier, Key key) {
    std::vector<Key> keys;
    if (modifier) keys.push_back(*modifier);
    keys.push_back(key);
    return chord_events(keys);
}

std::optional<Key> named_key(std::string_view name) {
    for (unsigned i = 0; i < kNames.size(); ++i)
        if (kNames[i] == name) return static_cast<Key>(i);
    for (const OtherName& other : kOtherNames)
        if (other.name == name) return other.key;
    return std::nullopt;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

} // namespace

std::vector<KeyEvent> keys_for_text(char32_t c) {
    if (const auto typed = printable(c))
        return strokes(typed->shift ? std::optional(Key::LeftShift) : std::nullopt, typed->key);
    switch (c) {
    case 0x08:
    case 0x7F: return strokes(std::nullopt, Key::Backspace);
    case 0x09: return strokes(std::nullopt, Key::Tab);
    case 0x0A:
    case 0x0D: return strokes(std::nullopt, Key::Enter);
    case 0x1B: return strokes(std::nullopt, Key::Escape);
    case 0x1C: return strokes(Key::LeftControl, Key::Backslash);
    case 0x1D: return strokes(Key::LeftControl, Key::RightBracket);
    case 0x1E: return strokes(Key::LeftControl, Key::Digit6);
    case 0x1F: return strokes(Key::LeftControl, Key::Minus);
    default:
        if (c >= 1 && c <= 26) return strokes(Key::LeftControl, printable(U'a' + c - 1)->key);
        return {};
    }
}

std::string_view key_name(Key key) {
    const auto index = static_cast<unsigned>(key);
    return index < kNames.size() ? kNames[index] : "?";
}

std::vector<Key> parse_key_chord(std::string_view chord) {
    std::vector<Key> keys;
    if (chord.empty()) throw std::invalid_argument("empty key name");
    while (!chord.empty()) {
        // The first character of a part is never a joint, so that "-" and "ctrl-+" name keys.
        const std::size_t joint = chord.find_first_of("-+", 1);
        const std::string_view part = chord.substr(0, joint);
        if (joint != std::string_view::npos && joint + 1 == chord.size())
            throw std::invalid_argument("key name missing after '" + std::string(part) + "'");
        chord = joint == std::string_view::npos ? std::string_view{} : chord.substr(joint + 1);
        if (part.size() == 1) {
            const auto typed = printable(static_cast<unsigned char>(part[0]));
            if (!typed) throw std::invalid_argument("no key types '" + std::string(part) + "'");
            if (typed->shift) keys.push_back(Key::LeftShift);
            keys.push_back(typed->key);
        } else if (const auto key = named_key(lower(part))) {
            keys.push_back(*key);
        } else {
            throw std::invalid_argument("unknown key '" + std::string(part) + "'");
        }
    }
    return keys;
}

std::vector<KeyEvent> chord_events(const std::vector<Key>& keys) {
    std::vector<KeyEvent> events;
    events.reserve(2 * keys.size());
    for (const Key key : keys)
        events.push_back({key, true});
    for (auto key = keys.rbegin(); key != keys.rend(); ++key)
        events.push_back({*key, false});
    return events;
}

} // namespace btvm
