// Small ports of the board that belong to no chip: port 92h, and the ports on which a BIOS prints messages.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "userland/devices/device.hh"

namespace btvm {

/// Port 92h of PS/2 and later boards (System Control Port A): bit 1 is the A20 gate, shared with the keyboard
/// controller, and a rise of bit 0 resets the machine.
class SystemPorts final : public Device {
public:
    explicit SystemPorts(Platform& platform) : Device(platform) {}

    [[nodiscard]] std::string_view name() const override { return "system_ports"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0x92, 1}}; }
    void reset() override { control_ = 0; }
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    void describe(StateArchive& archive) override;

private:
    std::uint8_t control_{}; ///< All of port 92h but bit 1, which lives with the A20 gate.
};

/// Messages of the Bochs BIOS (400h-403h), its VGA BIOS (500h-503h) and SeaBIOS (402h), gathered into lines.
class DebugConsole final : public Device {
public:
    enum class Channel : std::uint8_t { BiosInfo, BiosDebug, VgaInfo, VgaDebug };
    /// A whole line without its end. A BIOS panic comes as "panic at line N" with its source line.
    using LineCallback = std::function<void(Channel channel, std::string_view line)>;

    /// SeaBIOS prints, byte by byte, only if port 402h answers. `answer_probe` is off by default, for boot
    /// time's sake.
    explicit DebugConsole(Platform& platform, bool answer_probe = false)
        : Device(platform), answer_probe_(answer_probe) {}

    void on_line(LineCallback callback) { callback_ = std::move(callback); }

    [[nodiscard]] std::string_view name() const override { return "debug_console"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0x400, 4}, {0x500, 4}}; }
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    /// Panic ports take the source line as a word.
    [[nodiscard]] bool takes_words(std::uint16_t port) const override;
    void describe(StateArchive& archive) override;

private:
    static constexpr std::size_t kLineLimit = 512;

    void put(Channel channel, char byte);
    void flush(Channel channel);

    bool answer_probe_;
    LineCallback callback_;
    std::array<std::vector<std::uint8_t>, 4> lines_; ///< By Channel: what has come of a line so far.
};

} // namespace btvm
