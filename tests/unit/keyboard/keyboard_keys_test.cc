#include <gtest/gtest.h>
#include <set>
#include <stdexcept>

#include "userland/devices/keyboard_keys.hh"

namespace btvm {
namespace {

using Events = std::vector<KeyEvent>;

TEST(KeysForText, PlainShiftedAndControl) {
    EXPECT_EQ(keys_for_text(U'a'), (Events{{Key::A, true}, {Key::A, false}}));
    EXPECT_EQ(keys_for_text(U'A'),
              (Events{{Key::LeftShift, true}, {Key::A, true}, {Key::A, false}, {Key::LeftShift, false}}));
    EXPECT_EQ(keys_for_text(U'\n'), (Events{{Key::Enter, true}, {Key::Enter, false}}));
    EXPECT_EQ(keys_for_text(3),
              (Events{{Key::LeftControl, true}, {Key::C, true}, {Key::C, false}, {Key::LeftControl, false}}));
    EXPECT_EQ(keys_for_text(0x1B), (Events{{Key::Escape, true}, {Key::Escape, false}}));
    EXPECT_TRUE(keys_for_text(U'é').empty());
    EXPECT_TRUE(keys_for_text(0).empty());
}

TEST(KeysForText, UsLayoutByRows) {
    // The printed rows of a US keyboard, unshifted and shifted, beside the keys from left to right.
    struct Row {
        std::u32string plain, shifted;
        Key first;
    };
    for (const Row& row :
         {Row{U"`1234567890-=", U"~!@#$%^&*()_+", Key::Grave},
          Row{U"qwertyuiop[]\\", U"QWERTYUIOP{}|", Key::Q}, Row{U"asdfghjkl;'", U"ASDFGHJKL:\"", Key::A},
          Row{U"zxcvbnm,./", U"ZXCVBNM<>?", Key::Z}})
        for (unsigned i = 0; i < row.plain.size(); ++i) {
            const auto key = static_cast<Key>(static_cast<unsigned>(row.first) + i);
            EXPECT_EQ(keys_for_text(row.plain[i]), chord_events({key}));
            EXPECT_EQ(keys_for_text(row.shifted[i]), chord_events({Key::LeftShift, key}));
        }
}

TEST(KeysForText, EveryPrintableAsciiCharacterCanBeTyped) {
    for (char32_t c = 0x20; c < 0x7F; ++c)
        EXPECT_FALSE(keys_for_text(c).empty()) << static_cast<unsigned>(c);
}

TEST(KeyChord, NamesSpellingsAndJoints) {
    using Keys = std::vector<Key>;
    EXPECT_EQ(parse_key_chord("ctrl-alt-del"), (Keys{Key::LeftControl, Key::LeftAlt, Key::Delete}));
    EXPECT_EQ(parse_key_chord("Ctrl+Alt+Delete"), (Keys{Key::LeftControl, Key::LeftAlt, Key::Delete}));
    EXPECT_EQ(parse_key_chord("f1"), (Keys{Key::F1}));
    EXPECT_EQ(parse_key_chord("ENTER"), (Keys{Key::Enter}));
    EXPECT_EQ(parse_key_chord("a"), (Keys{Key::A}));
    EXPECT_EQ(parse_key_chord("A"), (Keys{Key::LeftShift, Key::A}));
    EXPECT_EQ(parse_key_chord("-"), (Keys{Key::Minus}));
    EXPECT_EQ(parse_key_chord("ctrl--"), (Keys{Key::LeftControl, Key::Minus}));
    EXPECT_EQ(parse_key_chord("alt-kp_enter"), (Keys{Key::LeftAlt, Key::KeypadEnter}));
}

TEST(KeyChord, SaysWhatItDoesNotKnow) {
    for (const char* bad : {"", "foo", "ctrl-", "ctrl-foo", "f13", "\xC3\xA9", "a-", "\x01"})
        EXPECT_THROW(static_cast<void>(parse_key_chord(bad)), std::invalid_argument) << bad;
    try {
        static_cast<void>(parse_key_chord("ctrl-blah"));
        FAIL();
    } catch (const std::invalid_argument& e) {
        EXPECT_NE(std::string(e.what()).find("'blah'"), std::string::npos);
    }
}

TEST(KeyChord, EveryKeyHasANameThatLeadsBackToIt) {
    std::set<std::string_view> names;
    for (unsigned i = 0; i < kKeyCount; ++i) {
        const auto key = static_cast<Key>(i);
        names.insert(key_name(key));
        EXPECT_EQ(parse_key_chord(key_name(key)), std::vector<Key>{key}) << key_name(key);
    }
    EXPECT_EQ(names.size(), kKeyCount);
}

TEST(KeyChord, EventsReleaseInReverse) {
    EXPECT_EQ(chord_events({Key::LeftControl, Key::C}),
              (Events{{Key::LeftControl, true}, {Key::C, true}, {Key::C, false}, {Key::LeftControl, false}}));
}

} // namespace
} // namespace btvm
