// What a device is to the machine: something driven only by port reads, port writes, DMA and time. A device
// raises interrupt lines and reaches memory through the Platform it was given, and declares its state once,
// field by field.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace btvm {

class StateArchive; // userland/devices/state.hh: saving, loading, printing and comparing derive from
                    // describe()

/// Guest time since power-on. Stands still while the guest is paused.
using GuestTime = std::chrono::nanoseconds;

class Device;

/// The board a device sits on.
class Platform {
public:
    virtual ~Platform() = default;
    /// Drives ISA interrupt line 0 to 15.
    virtual void set_irq(unsigned line, bool level) = 0;
    /// Guest memory for DMA; addresses beyond RAM read as FFh and writes there vanish.
    virtual void dma_read(std::uint64_t guest_physical, std::span<std::uint8_t> out) = 0;
    virtual void dma_write(std::uint64_t guest_physical, std::span<const std::uint8_t> in) = 0;
    [[nodiscard]] virtual GuestTime now() const = 0;
    /// The A20 gate: false forces address line 20 to 0.
    virtual void set_a20(bool enabled) = 0;
    [[nodiscard]] virtual bool a20() const = 0;
    /// Where the ACPI timer is: the first of its four ports; 0: nowhere. The board may answer its reads
    /// itself.
    virtual void set_pm_timer(std::uint16_t /*port*/) {}
    /// Asks for a reset of the whole machine (Ctrl-Alt-Del line of the i8042, port 92h bit 0).
    virtual void request_reset() = 0;
    /// What the device's ports() gives has changed: the guest has moved its registers (PCI base addresses).
    virtual void ports_changed(Device& /*device*/) {}
};

/// A run of consecutive ports a device answers.
struct PortRange {
    std::uint16_t first;
    std::uint16_t count;
};

class Device {
public:
    explicit Device(Platform& platform) : platform_(platform) {}
    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    /// The name in saved states and messages, e.g. "fdc".
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual std::vector<PortRange> ports() const = 0;
    /// Power-on or bus reset.
    virtual void reset() = 0;
    /// One access of `size` bytes (1, 2 or 4). The bus splits what a device does not take whole: by default a
    /// device sees bytes only (see takes_words).
    virtual std::uint32_t read(std::uint16_t port, unsigned size) = 0;
    virtual void write(std::uint16_t port, unsigned size, std::uint32_t value) = 0;
    /// True if 16- and 32-bit accesses to this port reach read() and write() whole.
    [[nodiscard]] virtual bool takes_words(std::uint16_t) const { return false; }
    /// A run of accesses of `size` bytes to one port, as INS and OUTS make them, the first at the front of
    /// the span, whose length is a multiple of `size`. Only where takes_words() holds or `size` is 1.
    virtual void read_port_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out);
    virtual void write_port_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in);
    /// When the device next wants run_until(), or nothing.
    [[nodiscard]] virtual std::optional<GuestTime> deadline() const { return std::nullopt; }
    /// Lets the device act on all that has come due up to `now`.
    virtual void run_until(GuestTime /*now*/) {}
    /// No time passes any more: the guest has halted for good, shut down or is off. What it has handed over
    /// and is on its way out arrives all the same, as it would beside a processor that stands still.
    virtual void drain() {}
    /// Declares every field of the device's state, once (DESIGN: devices).
    virtual void describe(StateArchive& archive) = 0;

protected:
    Platform& platform_;
};

} // namespace btvm
