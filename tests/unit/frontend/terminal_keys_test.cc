#include <gtest/gtest.h>

#include "userland/frontend/curses.hh"
#include "userland/frontend/terminal_keys.hh"

namespace btvm {
namespace {

using Keys = std::vector<Key>;

/// The keys in the order they are pressed; checks that each is released once, in reverse.
Keys pressed(const TerminalInput& input) {
    Keys down, order;
    for (const KeyEvent& event : keys_for_input(input)) {
        if (event.down) {
            down.push_back(event.key);
            order.push_back(event.key);
        } else {
            EXPECT_FALSE(down.empty());
            if (down.empty()) break;
            EXPECT_EQ(down.back(), event.key);
            down.pop_back();
        }
    }
    EXPECT_TRUE(down.empty());
    return order;
}

TerminalInput character(unsigned value, bool alt = false) { return {false, alt, value}; }
TerminalInput code(int value, bool alt = false) { return {true, alt, static_cast<unsigned>(value)}; }

TEST(TerminalKeys, Characters) {
    EXPECT_EQ(pressed(character('a')), (Keys{Key::A}));
    EXPECT_EQ(pressed(character('A')), (Keys{Key::LeftShift, Key::A}));
    EXPECT_EQ(pressed(character('?')), (Keys{Key::LeftShift, Key::Slash}));
    EXPECT_EQ(pressed(character('\r')), (Keys{Key::Enter}));
    EXPECT_EQ(pressed(character('\t')), (Keys{Key::Tab}));
    EXPECT_EQ(pressed(character(0x1b)), (Keys{Key::Escape}));
    EXPECT_EQ(pressed(character(0x7f)), (Keys{Key::Backspace}));
    EXPECT_TRUE(pressed(character(0x20ac)).empty()); // no key for the euro sign
}

TEST(TerminalKeys, ControlCharacters) {
    EXPECT_EQ(pressed(character(0x03)), (Keys{Key::LeftControl, Key::C}));
    EXPECT_EQ(pressed(character(0x1a)), (Keys{Key::LeftControl, Key::Z}));
    EXPECT_EQ(pressed(character(0x08)), (Keys{Key::LeftControl, Key::H}));
    EXPECT_EQ(pressed(character(0x0a)), (Keys{Key::LeftControl, Key::J}));
    EXPECT_EQ(pressed(character(0x00)), (Keys{Key::LeftControl, Key::Space}));
}

TEST(TerminalKeys, AltGoesAroundTheRest) {
    EXPECT_EQ(pressed(character('x', true)), (Keys{Key::LeftAlt, Key::X}));
    EXPECT_EQ(pressed(character('X', true)), (Keys{Key::LeftAlt, Key::LeftShift, Key::X}));
    EXPECT_EQ(pressed(code(KEY_F(4), true)), (Keys{Key::LeftAlt, Key::F4}));
    EXPECT_TRUE(pressed(character(0x20ac, true)).empty());
}

TEST(TerminalKeys, KeysWithCodes) {
    EXPECT_EQ(pressed(code(KEY_UP)), (Keys{Key::Up}));
    EXPECT_EQ(pressed(code(KEY_NPAGE)), (Keys{Key::PageDown}));
    EXPECT_EQ(pressed(code(KEY_BACKSPACE)), (Keys{Key::Backspace}));
    EXPECT_EQ(pressed(code(KEY_BTAB)), (Keys{Key::LeftShift, Key::Tab}));
    EXPECT_EQ(pressed(code(KEY_SLEFT)), (Keys{Key::LeftShift, Key::Left}));
    EXPECT_EQ(pressed(code(KEY_RESIZE)), (Keys{}));
}

TEST(TerminalKeys, FunctionKeysInTheirBanks) {
    EXPECT_EQ(pressed(code(KEY_F(1))), (Keys{Key::F1}));
    EXPECT_EQ(pressed(code(KEY_F(12))), (Keys{Key::F12}));
    EXPECT_EQ(pressed(code(KEY_F(13))), (Keys{Key::LeftShift, Key::F1}));
    EXPECT_EQ(pressed(code(KEY_F(29))), (Keys{Key::LeftControl, Key::F5}));
    EXPECT_EQ(pressed(code(KEY_F(37))), (Keys{Key::LeftControl, Key::LeftShift, Key::F1}));
    EXPECT_EQ(pressed(code(KEY_F(60))), (Keys{Key::LeftAlt, Key::F12}));
    EXPECT_TRUE(pressed(code(KEY_F(61))).empty());
}

} // namespace
} // namespace btvm
