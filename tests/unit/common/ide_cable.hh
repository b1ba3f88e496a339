// An IDE channel with a disk and a CD-ROM drive on it and its bus master at C000h, as one device: for tests
// that know of one device only.
#pragma once

#include <memory>
#include <string>

#include "userland/devices/ata_channel.hh"
#include "userland/devices/ata_disk.hh"
#include "userland/devices/atapi_cdrom.hh"
#include "userland/devices/piix_ide.hh"
#include "userland/devices/state.hh"

namespace btvm::test {

class IdeCable final : public Device {
public:
    static constexpr std::uint16_t kBusMaster = 0xc000;

    /// The disk's image is used as a snapshot.
    IdeCable(Platform& platform, const std::string& disk, const std::string& disc)
        : Device(platform), ide_(platform), channel_(platform, 0, ide_.bus_master(0)) {
        channel_.attach<AtaDisk>(0, DiskImage::open(disk, {.snapshot = true}), 0);
        channel_.attach<AtapiCdrom>(1, AtapiCdrom::open(disc), 1);
    }
    [[nodiscard]] std::string_view name() const override { return "ide_cable"; }
    [[nodiscard]] std::vector<PortRange> ports() const override {
        return {{0x1f0, 8}, {0x3f6, 1}, {kBusMaster, 8}};
    }
    void reset() override {
        ide_.reset();
        channel_.reset();
        ide_.function().write(kPciBar0 + 16, 4, kBusMaster);
        ide_.function().write(kPciCommand, 2, kPciCommandIo | kPciCommandMaster);
    }
    std::uint32_t read(std::uint16_t port, unsigned size) override {
        return port >= kBusMaster ? ide_.read(port, size) : channel_.read(port, size);
    }
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override {
        if (port >= kBusMaster)
            ide_.write(port, size, value);
        else
            channel_.write(port, size, value);
    }
    [[nodiscard]] bool takes_words(std::uint16_t port) const override {
        return port >= kBusMaster || channel_.takes_words(port);
    }
    [[nodiscard]] std::optional<GuestTime> deadline() const override { return channel_.deadline(); }
    void run_until(GuestTime now) override { channel_.run_until(now); }
    /// The interface's configuration space.
    [[nodiscard]] PciFunction& pci() { return ide_.function(); }
    void describe(StateArchive& a) override {
        a.field("ide", ide_);
        a.field("channel", channel_);
    }

private:
    PiixIde ide_;
    AtaChannel channel_;
};

} // namespace btvm::test
