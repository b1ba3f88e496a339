// The AT's two 8237A DMA controllers (Intel 8237A datasheet, order number 231466) and their page registers:
// channels 0 to 3 move bytes, 5 to 7 words, 4 is the cascade between the two.
#pragma once

#include <array>

#include "userland/devices/device.hh"

namespace btvm {

class Dma final : public Device {
public:
    using Device::Device;

    [[nodiscard]] std::string_view name() const override { return "dma"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    void describe(StateArchive& archive) override;

    struct Transfer {
        std::size_t bytes;   ///< How many were moved before the count ran out or the channel stopped.
        bool terminal_count; ///< The TC line was pulsed with the last of them.
    };

    /// Whether a request on this channel (0 to 7) would be served now. A device whose data cannot wait runs
    /// over.
    [[nodiscard]] bool ready(unsigned channel) const;
    /// A device's cycles on its channel. The guest programmed the direction; if it is not the device's, or is
    /// "verify", cycles are counted and no memory is touched (data from memory then reads FFh, as from an
    /// idle bus). 16-bit channels move whole words: an odd byte at the end of a span stays.
    Transfer to_memory(unsigned channel, std::span<const std::uint8_t> data);
    Transfer from_memory(unsigned channel, std::span<std::uint8_t> data);
    /// The device's request line, for the status register alone: a transfer needs no request.
    void set_request(unsigned channel, bool level);

private:
    struct Channel {
        std::uint16_t base_address{};
        std::uint16_t base_count{};
        std::uint16_t address{};
        std::uint16_t count{};
        std::uint8_t mode{};
        void describe(StateArchive& archive);
    };
    struct Controller {
        std::array<Channel, 4> channel{};
        std::uint8_t command{};
        std::uint8_t mask{0x0f};
        std::uint8_t requests{}; ///< Lines in bits 0 to 3.
        std::uint8_t software_requests{};
        std::uint8_t terminal_counts{};
        bool high_byte{}; ///< The flip-flop: the next byte is the high one.
        void describe(StateArchive& archive);
    };

    std::uint8_t read_register(Controller& controller, unsigned index);
    void write_register(Controller& controller, unsigned index, std::uint8_t value);
    void master_clear(Controller& controller);
    [[nodiscard]] std::uint64_t physical(unsigned channel, std::uint16_t address) const;
    template <class Move>
    Transfer run(unsigned channel, std::size_t bytes, Move&& move);

    std::array<Controller, 2> controllers_{};
    /// 80h to 8Fh as written; those that are nobody's page are read back, no more.
    std::array<std::uint8_t, 16> pages_{};
};

} // namespace btvm
