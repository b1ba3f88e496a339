#include "userland/devices/piix_ide.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr unsigned kBusMasterBar = 4;
// 82371SB datasheet, 2.3: timing of the channels (bit 15 enables one), and of their slaves.
constexpr unsigned kPrimaryTiming = 0x40;
constexpr unsigned kSecondaryTiming = 0x42;
constexpr unsigned kSlaveTiming = 0x44;

} // namespace

PiixIde::PiixIde(Platform& platform)
    : Device(platform),
      function_({0x8086, 0x7010, 0x0101, 0x80, 0x00, false}), masters_{IdeBusMaster(platform),
                                                                       IdeBusMaster(platform)} {
    function_.define16(kPciCommand, 0x0000, kPciCommandIo | kPciCommandMaster);
    function_.define16(kPciStatus, 0x0280, 0);
    function_.define8(0x0d, 0x00, 0xf0); // latency timer
    function_.define_io_bar(kBusMasterBar, kPorts);
    function_.define16(kPrimaryTiming, 0x0000, 0xffff);
    function_.define16(kSecondaryTiming, 0x0000, 0xffff);
    function_.define8(kSlaveTiming, 0x00, 0xff);
    function_.on_write([this](unsigned, unsigned) { configuration_changed(); });
}

void PiixIde::reset() {
    function_.reset();
    for (IdeBusMaster& master : masters_)
        master.reset();
    configuration_changed();
}

void PiixIde::configuration_changed() {
    for (IdeBusMaster& master : masters_)
        master.enable(function_.command() & kPciCommandMaster);
    platform_.ports_changed(*this);
}

std::vector<PortRange> PiixIde::ports() const {
    const std::uint16_t base = function_.io_base(kBusMasterBar);
    if (base == 0) return {};
    return {{base, kPorts}};
}

std::uint32_t PiixIde::read(std::uint16_t port, unsigned size) {
    const unsigned reg = (port - function_.io_base(kBusMasterBar)) % kPorts;
    return masters_[reg / 8].read(reg % 8, size);
}

void PiixIde::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    const unsigned reg = (port - function_.io_base(kBusMasterBar)) % kPorts;
    masters_[reg / 8].write(reg % 8, size, value);
}

void PiixIde::describe(StateArchive& a) {
    a.version(2);
    a.field("function", function_);
    a.field("bus_masters", masters_);
    if (a.loading()) platform_.ports_changed(*this);
}

} // namespace btvm
