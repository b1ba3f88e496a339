#include "userland/devices/ata_channel.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint8_t kExecuteDiagnostic = 0x90;

} // namespace

AtaChannel::AtaChannel(Platform& platform, unsigned number, IdeBusMaster& bus_master)
    : Device(platform), number_(number), location_(kAtaLocations.at(number)), bus_master_(bus_master) {
    bus_master_.on_ready([this] {
        for (const auto& device : devices_)
            if (device) device->dma_ready();
    });
}

std::vector<PortRange> AtaChannel::ports() const { return {{location_.command, 8}, {location_.control, 1}}; }

void AtaChannel::reset() {
    slave_ = false;
    control_ = 0;
    for (const auto& device : devices_)
        if (device) device->hardware_reset();
    line_ = false;
    platform_.set_irq(location_.irq, false);
}

AtaDevice* AtaChannel::answering() const {
    AtaDevice* const device = selected();
    return device ? device : devices_[0].get();
}

std::uint8_t AtaChannel::status() const {
    const AtaDevice* const device = selected();
    return device ? device->status() : 0; // device 0 answers so for a missing device 1 (9.16)
}

std::uint32_t AtaChannel::read(std::uint16_t port, unsigned size) {
    if (port == location_.control) return status();
    const unsigned reg = port - location_.command;
    AtaDevice* const device = selected();
    if (reg == kAtaData) {
        if (device) return device->read_data(size);
        return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
    }
    if (reg == kAtaStatus) {
        const std::uint8_t value = status();
        if (device) device->acknowledge();
        return value;
    }
    const AtaDevice* const answerer = answering();
    if (!answerer || (reg == kAtaError && !device)) return 0;
    const std::uint8_t value = answerer->read_register(reg, control_ & ata_control::kPrevious);
    if (reg != kAtaDevice) return value;
    return static_cast<std::uint8_t>((value & ~ata_device::kSlave) | (slave_ ? ata_device::kSlave : 0));
}

void AtaChannel::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    if (port == location_.control) return write_control(byte);
    const unsigned reg = port - location_.command;
    if (reg == kAtaData) {
        if (AtaDevice* const device = selected()) device->write_data(size, value);
        return;
    }
    control_ &= static_cast<std::uint8_t>(~ata_control::kPrevious);
    if (reg == kAtaStatus) return write_command(byte);
    // Both devices take what is written, whichever is selected.
    for (const auto& device : devices_)
        if (device) device->write_register(reg, byte);
    if (reg == kAtaDevice) {
        slave_ = byte & ata_device::kSlave;
        interrupt_changed();
    }
}

void AtaChannel::read_port_block(std::uint16_t port, unsigned size, std::span<std::uint8_t> out) {
    if (AtaDevice* const device = selected(); device && port == location_.command)
        device->read_data_block(size, out);
    else
        Device::read_port_block(port, size, out);
}

void AtaChannel::write_port_block(std::uint16_t port, unsigned size, std::span<const std::uint8_t> in) {
    if (AtaDevice* const device = selected(); device && port == location_.command)
        device->write_data_block(size, in);
    else
        Device::write_port_block(port, size, in);
}

void AtaChannel::write_command(std::uint8_t value) {
    if (control_ & ata_control::kReset) return;
    if (value != kExecuteDiagnostic) {
        if (AtaDevice* const device = selected()) device->write_command(value);
        return;
    }
    // Both devices execute it; device 0 reports, and is selected afterwards.
    slave_ = false;
    for (unsigned slot = 0; slot < devices_.size(); slot++)
        if (devices_[slot]) devices_[slot]->diagnose(slot == 0);
}

void AtaChannel::write_control(std::uint8_t value) {
    const bool was_held = control_ & ata_control::kReset;
    const bool held = value & ata_control::kReset;
    control_ = value & (ata_control::kPrevious | ata_control::kReset | ata_control::kNoInterrupt);
    if (held != was_held) {
        if (held) slave_ = false;
        for (const auto& device : devices_)
            if (device) held ? device->hold_reset() : device->release_reset();
    }
    interrupt_changed();
}

void AtaChannel::interrupt_changed() {
    const AtaDevice* const device = selected();
    const bool level = device && device->interrupt() && !(control_ & ata_control::kNoInterrupt);
    if (level == line_) return;
    line_ = level;
    if (level) bus_master_.interrupt();
    platform_.set_irq(location_.irq, level);
}

std::optional<GuestTime> AtaChannel::deadline() const {
    std::optional<GuestTime> first;
    for (const auto& device : devices_)
        if (device)
            if (const auto due = device->deadline(); due && (!first || *due < *first)) first = due;
    return first;
}

void AtaChannel::run_until(GuestTime now) {
    for (const auto& device : devices_)
        if (device) device->run_until(now);
}

void AtaChannel::describe(StateArchive& a) {
    a.version(2);
    a.field("slave_selected", slave_);
    a.field("control", control_);
    for (unsigned slot = 0; slot < devices_.size(); slot++) {
        AtaDevice* const device = devices_[slot].get();
        // What is on the cable is the machine's configuration: it has to be the same.
        std::uint8_t kind = device ? static_cast<std::uint8_t>(device->kind()) + 1 : 0;
        const std::uint8_t here = kind;
        a.field(slot == 0 ? "master_kind" : "slave_kind", kind, {.below = 3});
        a.check(kind == here, "another kind of device is on the channel");
        a.group(slot == 0 ? "master" : "slave", [device](StateArchive& d) { device->describe(d); },
                {.present = device != nullptr});
    }
    if (!a.loading()) return;
    const AtaDevice* const device = selected();
    line_ = device && device->interrupt() && !(control_ & ata_control::kNoInterrupt);
    platform_.set_irq(location_.irq, line_);
}

} // namespace btvm
