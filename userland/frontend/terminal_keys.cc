#include "userland/frontend/terminal_keys.hh"

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "userland/frontend/curses.hh"

namespace btvm {

namespace {

/// A key of the PC and the modifiers that go with it.
struct Stroke {
    Key key;
    bool shift{}, control{}, alt{};
};

constexpr std::array<Key, 12> kFunctionKeys{Key::F1, Key::F2, Key::F3, Key::F4,  Key::F5,  Key::F6,
                                            Key::F7, Key::F8, Key::F9, Key::F10, Key::F11, Key::F12};

/// terminfo numbers shifted function keys on: 1-12 plain, 13-24 Shift, 25-36 Ctrl, 37-48 Ctrl-Shift, 49-60
/// Alt.
std::optional<Stroke> function_key(unsigned number) {
    if (number < 1 || number > 60) return std::nullopt;
    const unsigned bank = (number - 1) / 12;
    return Stroke{kFunctionKeys[(number - 1) % 12], bank == 1 || bank == 3, bank == 2 || bank == 3,
                  bank == 4};
}

std::optional<Stroke> plain_code(unsigned code) {
    switch (code) {
    case KEY_UP: return Stroke{Key::Up};
    case KEY_DOWN: return Stroke{Key::Down};
    case KEY_LEFT: return Stroke{Key::Left};
    case KEY_RIGHT: return Stroke{Key::Right};
    case KEY_HOME:
    case KEY_FIND: return Stroke{Key::Home};
    case KEY_END:
    case KEY_SELECT: return Stroke{Key::End};
    case KEY_PPAGE: return Stroke{Key::PageUp};
    case KEY_NPAGE: return Stroke{Key::PageDown};
    case KEY_IC: return Stroke{Key::Insert};
    case KEY_DC: return Stroke{Key::Delete};
    case KEY_BACKSPACE: return Stroke{Key::Backspace};
    case KEY_ENTER: return Stroke{Key::Enter};
    case KEY_BTAB: return Stroke{Key::Tab, true};
    case KEY_SR: return Stroke{Key::Up, true};
    case KEY_SF: return Stroke{Key::Down, true};
    case KEY_SLEFT: return Stroke{Key::Left, true};
    case KEY_SRIGHT: return Stroke{Key::Right, true};
    case KEY_SHOME: return Stroke{Key::Home, true};
    case KEY_SEND: return Stroke{Key::End, true};
    case KEY_SPREVIOUS: return Stroke{Key::PageUp, true};
    case KEY_SNEXT: return Stroke{Key::PageDown, true};
    case KEY_SIC: return Stroke{Key::Insert, true};
    case KEY_SDC: return Stroke{Key::Delete, true};
    case KEY_PRINT: return Stroke{Key::PrintScreen};
    case KEY_A1: return Stroke{Key::Keypad7};
    case KEY_A3: return Stroke{Key::Keypad9};
    case KEY_B2: return Stroke{Key::Keypad5};
    case KEY_C1: return Stroke{Key::Keypad1};
    case KEY_C3: return Stroke{Key::Keypad3};
    default: break;
    }
    if (code > KEY_F0 && code <= KEY_F0 + 60) return function_key(code - KEY_F0);
    return std::nullopt;
}

/// Keys with modifiers have codes that ncurses makes up at run time, and names like "kUP5": the capability of
/// the key with Shift, then 1 + (1 for Shift) + (2 for Alt) + (4 for Ctrl), as xterm numbers them.
std::optional<Stroke> extended_code(unsigned code) {
    const char* name = ::keyname(static_cast<int>(code));
    if (!name) return std::nullopt;
    struct Named {
        std::string_view name;
        Key key;
    };
    constexpr Named kNames[] = {
        {"kUP", Key::Up},     {"kDN", Key::Down},   {"kLFT", Key::Left},   {"kRIT", Key::Right},
        {"kHOM", Key::Home},  {"kEND", Key::End},   {"kPRV", Key::PageUp}, {"kNXT", Key::PageDown},
        {"kIC", Key::Insert}, {"kDC", Key::Delete},
    };
    const std::string_view text(name);
    for (const Named& named : kNames) {
        if (!text.starts_with(named.name)) continue;
        const std::string_view digits = text.substr(named.name.size());
        unsigned modifiers = 1; // the bare capability is the shifted key
        if (digits.size() == 1 && digits[0] >= '2' && digits[0] <= '8')
            modifiers = static_cast<unsigned>(digits[0] - '1');
        else if (!digits.empty())
            continue;
        return Stroke{named.key, (modifiers & 1) != 0, (modifiers & 4) != 0, (modifiers & 2) != 0};
    }
    return std::nullopt;
}

std::vector<KeyEvent> events_of(const Stroke& stroke) {
    std::vector<Key> keys;
    if (stroke.control) keys.push_back(Key::LeftControl);
    if (stroke.alt) keys.push_back(Key::LeftAlt);
    if (stroke.shift) keys.push_back(Key::LeftShift);
    keys.push_back(stroke.key);
    return chord_events(keys);
}

std::vector<KeyEvent> events_of_character(char32_t character) {
    switch (character) {
    case 0: return chord_events({Key::LeftControl, Key::Space});
    case 0x08: return chord_events({Key::LeftControl, Key::H});
    case 0x0a: return chord_events({Key::LeftControl, Key::J}); // Enter comes as 0Dh
    case 0x7f: return chord_events({Key::Backspace});
    default: return keys_for_text(character);
    }
}

} // namespace

std::optional<TerminalInput> next_input() {
    wint_t value = 0;
    int kind = ::get_wch(&value);
    if (kind == ERR) return std::nullopt;
    TerminalInput input{kind == KEY_CODE_YES, false, value};
    if (kind == KEY_CODE_YES || value != 0x1b) return input;
    // A lone Escape, or Alt with what follows at once.
    kind = ::get_wch(&value);
    if (kind == ERR) return input;
    return TerminalInput{kind == KEY_CODE_YES, true, value};
}

std::vector<KeyEvent> keys_for_input(const TerminalInput& input) {
    std::vector<KeyEvent> events;
    if (!input.is_code) {
        events = events_of_character(input.value);
    } else {
        auto stroke = plain_code(input.value);
        if (!stroke) stroke = extended_code(input.value);
        if (stroke) events = events_of(*stroke);
    }
    if (input.alt && !events.empty()) {
        events.insert(events.begin(), KeyEvent{Key::LeftAlt, true});
        events.push_back(KeyEvent{Key::LeftAlt, false});
    }
    return events;
}

} // namespace btvm
