// The DMA engine of one IDE channel (Programming Interface for Bus Master IDE Controller, revision 1.0): it
// moves a device's data to and from the memory that a table of physical region descriptors names.
#pragma once

#include <functional>

#include "userland/devices/device.hh"

namespace btvm {

class IdeBusMaster {
public:
    explicit IdeBusMaster(Platform& platform) : platform_(platform) {}

    void reset();
    /// Registers 0 to 7 of the channel; `size` bytes that lie within them.
    [[nodiscard]] std::uint32_t read(unsigned reg, unsigned size) const;
    void write(unsigned reg, unsigned size, std::uint32_t value);
    void describe(StateArchive& archive);

    /// Whether the function may reach memory (PCI command register).
    void enable(bool enabled);

    // ---- the channel's side

    /// Called when the engine becomes ready to move data.
    void on_ready(std::function<void()> handler) { ready_ = std::move(handler); }
    /// Whether it would move data now.
    [[nodiscard]] bool ready() const { return enabled_ && (status_ & kActive); }
    /// Moves data; returns how many bytes found room in the descriptors. Fewer than asked for: the table has
    /// ended, and ready() is false from then on.
    std::size_t to_memory(std::span<const std::uint8_t> data);
    std::size_t from_memory(std::span<std::uint8_t> data);
    /// The device's interrupt line has risen.
    void interrupt() { status_ |= kInterrupt; }

private:
    static constexpr std::uint8_t kActive = 0x01;
    static constexpr std::uint8_t kError = 0x02;
    static constexpr std::uint8_t kInterrupt = 0x04;
    static constexpr std::uint8_t kCapable = 0x60; ///< Kept for software: drive 0 and 1 do DMA.

    void write_command(std::uint8_t value);
    [[nodiscard]] bool next_region();
    template <class Move>
    std::size_t move(std::size_t bytes, Move&& part);

    Platform& platform_;
    std::function<void()> ready_;
    bool enabled_{};
    std::uint8_t command_{};
    std::uint8_t status_{};
    std::uint32_t table_{};
    std::uint32_t next_{};    ///< Where the next descriptor is.
    std::uint32_t address_{}; ///< Of the region in use.
    std::uint32_t left_{};    ///< Bytes left in it, 0 to 64 Ki.
    bool last_{};             ///< It is the table's last.
};

} // namespace btvm
