// The controller's registers, phases and interrupts.
#include "userland/devices/fdc.hh"

#include <algorithm>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr GuestTime kResetTime = 50us;

// Digital output register.
constexpr std::uint8_t kDorSelect = 0x03;
constexpr std::uint8_t kDorDmaGate = 0x08; ///< Also lets the interrupt out (AT mode).
constexpr std::uint8_t kDorMotor = 0x10;   ///< Of drive 0; the others follow.

// Main status register.
constexpr std::uint8_t kMsrBusy = 0x10;
constexpr std::uint8_t kMsrNonDma = 0x20;
constexpr std::uint8_t kMsrToProcessor = 0x40;
constexpr std::uint8_t kMsrRequest = 0x80;

// Configure.
constexpr std::uint8_t kConfigureDefault = 0x20;
constexpr std::uint8_t kConfigureLocked = 0x2f; ///< EFIFO and FIFOTHR: what Lock protects.
constexpr std::uint8_t kConfigureNoPoll = 0x10;

constexpr std::uint8_t bit(unsigned n) { return static_cast<std::uint8_t>(1u << n); }

} // namespace

void Fdc::reset() {
    dor_ = 0;
    dsr_ = 0x02;
    rate_programmed_ = false;
    tape_drive_ = 0;
    lock_ = false;
    specify_[0] = specify_[1] = 0;
    non_dma_ = false;
    perpendicular_ = 0;
    last_eot_ = 0;
    cylinder_.fill(0);
    software_reset();
}

/// What both kinds of reset clear. The present cylinder numbers stay: the heads did not move either.
void Fdc::software_reset() {
    phase_ = Phase::Command;
    command_length_ = 0;
    result_length_ = result_at_ = 0;
    transfer_ = Transfer{};
    transfer_due_.reset();
    reset_due_.reset();
    seeking_ = recalibrating_ = seek_ended_ = 0;
    reset_senses_ = 0;
    result_irq_ = data_irq_ = sense_irq_ = false;
    configure_ = lock_ ? configure_ & kConfigureLocked : kConfigureDefault;
    if (!lock_) precompensation_track_ = 0;
    perpendicular_ &= ~3; // GAP and WGATE; the drive bits are for hardware resets only
    dma_.set_request(kDmaChannel, false);
    update_irq();
}

void Fdc::update_irq() {
    const bool wanted = result_irq_ || data_irq_ || sense_irq_;
    platform_.set_irq(kIrq, wanted && !in_reset() && (dor_ & kDorDmaGate));
}

bool Fdc::spinning(unsigned n) const { return drive(n).medium() && (dor_ & (kDorMotor << n)); }

std::uint32_t Fdc::read(std::uint16_t port, unsigned) {
    switch (port) {
    case 0x3f2: return dor_;
    case 0x3f3: return tape_drive_;
    case 0x3f4: return main_status();
    case 0x3f5: return read_fifo();
    case 0x3f7: return digital_input();
    default: return 0xff; // status registers A and B are not there in AT mode
    }
}

void Fdc::write(std::uint16_t port, unsigned, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    switch (port) {
    case 0x3f2: write_dor(byte); break;
    case 0x3f3: tape_drive_ = byte & 3; break;
    case 0x3f4: write_dsr(byte); break;
    case 0x3f5: write_fifo(byte); break;
    case 0x3f7:
        dsr_ = static_cast<std::uint8_t>((dsr_ & ~3u) | (byte & 3u));
        rate_programmed_ = true;
        break;
    default: break;
    }
}

void Fdc::write_dor(std::uint8_t value) {
    const bool was_in_reset = in_reset();
    dor_ = value;
    if (in_reset())
        software_reset();
    else if (was_in_reset)
        reset_due_ = after(kResetTime);
    update_irq();
    resume_transfer();
}

FloppyDrive::Rate Fdc::rate(const FloppyDrive& d) const {
    // The Bochs BIOS, made for emulators, never chooses a rate. Real hardware would then fail with all but
    // 250 kbit/s media; here a rate that nobody chose is the medium's own.
    if (!rate_programmed_ && d.medium()) return d.medium_rate();
    return static_cast<FloppyDrive::Rate>(dsr_ & 3);
}

void Fdc::write_dsr(std::uint8_t value) {
    rate_programmed_ = true;
    dsr_ = value & 0x1f; // power-down wakes at the next access, so it is never seen
    if ((value & 0x80) && !in_reset()) {
        software_reset();
        reset_due_ = after(kResetTime);
    }
}

std::uint8_t Fdc::main_status() const {
    if (in_reset()) return 0;
    const std::uint8_t status = seeking_;
    switch (phase_) {
    case Phase::Command: return status | kMsrRequest | (command_length_ ? kMsrBusy : 0);
    case Phase::Result: return status | kMsrRequest | kMsrToProcessor | kMsrBusy;
    case Phase::Execution: break;
    }
    if (!asking()) return status | kMsrBusy | (non_dma_ ? kMsrNonDma : 0);
    const bool to_processor = transfer_.operation == Operation::Read;
    return status | kMsrBusy | kMsrNonDma | kMsrRequest | (to_processor ? kMsrToProcessor : 0);
}

std::uint8_t Fdc::digital_input() const { return drive(dor_ & kDorSelect).changed() ? 0x80 : 0; }

std::uint8_t Fdc::read_fifo() {
    if (in_reset()) return 0;
    if (asking() && transfer_.operation == Operation::Read) return fifo_to_processor();
    if (phase_ != Phase::Result) return 0;
    if (result_irq_) {
        result_irq_ = false;
        update_irq();
    }
    const std::uint8_t value = result_[result_at_++];
    if (result_at_ == result_length_) to_command_phase();
    return value;
}

void Fdc::write_fifo(std::uint8_t value) {
    if (in_reset()) return;
    if (asking() && transfer_.operation != Operation::Read) return fifo_from_processor(value);
    // Bytes that nobody asked for are lost, in whatever number they come: only the command phase stores any,
    // and a command's first byte says how many there will be.
    if (phase_ != Phase::Command) return;
    command_[command_length_++] = value;
    if (command_length_ < command_size(command_[0])) return;
    command_length_ = 0;
    execute();
}

void Fdc::to_command_phase() {
    phase_ = Phase::Command;
    command_length_ = 0;
    if (seek_ended_ && !sense_irq_) { // another drive's seek ended meanwhile
        sense_irq_ = true;
        update_irq();
    }
}

void Fdc::to_result_phase(std::initializer_list<std::uint8_t> bytes, bool interrupt) {
    phase_ = Phase::Result;
    result_at_ = 0;
    result_length_ = static_cast<std::uint8_t>(std::min(bytes.size(), kMaxResult));
    std::copy_n(bytes.begin(), result_length_, result_.begin());
    result_irq_ = interrupt;
    if (interrupt) reset_senses_ = 0; // a later interrupt takes the place of the reset's
    update_irq();
}

std::optional<GuestTime> Fdc::deadline() const {
    std::optional<GuestTime> first = transfer_due_;
    const auto consider = [&](GuestTime due) { first = first ? std::min(*first, due) : due; };
    if (reset_due_) consider(*reset_due_);
    for (unsigned n = 0; n < kAddressable; n++)
        if (seeking_ & bit(n)) consider(seek_due_[n]);
    return first;
}

void Fdc::run_until(GuestTime now) {
    if (reset_due_ && *reset_due_ <= now) {
        reset_due_.reset();
        // Polling notices that the ready state of all four drives "changed": one interrupt, four to be
        // sensed.
        if (!(configure_ & kConfigureNoPoll)) {
            reset_senses_ = kAddressable;
            sense_irq_ = true;
            update_irq();
        }
    }
    for (unsigned n = 0; n < kAddressable; n++)
        if ((seeking_ & bit(n)) && seek_due_[n] <= now) finish_seek(n);
    // The medium turns on while nobody looks: all sectors that have passed since.
    while (transfer_due_ && *transfer_due_ <= now)
        step_transfer();
}

void Fdc::say(const std::string& text) const {
    if (message_) message_(text);
}

void Fdc::set_drive_type(unsigned n, FloppyDriveType type) {
    if (const auto out = drives_.at(n).set_type(type)) say(out->path() + ": does not fit the new drive");
}

void Fdc::insert(unsigned n, std::shared_ptr<FloppyImage> image) {
    FloppyDrive& d = drives_.at(n);
    if (d.medium()) throw FloppyError("there is already a medium in drive " + std::to_string(n));
    if (!d.exists()) d.set_type(drive_type_for(image->geometry()));
    if (!d.takes(image->geometry()))
        throw FloppyError(image->path() + ": a " + std::to_string(image->geometry().kilobytes) +
                          " KB medium does not work in a " + std::string(drive_type_name(d.type())));
    d.insert(std::move(image));
    resume_transfer();
}

std::shared_ptr<FloppyImage> Fdc::eject(unsigned n) {
    auto image = drives_.at(n).eject();
    if (!image) return image;
    try {
        image->flush();
    } catch (const FloppyError& e) {
        say(e.what());
    }
    return image;
}

void Fdc::flush() {
    for (FloppyDrive& d : drives_) {
        if (!d.medium()) continue;
        try {
            d.medium()->flush();
        } catch (const FloppyError& e) {
            say(e.what());
        }
    }
}

Fdc::Activity Fdc::activity(unsigned n) const {
    const bool motor = dor_ & (kDorMotor << n);
    return {motor, motor && (dor_ & kDorSelect) == n, drives_.at(n).cylinder(), reads_.at(n), writes_.at(n)};
}

} // namespace btvm
