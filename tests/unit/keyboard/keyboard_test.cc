// The keyboard on its own cable: codes of every key in three sets, commands, buffer, typematic.
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>

#include "userland/devices/keyboard.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<unsigned>;

class KeyboardTest : public testing::Test {
protected:
    Bytes drain() {
        Bytes bytes;
        keyboard.run_until(now);
        for (auto at = keyboard.ready_at(); at; at = keyboard.ready_at()) {
            now = std::max(now, *at);
            bytes.push_back(keyboard.take());
        }
        return bytes;
    }
    Bytes send(unsigned byte) {
        keyboard.receive(static_cast<std::uint8_t>(byte), now);
        return drain();
    }
    void use_set(unsigned set) {
        ASSERT_EQ(send(0xF0), Bytes{0xFA});
        ASSERT_EQ(send(set), Bytes{0xFA});
    }
    Bytes press(Key key) {
        keyboard.move({key, true}, now);
        return drain();
    }
    Bytes release(Key key) {
        keyboard.move({key, false}, now);
        return drain();
    }
    /// All bytes up to `by` later, each with the time it came.
    std::vector<std::pair<unsigned, GuestTime>> wait(GuestTime by) {
        std::vector<std::pair<unsigned, GuestTime>> seen;
        const GuestTime end = now + by;
        while (const auto due = keyboard.deadline()) {
            if (*due > end) break;
            now = *due;
            keyboard.run_until(now);
            while (keyboard.ready_at())
                seen.emplace_back(keyboard.take(), now);
        }
        now = end;
        return seen;
    }

    Keyboard keyboard;
    GuestTime now{1s};
};

/// Linux names keys by the set 1 code they have on the basic keyboard, so its header is a table made
/// elsewhere: up to 58h the event code is the scan code; the rest come with E0h and the code of the key they
/// were derived from.
struct EvdevKey {
    Key key;
    unsigned event;
    unsigned extended; ///< Set 1 code after E0h, 0 if the event code is the scan code.
};
constexpr EvdevKey kEvdev[] = {
    {Key::Escape, KEY_ESC, 0},
    {Key::F1, KEY_F1, 0},
    {Key::F2, KEY_F2, 0},
    {Key::F3, KEY_F3, 0},
    {Key::F4, KEY_F4, 0},
    {Key::F5, KEY_F5, 0},
    {Key::F6, KEY_F6, 0},
    {Key::F7, KEY_F7, 0},
    {Key::F8, KEY_F8, 0},
    {Key::F9, KEY_F9, 0},
    {Key::F10, KEY_F10, 0},
    {Key::F11, KEY_F11, 0},
    {Key::F12, KEY_F12, 0},
    {Key::ScrollLock, KEY_SCROLLLOCK, 0},
    {Key::Grave, KEY_GRAVE, 0},
    {Key::Digit1, KEY_1, 0},
    {Key::Digit2, KEY_2, 0},
    {Key::Digit3, KEY_3, 0},
    {Key::Digit4, KEY_4, 0},
    {Key::Digit5, KEY_5, 0},
    {Key::Digit6, KEY_6, 0},
    {Key::Digit7, KEY_7, 0},
    {Key::Digit8, KEY_8, 0},
    {Key::Digit9, KEY_9, 0},
    {Key::Digit0, KEY_0, 0},
    {Key::Minus, KEY_MINUS, 0},
    {Key::Equal, KEY_EQUAL, 0},
    {Key::Backspace, KEY_BACKSPACE, 0},
    {Key::Tab, KEY_TAB, 0},
    {Key::Q, KEY_Q, 0},
    {Key::W, KEY_W, 0},
    {Key::E, KEY_E, 0},
    {Key::R, KEY_R, 0},
    {Key::T, KEY_T, 0},
    {Key::Y, KEY_Y, 0},
    {Key::U, KEY_U, 0},
    {Key::I, KEY_I, 0},
    {Key::O, KEY_O, 0},
    {Key::P, KEY_P, 0},
    {Key::LeftBracket, KEY_LEFTBRACE, 0},
    {Key::RightBracket, KEY_RIGHTBRACE, 0},
    {Key::Backslash, KEY_BACKSLASH, 0},
    {Key::CapsLock, KEY_CAPSLOCK, 0},
    {Key::A, KEY_A, 0},
    {Key::S, KEY_S, 0},
    {Key::D, KEY_D, 0},
    {Key::F, KEY_F, 0},
    {Key::G, KEY_G, 0},
    {Key::H, KEY_H, 0},
    {Key::J, KEY_J, 0},
    {Key::K, KEY_K, 0},
    {Key::L, KEY_L, 0},
    {Key::Semicolon, KEY_SEMICOLON, 0},
    {Key::Quote, KEY_APOSTROPHE, 0},
    {Key::Enter, KEY_ENTER, 0},
    {Key::LeftShift, KEY_LEFTSHIFT, 0},
    {Key::Z, KEY_Z, 0},
    {Key::X, KEY_X, 0},
    {Key::C, KEY_C, 0},
    {Key::V, KEY_V, 0},
    {Key::B, KEY_B, 0},
    {Key::N, KEY_N, 0},
    {Key::M, KEY_M, 0},
    {Key::Comma, KEY_COMMA, 0},
    {Key::Period, KEY_DOT, 0},
    {Key::Slash, KEY_SLASH, 0},
    {Key::RightShift, KEY_RIGHTSHIFT, 0},
    {Key::LeftControl, KEY_LEFTCTRL, 0},
    {Key::LeftAlt, KEY_LEFTALT, 0},
    {Key::Space, KEY_SPACE, 0},
    {Key::NumLock, KEY_NUMLOCK, 0},
    {Key::KeypadStar, KEY_KPASTERISK, 0},
    {Key::KeypadMinus, KEY_KPMINUS, 0},
    {Key::Keypad7, KEY_KP7, 0},
    {Key::Keypad8, KEY_KP8, 0},
    {Key::Keypad9, KEY_KP9, 0},
    {Key::KeypadPlus, KEY_KPPLUS, 0},
    {Key::Keypad4, KEY_KP4, 0},
    {Key::Keypad5, KEY_KP5, 0},
    {Key::Keypad6, KEY_KP6, 0},
    {Key::Keypad1, KEY_KP1, 0},
    {Key::Keypad2, KEY_KP2, 0},
    {Key::Keypad3, KEY_KP3, 0},
    {Key::Keypad0, KEY_KP0, 0},
    {Key::KeypadPeriod, KEY_KPDOT, 0},
    {Key::NonUsBackslash, KEY_102ND, 0},
    {Key::KeypadEnter, KEY_KPENTER, KEY_ENTER},
    {Key::RightControl, KEY_RIGHTCTRL, KEY_LEFTCTRL},
    {Key::KeypadSlash, KEY_KPSLASH, KEY_SLASH},
    {Key::RightAlt, KEY_RIGHTALT, KEY_LEFTALT},
    {Key::Home, KEY_HOME, KEY_KP7},
    {Key::Up, KEY_UP, KEY_KP8},
    {Key::PageUp, KEY_PAGEUP, KEY_KP9},
    {Key::Left, KEY_LEFT, KEY_KP4},
    {Key::Right, KEY_RIGHT, KEY_KP6},
    {Key::End, KEY_END, KEY_KP1},
    {Key::Down, KEY_DOWN, KEY_KP2},
    {Key::PageDown, KEY_PAGEDOWN, KEY_KP3},
    {Key::Insert, KEY_INSERT, KEY_KP0},
    {Key::Delete, KEY_DELETE, KEY_KPDOT},
    {Key::LeftWindows, KEY_LEFTMETA, 0x5B},
    {Key::RightWindows, KEY_RIGHTMETA, 0x5C},
    {Key::Menu, KEY_COMPOSE, 0x5D},
};

TEST_F(KeyboardTest, Set1OfEveryKey) {
    // Print Screen and Pause have tests of their own.
    ASSERT_EQ(std::size(kEvdev) + 2, kKeyCount);
    use_set(1);
    for (const EvdevKey& k : kEvdev) {
        const unsigned code = k.extended != 0 ? k.extended : k.event;
        ASSERT_LE(code, 0x5Du);
        EXPECT_EQ(press(k.key), k.extended != 0 ? (Bytes{0xE0, code}) : Bytes{code}) << key_name(k.key);
        EXPECT_EQ(release(k.key), k.extended != 0 ? (Bytes{0xE0, code | 0x80}) : Bytes{code | 0x80})
            << key_name(k.key);
    }
}

TEST_F(KeyboardTest, Set2TranslatedIsSet1) {
    // The translation also has to turn every set 2 code into what set 1 sends; the two tables meet here.
    for (const EvdevKey& k : kEvdev) {
        const Bytes make = press(k.key);
        const Bytes broken = release(k.key);
        const unsigned set1 = k.extended != 0 ? k.extended : k.event;
        EXPECT_EQ(translate_set2_to_set1(static_cast<std::uint8_t>(make.back())), set1) << key_name(k.key);
        Bytes expected = make;
        expected.insert(expected.end() - 1, 0xF0);
        EXPECT_EQ(broken, expected) << key_name(k.key);
        EXPECT_EQ(make.size(), k.extended != 0 ? 2u : 1u) << key_name(k.key);
    }
}

TEST_F(KeyboardTest, Set2OfKeysEveryDriverWriterKnows) {
    EXPECT_EQ(press(Key::A), Bytes{0x1C});
    EXPECT_EQ(release(Key::A), (Bytes{0xF0, 0x1C}));
    EXPECT_EQ(press(Key::F7), Bytes{0x83});
    EXPECT_EQ(press(Key::Escape), Bytes{0x76});
    EXPECT_EQ(press(Key::KeypadEnter), (Bytes{0xE0, 0x5A}));
    EXPECT_EQ(press(Key::Up), (Bytes{0xE0, 0x75}));
}

TEST_F(KeyboardTest, Set3HasOneDistinctByteForEachKeyAndBreaksOnRequest) {
    use_set(3);
    ASSERT_EQ(send(0xF8), Bytes{0xFA}); // make and break for all
    std::vector<bool> seen(256);
    for (unsigned i = 0; i < kKeyCount; ++i) {
        const auto key = static_cast<Key>(i);
        const Bytes make = press(key);
        ASSERT_EQ(make.size(), 1u);
        EXPECT_FALSE(seen[make[0]]) << key_name(key);
        seen[make[0]] = true;
        EXPECT_EQ(release(key), (Bytes{0xF0, make[0]}));
    }
    EXPECT_EQ(press(Key::LeftControl), Bytes{0x11});
    EXPECT_EQ(press(Key::CapsLock), Bytes{0x14});
    EXPECT_EQ(press(Key::RightAlt), Bytes{0x39});
    EXPECT_EQ(press(Key::F12), Bytes{0x5E});
}

TEST_F(KeyboardTest, Set3KeyTypes) {
    use_set(3);
    EXPECT_EQ(press(Key::A), Bytes{0x1C});
    EXPECT_EQ(release(Key::A), Bytes{});
    EXPECT_EQ(press(Key::LeftShift), Bytes{0x12});
    EXPECT_EQ(release(Key::LeftShift), (Bytes{0xF0, 0x12}));
    press(Key::F1);
    EXPECT_TRUE(wait(2s).empty()); // make only
    EXPECT_EQ(send(0xFC), Bytes{0xFA});
    EXPECT_EQ(send(0x1C), Bytes{0xFA}); // A: make and break
    EXPECT_EQ(send(0x32), Bytes{0xFA}); // B too
    EXPECT_EQ(send(0xF4), Bytes{0xFA});
    press(Key::A);
    EXPECT_TRUE(wait(2s).empty());
    EXPECT_EQ(release(Key::A), (Bytes{0xF0, 0x1C}));
    press(Key::C);
    EXPECT_FALSE(wait(2s).empty());
    EXPECT_EQ(release(Key::C), Bytes{});
}

TEST_F(KeyboardTest, PauseSendsMakeAndBreakAtOnceAndNeverRepeats) {
    EXPECT_EQ(press(Key::Pause), (Bytes{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77}));
    EXPECT_TRUE(wait(2s).empty());
    EXPECT_EQ(release(Key::Pause), Bytes{});
    press(Key::LeftControl);
    EXPECT_EQ(press(Key::Pause), (Bytes{0xE0, 0x7E, 0xE0, 0xF0, 0x7E}));
    release(Key::Pause);
    release(Key::LeftControl);
    use_set(1);
    EXPECT_EQ(press(Key::Pause), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5}));
}

TEST_F(KeyboardTest, PrintScreenDependsOnModifiers) {
    EXPECT_EQ(press(Key::PrintScreen), (Bytes{0xE0, 0x12, 0xE0, 0x7C}));
    EXPECT_EQ(release(Key::PrintScreen), (Bytes{0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12}));
    press(Key::LeftControl);
    EXPECT_EQ(press(Key::PrintScreen), (Bytes{0xE0, 0x7C}));
    EXPECT_EQ(release(Key::PrintScreen), (Bytes{0xE0, 0xF0, 0x7C}));
    release(Key::LeftControl);
    press(Key::LeftAlt);
    EXPECT_EQ(press(Key::PrintScreen), Bytes{0x84});
    EXPECT_EQ(release(Key::PrintScreen), (Bytes{0xF0, 0x84}));
    release(Key::LeftAlt);
    use_set(1);
    EXPECT_EQ(press(Key::PrintScreen), (Bytes{0xE0, 0x2A, 0xE0, 0x37}));
    EXPECT_EQ(release(Key::PrintScreen), (Bytes{0xE0, 0xB7, 0xE0, 0xAA}));
}

TEST_F(KeyboardTest, CursorKeysComeWithFalseShiftsUnderNumLockAndShift) {
    send(0xED);
    send(Keyboard::kNumLockLed);
    EXPECT_EQ(press(Key::Up), (Bytes{0xE0, 0x12, 0xE0, 0x75}));
    EXPECT_EQ(release(Key::Up), (Bytes{0xE0, 0xF0, 0x75, 0xE0, 0xF0, 0x12}));
    press(Key::RightShift);
    EXPECT_EQ(press(Key::Delete), (Bytes{0xE0, 0xF0, 0x59, 0xE0, 0x71}));
    EXPECT_EQ(release(Key::Delete), (Bytes{0xE0, 0xF0, 0x71, 0xE0, 0x59}));
    EXPECT_EQ(press(Key::KeypadSlash), (Bytes{0xE0, 0xF0, 0x59, 0xE0, 0x4A}));
    release(Key::KeypadSlash);
    release(Key::RightShift);
    EXPECT_EQ(press(Key::KeypadSlash), (Bytes{0xE0, 0x4A}));
}

TEST_F(KeyboardTest, Commands) {
    EXPECT_EQ(send(0xEE), Bytes{0xEE});
    EXPECT_EQ(send(0xF2), (Bytes{0xFA, 0xAB, 0x83}));
    EXPECT_EQ(send(0xFE), Bytes{0x83}); // the last byte again
    EXPECT_EQ(send(0xEF), Bytes{0xFE});
    EXPECT_EQ(send(0xF1), Bytes{0xFE});
    EXPECT_EQ(send(0x00), Bytes{0xFE});
    EXPECT_EQ(send(0xF0), Bytes{0xFA});
    EXPECT_EQ(send(0x00), (Bytes{0xFA, 0x02}));
    use_set(3);
    send(0xF0);
    EXPECT_EQ(send(0x00), (Bytes{0xFA, 0x03}));
    send(0xF0);
    EXPECT_EQ(send(0x04), Bytes{0xFE});
    EXPECT_EQ(send(0xF6), Bytes{0xFA});
    send(0xF0);
    EXPECT_EQ(send(0x00), (Bytes{0xFA, 0x02}));
}

TEST_F(KeyboardTest, ResetAcknowledgesThenTests) {
    send(0xED);
    send(0x07);
    EXPECT_EQ(keyboard.leds(), 7);
    EXPECT_EQ(send(0xFF), Bytes{0xFA});
    EXPECT_EQ(keyboard.leds(), 0);
    EXPECT_FALSE(keyboard.ready_for_keys());
    EXPECT_EQ(press(Key::A), Bytes{}); // not during the test
    const auto seen = wait(1s);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].first, 0xAAu);
    EXPECT_TRUE(keyboard.ready_for_keys());
}

TEST_F(KeyboardTest, LedsAndTheirCallback) {
    std::vector<unsigned> changes;
    keyboard.on_leds([&](std::uint8_t leds) { changes.push_back(leds); });
    EXPECT_EQ(send(0xED), Bytes{0xFA});
    EXPECT_FALSE(keyboard.ready_for_keys());
    EXPECT_EQ(send(0x02), Bytes{0xFA});
    send(0xED);
    send(0x02); // no change
    send(0xED);
    EXPECT_EQ(send(0xF4), Bytes{0xFA}); // a command instead of the parameter
    EXPECT_EQ(send(0x05), Bytes{0xFE});
    EXPECT_EQ(changes, Bytes{2});
}

TEST_F(KeyboardTest, DisabledKeyboardSaysNothing) {
    keyboard.move({Key::A, true}, now);
    EXPECT_EQ(send(0xF5), Bytes{0xFA}); // and the buffer is gone
    EXPECT_EQ(press(Key::B), Bytes{});
    EXPECT_TRUE(wait(2s).empty());
    EXPECT_EQ(send(0xF4), Bytes{0xFA});
    EXPECT_EQ(press(Key::C), Bytes{0x21});
}

TEST_F(KeyboardTest, BufferHolds16BytesThenOneOverrunCode) {
    const Key keys[] = {Key::Q, Key::W, Key::E, Key::R, Key::T, Key::Y, Key::U, Key::I, Key::O, Key::P,
                        Key::A, Key::S, Key::D, Key::F, Key::G, Key::H, Key::J, Key::K, Key::L};
    for (const Key key : keys)
        keyboard.move({key, true}, now);
    const Bytes bytes = drain();
    ASSERT_EQ(bytes.size(), 17u);
    EXPECT_EQ(bytes[0], 0x15u);
    EXPECT_EQ(bytes[15], 0x33u);
    EXPECT_EQ(bytes[16], 0x00u);
    EXPECT_EQ(press(Key::Z), Bytes{0x1A});
}

TEST_F(KeyboardTest, SequencesGoIntoTheBufferWholeOrNotAtAll) {
    const Key keys[] = {Key::Q, Key::W, Key::E, Key::R, Key::T, Key::Y, Key::U,
                        Key::I, Key::O, Key::P, Key::A, Key::S, Key::D, Key::F};
    for (const Key key : keys)
        keyboard.move({key, true}, now); // 14 bytes
    keyboard.move({Key::Pause, true}, now);
    const Bytes bytes = drain();
    ASSERT_EQ(bytes.size(), 15u);
    EXPECT_EQ(bytes.back(), 0x00u);
    use_set(1);
    for (unsigned i = 0; i < 20; ++i)
        keyboard.move({static_cast<Key>(i), true}, now);
    EXPECT_EQ(drain().back(), 0xFFu);
}

TEST_F(KeyboardTest, RepliesOvertakeKeysThatWait) {
    keyboard.move({Key::A, true}, now);
    keyboard.receive(0xEE, now);
    EXPECT_EQ(drain(), (Bytes{0xEE, 0x1C}));
}

TEST_F(KeyboardTest, NewCommandEndsTheReplyToTheOneBefore) {
    keyboard.receive(0xF2, now);
    keyboard.receive(0xEE, now);
    EXPECT_EQ(drain(), Bytes{0xEE});
}

TEST_F(KeyboardTest, TypematicDefaultIs500MsThen10_9ASecond) {
    const GuestTime start = now;
    EXPECT_EQ(press(Key::A), Bytes{0x1C});
    const auto seen = wait(1500ms);
    ASSERT_EQ(seen.size(), 11u); // at 500 ms, then every 91.7 ms
    EXPECT_EQ(seen[0].second - start, 500ms);
    EXPECT_NEAR(static_cast<double>((seen[1].second - seen[0].second).count()), 91.67e6, 0.1e6);
    for (const auto& [byte, at] : seen)
        EXPECT_EQ(byte, 0x1Cu);
    release(Key::A);
    EXPECT_TRUE(wait(2s).empty());
}

TEST_F(KeyboardTest, TypematicRatesAndDelays) {
    struct {
        unsigned parameter;
        double delay_ms, period_ms;
    } const cases[] = {{0x00, 250, 1000 / 30.0},
                       {0x7F, 1000, 500},
                       {0x20, 500, 1000 / 30.0},
                       {0x0A, 250, 1000 / 12.0},
                       {0x54, 750, 200}};
    for (const auto& c : cases) {
        EXPECT_EQ(send(0xF3), Bytes{0xFA});
        EXPECT_EQ(send(c.parameter), Bytes{0xFA});
        const GuestTime start = now;
        press(Key::A);
        const auto seen = wait(2500ms);
        ASSERT_GE(seen.size(), 2u);
        EXPECT_NEAR(static_cast<double>((seen[0].second - start).count()) / 1e6, c.delay_ms, 1)
            << c.parameter;
        EXPECT_NEAR(static_cast<double>((seen[1].second - seen[0].second).count()) / 1e6, c.period_ms,
                    c.period_ms / 100)
            << c.parameter;
        release(Key::A);
    }
    send(0xF3);
    EXPECT_EQ(send(0x80), Bytes{0xFE});
}

TEST_F(KeyboardTest, OnlyTheLastKeyRepeatsAndNoRepeatsPileUp) {
    press(Key::A);
    press(Key::Right);
    release(Key::A);
    now += 700ms;
    EXPECT_EQ(drain(), (Bytes{0xE0, 0x74}));
    keyboard.run_until(now += 1s);
    keyboard.run_until(now += 1s);
    EXPECT_EQ(drain(), (Bytes{0xE0, 0x74}));
    release(Key::Right);
    keyboard.move({Key::B, true}, now, false); // typed by a program
    drain();
    EXPECT_TRUE(wait(2s).empty());
}

TEST_F(KeyboardTest, ImpossibleMovementsAreNone) {
    EXPECT_EQ(release(Key::A), Bytes{});
    EXPECT_EQ(press(Key::A), Bytes{0x1C});
    EXPECT_EQ(press(Key::A), Bytes{});
    EXPECT_EQ(press(static_cast<Key>(200)), Bytes{});
}

} // namespace
} // namespace btvm
