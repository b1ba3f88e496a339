// One IDE channel: the command and control block registers, two devices on a cable, an interrupt line
// (ATA/ATAPI-6, clauses 7 and 9).
#pragma once

#include <array>
#include <memory>

#include "userland/devices/ata_device.hh"

namespace btvm {

/// Where a channel answers (82371SB datasheet, 2.3: compatibility mode).
struct AtaLocation {
    std::uint16_t command; ///< The first of eight ports.
    std::uint16_t control; ///< The device control and alternate status register.
    unsigned irq;
};
inline constexpr std::array<AtaLocation, 2> kAtaLocations{{{0x1f0, 0x3f6, 14}, {0x170, 0x376, 15}}};

class AtaChannel final : public Device, private AtaBus {
public:
    /// `number` is 0 or 1.
    AtaChannel(Platform& platform, unsigned number, IdeBusMaster& bus_master);

    [[nodiscard]] std::string_view name() const override { return number_ == 0 ? "ide0" : "ide1"; }
    [[nodiscard]] std::vector<PortRange> ports() const override;
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    /// The data register is 16 bits wide, and takes 32 bits as two words.
    [[nodiscard]] bool takes_words(std::uint16_t port) const override { return port == location_.command; }
    void read_port_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out) override;
    void write_port_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in) override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void describe(StateArchive& archive) override;

    /// Connects a device as number 0 (master) or 1 (slave); `make` is given the bus it is on. Before the
    /// first reset.
    template <class D, class... Arguments>
    D& attach(unsigned slot, Arguments&&... arguments) {
        auto device = std::make_unique<D>(static_cast<AtaBus&>(*this), std::forward<Arguments>(arguments)...);
        D& attached = *device;
        devices_.at(slot) = std::move(device);
        return attached;
    }
    [[nodiscard]] AtaDevice* device(unsigned slot) { return devices_.at(slot).get(); }
    /// Where messages for the user go: host I/O errors.
    void set_message_handler(std::function<void(const std::string&)> handler) {
        message_ = std::move(handler);
    }

private:
    // AtaBus
    [[nodiscard]] GuestTime now() const override { return platform_.now(); }
    void interrupt_changed() override;
    [[nodiscard]] IdeBusMaster& bus_master() override { return bus_master_; }
    void report(const std::string& message) override {
        if (message_) message_(message);
    }

    /// The device that listens; null if there is none.
    [[nodiscard]] AtaDevice* selected() const { return devices_[slave_ ? 1 : 0].get(); }
    /// The device whose registers are read: with no device 1, device 0 answers for it.
    [[nodiscard]] AtaDevice* answering() const;
    [[nodiscard]] std::uint8_t status() const;
    void write_command(std::uint8_t value);
    void write_control(std::uint8_t value);

    unsigned number_;
    AtaLocation location_;
    IdeBusMaster& bus_master_;
    std::array<std::unique_ptr<AtaDevice>, 2> devices_;
    std::function<void(const std::string&)> message_;
    bool slave_{};
    std::uint8_t control_{};
    bool line_{}; ///< The interrupt line; derived.
};

} // namespace btvm
