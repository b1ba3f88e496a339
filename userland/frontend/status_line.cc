#include "userland/frontend/status_line.hh"

#include "userland/devices/keyboard.hh"
#include "userland/frontend/curses.hh"

namespace btvm {

namespace {

std::string state_text(MachineState state) {
    switch (state) {
    case MachineState::Halted: return "HALTED (interrupts off)";
    case MachineState::Shutdown: return "TRIPLE FAULT";
    case MachineState::Paused: return "PAUSED";
    default: return to_string(state);
    }
}

std::string drive_text(const PcStatus& status) {
    std::string text;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++) {
        const FloppyStatus& floppy = status.floppies[drive];
        if (!floppy.present) continue;
        text += text.empty() ? "" : " ";
        text += static_cast<char>('A' + drive);
        text += floppy.active ? '*' : floppy.path.empty() ? '-' : ':';
        if (floppy.write_protected) text += "ro";
        if (floppy.snapshot) text += "snap";
    }
    return text;
}

std::string led_text(std::uint8_t leds) {
    std::string text;
    text += leds & Keyboard::kNumLockLed ? "NUM " : "";
    text += leds & Keyboard::kCapsLockLed ? "CAPS " : "";
    text += leds & Keyboard::kScrollLockLed ? "SCROLL " : "";
    if (!text.empty()) text.pop_back();
    return text;
}

} // namespace

std::string status_line(int columns, const StatusLineText& text, const PcStatus& status) {
    const auto width = static_cast<std::size_t>(columns > 0 ? columns : 0);
    std::string left = " " + text.name + "  " + state_text(status.state);
    std::string right = " " + drive_text(status) + " ";
    if (const std::string leds = led_text(status.leds); !leds.empty()) right += " " + leds + " ";
    right += " " + text.escape + ": menu ";
    if (!text.message.empty())
        left += "  " + text.message;
    else
        left += "  " + text.engine;
    if (left.size() + right.size() <= width)
        return left + std::string(width - left.size() - right.size(), ' ') + right;
    // The key for the menu matters more than a long name, the message more than either, drives and LEDs
    // least.
    if (text.message.empty() && right.size() < width) {
        left.resize(width - right.size());
        return left + right;
    }
    const std::string menu = " " + text.escape + ": menu ";
    const bool room = left.size() + menu.size() <= width;
    left.resize(room ? width - menu.size() : width, ' ');
    return room ? left + menu : left;
}

void draw_status_line(int row, int columns, const StatusLineText& text, const PcStatus& status) {
    if (row < 0) return;
    ::attr_set(A_REVERSE, 0, nullptr);
    // Writing the last column of the last row makes ncurses report an error after it has written; that is no
    // matter.
    ::mvaddstr(row, 0, status_line(columns, text, status).c_str());
    ::clrtoeol();
    ::attr_set(A_NORMAL, 0, nullptr);
}

} // namespace btvm
