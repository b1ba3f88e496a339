#include "userland/devices/system_ports.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint8_t kReset = 0x01;
constexpr std::uint8_t kA20 = 0x02;
// What SeaBIOS expects to read where messages are wanted.
constexpr std::uint8_t kProbeAnswer = 0xE9;

} // namespace

std::uint32_t SystemPorts::read(std::uint16_t /*port*/, unsigned /*size*/) {
    return control_ | (platform_.a20() ? kA20 : 0u);
}

void SystemPorts::write(std::uint16_t /*port*/, unsigned /*size*/, std::uint32_t value) {
    const bool rises = (value & ~control_ & kReset) != 0;
    control_ = static_cast<std::uint8_t>(value & ~kA20);
    platform_.set_a20((value & kA20) != 0);
    if (rises) platform_.request_reset();
}

void SystemPorts::describe(StateArchive& a) { a.field("control", control_); }

void DebugConsole::reset() {
    for (auto& line : lines_)
        line.clear();
}

bool DebugConsole::takes_words(std::uint16_t port) const {
    return port == 0x400 || port == 0x401 || port == 0x501 || port == 0x502;
}

std::uint32_t DebugConsole::read(std::uint16_t port, unsigned size) {
    if (port == 0x402 && answer_probe_) return kProbeAnswer;
    return size == 1 ? 0xFF : size == 2 ? 0xFFFF : 0xFFFFFFFF;
}

void DebugConsole::write(std::uint16_t port, unsigned /*size*/, std::uint32_t value) {
    const char byte = static_cast<char>(static_cast<std::uint8_t>(value));
    switch (port) {
    case 0x402: put(Channel::BiosInfo, byte); break;
    case 0x403: put(Channel::BiosDebug, byte); break;
    case 0x500: put(Channel::VgaInfo, byte); break;
    case 0x503: put(Channel::VgaDebug, byte); break;
    default: { // panic ports
        const Channel channel = port < 0x500 ? Channel::BiosInfo : Channel::VgaInfo;
        flush(channel);
        for (const char c : "panic at line " + std::to_string(value & 0xFFFF))
            put(channel, c);
        flush(channel);
        break;
    }
    }
}

void DebugConsole::put(Channel channel, char byte) {
    auto& line = lines_[static_cast<unsigned>(channel)];
    if (byte == '\n') return flush(channel);
    if (byte == '\r' || byte == '\0') return;
    line.push_back(static_cast<std::uint8_t>(byte));
    if (line.size() == kLineLimit) // a guest that never ends its line
        flush(channel);
}

void DebugConsole::flush(Channel channel) {
    auto& line = lines_[static_cast<unsigned>(channel)];
    if (callback_ && !line.empty())
        callback_(channel, {reinterpret_cast<const char*>(line.data()), line.size()});
    line.clear();
}

void DebugConsole::describe(StateArchive& a) {
    a.field("bios_info", lines_[0], {.max_count = kLineLimit - 1});
    a.field("bios_debug", lines_[1], {.max_count = kLineLimit - 1});
    a.field("vga_info", lines_[2], {.max_count = kLineLimit - 1});
    a.field("vga_debug", lines_[3], {.max_count = kLineLimit - 1});
}

} // namespace btvm
