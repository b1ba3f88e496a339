#include <gtest/gtest.h>

#include "userland/devices/keyboard.hh"
#include "userland/frontend/status_line.hh"

namespace btvm {
namespace {

PcStatus status() {
    PcStatus status;
    status.state = MachineState::Running;
    status.floppies[0] = {true, "/images/dos.img", false, false, false};
    return status;
}

bool has(const std::string& line, const char* text) { return line.find(text) != std::string::npos; }

TEST(StatusLine, ShowsWhatThereIs) {
    PcStatus s = status();
    s.leds = Keyboard::kNumLockLed | Keyboard::kCapsLockLed;
    s.floppies[0].active = true;
    s.floppies[1] = {true, "", false, false, false};
    const std::string line = status_line(80, {"dos", "kernel", "Ctrl-]", ""}, s);
    EXPECT_EQ(line.size(), 80u);
    for (const char* text : {"dos", "running", "kernel", "A*", "B-", "NUM CAPS", "Ctrl-]: menu"})
        EXPECT_TRUE(has(line, text)) << line;
    EXPECT_FALSE(has(line, "SCROLL")) << line;
}

TEST(StatusLine, StatesOfAnEndedGuestStandOut) {
    PcStatus s = status();
    s.state = MachineState::Shutdown;
    EXPECT_TRUE(has(status_line(80, {"dos", "kernel", "Ctrl-]", ""}, s), "TRIPLE FAULT"));
    s.state = MachineState::Halted;
    EXPECT_TRUE(has(status_line(80, {"dos", "kernel", "Ctrl-]", ""}, s), "HALTED"));
}

TEST(StatusLine, IsAsWideAsTheTerminal) {
    for (int width = 0; width < 120; width++)
        for (const char* message : {"", "a message"})
            EXPECT_EQ(
                status_line(width, {"a-long-name-of-a-guest", "kernel", "Ctrl-]", message}, status()).size(),
                static_cast<std::size_t>(width));
    // On a narrow terminal the way to the menu stays, or the message if there is one.
    EXPECT_TRUE(
        has(status_line(30, {"a-long-name-of-a-guest", "kernel", "Ctrl-]", ""}, status()), "Ctrl-]: menu"));
    EXPECT_TRUE(
        has(status_line(40, {"dos", "kernel", "Ctrl-]", "what went wrong"}, status()), "what went wrong"));
    // Drives and LEDs give way first.
    const std::string both = status_line(45, {"dos", "kernel", "Ctrl-]", "what went wrong"}, status());
    EXPECT_TRUE(has(both, "what went wrong") && has(both, "Ctrl-]: menu") && !has(both, "A:")) << both;
}

} // namespace
} // namespace btvm
