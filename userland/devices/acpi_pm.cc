#include "userland/devices/acpi_pm.hh"

#include "userland/devices/acpi_pm_timer.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

// Configuration registers (82371AB datasheet, 7.1).
constexpr unsigned kBase = 0x40;            ///< PMBA
constexpr unsigned kDeviceActivityB = 0x58; ///< DEVACTB; bit 25 is APMC_EN.
constexpr std::uint32_t kSmiOnApm = 1u << 25;
constexpr unsigned kMisc = 0x80; ///< PMREGMISC; bit 0 enables the block.
constexpr unsigned kSmbBase = 0x90;
constexpr unsigned kSmbHostConfig = 0xd2;

// Within the block (7.2).
constexpr unsigned kStatus = 0x00;
constexpr unsigned kEnable = 0x02;
constexpr unsigned kControl = 0x04;
constexpr unsigned kTimer = 0x08;
constexpr unsigned kGeneralOutput = 0x34;

constexpr std::uint16_t kTimerEvent = 0x0001;
constexpr std::uint16_t kGlobalEvent = 0x0020;
constexpr std::uint16_t kPowerButton = 0x0100;
constexpr std::uint16_t kRtcEvent = 0x0400;
constexpr std::uint16_t kWakeEvent = 0x8000;
constexpr std::uint16_t kEvents = kTimerEvent | kGlobalEvent | kPowerButton | kRtcEvent;

constexpr std::uint16_t kSciEnable = 0x0001;
constexpr std::uint16_t kControlBits = 0x1c07;
constexpr std::uint8_t kSleepEnable = 0x20; ///< Of the high byte.
constexpr unsigned kSoftOff = 0;            ///< The sleep type for S5, as the DSDT has it.

// The ports of the ACPI tables (userland/machine/acpi_tables): SMI command with its two values, and events;
// and, for the tables that SeaBIOS makes where it is given none, what its DSDT asks about slots and
// processors that come and go, of which there are none but processor 0.
constexpr std::uint16_t kApmControl = 0xb2;
constexpr std::uint16_t kApmStatus = 0xb3;
constexpr std::uint8_t kAcpiOn = 0xf1;
constexpr std::uint8_t kAcpiOff = 0xf0;
constexpr std::uint16_t kGeneralEvents = 0xafe0;
constexpr std::uint16_t kSlots = 0xae00;
constexpr std::uint16_t kSlotPorts = 0x14;
constexpr std::uint16_t kProcessors = 0xaf00;
constexpr std::uint16_t kProcessorPorts = 0x20;

} // namespace

AcpiPm::AcpiPm(Platform& platform, std::function<void()> power_off)
    : Device(platform), function_({0x8086, 0x7113, 0x0680, 0x00, 0x03, false}),
      power_off_(std::move(power_off)) {
    function_.define16(kPciCommand, 0x0000, kPciCommandIo);
    function_.define16(kPciStatus, 0x0280, 0);
    function_.define8(kPciInterruptLine, 0x00, 0xff);
    function_.define8(kPciInterruptPin, 0x01, 0x00);
    function_.define32(kBase, 0x00000001, 0x0000ffc0);
    // There is no SMM. APMC_EN says that firmware has seen to it already, so that it tries no further.
    function_.define32(kDeviceActivityB, kSmiOnApm, 0x03ffffff & ~kSmiOnApm);
    function_.define32(0x5c, 0x10000000, 0x0fffffff); // device resources: serial port, floppy, as QEMU's
    function_.define32(0x60, 0x60000000, 0x0fffffff);
    function_.define32(0x64, 0x98000000, 0x00000000);
    function_.define8(kMisc, 0x00, 0x01);
    function_.define32(kSmbBase, 0x00000001, 0x0000fff0);
    function_.define8(kSmbHostConfig, 0x00, 0x0f);
    function_.on_write([this](unsigned, unsigned) { tell_ports(); });
}

void AcpiPm::reset() {
    function_.reset();
    status_ = enable_ = control_ = 0;
    timer_changes_seen_ = AcpiPmTimer::changes(platform_.now());
    event_enable_ = {};
    apm_control_ = apm_status_ = 0;
    general_output_ = {};
    smbus_.reset();
    tell_ports();
    platform_.set_irq(kIrq, false);
}

std::uint16_t AcpiPm::block() const {
    if (!(function_.read(kMisc, 1) & 1)) return 0;
    return static_cast<std::uint16_t>(function_.get16(kBase) & 0xffc0);
}

std::uint16_t AcpiPm::smbus_base() const {
    if (!(function_.read(kSmbHostConfig, 1) & 1)) return 0;
    return static_cast<std::uint16_t>(function_.get16(kSmbBase) & 0xfff0);
}

void AcpiPm::tell_ports() {
    platform_.ports_changed(*this);
    const std::uint16_t base = block();
    platform_.set_pm_timer(base ? static_cast<std::uint16_t>(base + kTimer) : 0);
}

std::vector<PortRange> AcpiPm::ports() const {
    std::vector<PortRange> ranges{
        {kApmControl, 2}, {kGeneralEvents, 4}, {kSlots, kSlotPorts}, {kProcessors, kProcessorPorts}};
    if (const std::uint16_t base = smbus_base()) ranges.push_back({base, AcpiSmbus::kPorts});
    if (const std::uint16_t base = block()) ranges.push_back({base, kBlockPorts});
    return ranges;
}

bool AcpiPm::takes_words(std::uint16_t port) const {
    // The timer is read in one piece: byte by byte it would go on in between.
    const std::uint16_t base = block();
    return base != 0 && port == base + kTimer;
}

std::uint16_t AcpiPm::event_status() const {
    const bool timer = AcpiPmTimer::changes(platform_.now()) != timer_changes_seen_;
    return static_cast<std::uint16_t>(status_ | (timer ? kTimerEvent : 0));
}

std::uint32_t AcpiPm::read(std::uint16_t port, unsigned size) {
    const std::uint16_t base = block();
    if (base != 0 && port >= base && port < base + kBlockPorts) {
        const unsigned offset = port - base;
        if (offset == kTimer) {
            const std::uint32_t count = AcpiPmTimer::count(platform_.now());
            return size == 4 ? count : count & ((1u << 8 * size) - 1);
        }
        return read_block(offset);
    }
    if (const std::uint16_t smbus = smbus_base();
        smbus != 0 && port >= smbus && port < smbus + AcpiSmbus::kPorts)
        return smbus_.read(port - smbus);
    return read_events(port);
}

std::uint8_t AcpiPm::read_block(unsigned offset) const {
    const auto byte = [offset](std::uint32_t value, unsigned first) {
        return static_cast<std::uint8_t>(value >> 8 * (offset - first));
    };
    if (offset < kEnable) return byte(event_status(), kStatus);
    if (offset < kControl) return byte(enable_, kEnable);
    if (offset < kControl + 2) return byte(control_, kControl);
    if (offset > kTimer && offset < kTimer + 4) return byte(AcpiPmTimer::count(platform_.now()), kTimer);
    if (offset >= kGeneralOutput && offset < kGeneralOutput + 4)
        return general_output_[offset - kGeneralOutput];
    return 0;
}

/// The ports outside the block.
std::uint8_t AcpiPm::read_events(unsigned port) const {
    if (port == kApmControl) return apm_control_;
    if (port == kApmStatus) return apm_status_;
    if (port >= kGeneralEvents && port < kGeneralEvents + 2) return 0; // none ever comes
    if (port >= kGeneralEvents + 2 && port < kGeneralEvents + 4)
        return event_enable_[port - kGeneralEvents - 2];
    return port == kProcessors ? 1 : 0;
}

void AcpiPm::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    const std::uint16_t base = block();
    const std::uint16_t smbus = smbus_base();
    const auto byte = static_cast<std::uint8_t>(value);
    if (base != 0 && port >= base && port < base + kBlockPorts) {
        if (size == 1) write_block(port - base, byte); // the timer cannot be written
    } else if (smbus != 0 && port >= smbus && port < smbus + AcpiSmbus::kPorts) {
        smbus_.write(port - smbus, byte);
    } else if (port == kApmControl) {
        apm_control_ = byte;
        if (byte == kAcpiOn) control_ |= kSciEnable;
        if (byte == kAcpiOff) control_ &= static_cast<std::uint16_t>(~kSciEnable);
    } else if (port == kApmStatus) {
        apm_status_ = byte;
    } else if (port >= kGeneralEvents + 2 && port < kGeneralEvents + 4) {
        event_enable_[port - kGeneralEvents - 2] = byte;
    }
    update_interrupt();
}

void AcpiPm::write_block(unsigned offset, std::uint8_t value) {
    const auto shifted = static_cast<std::uint16_t>(value << 8 * (offset & 1));
    const auto others = static_cast<std::uint16_t>(0xff00 >> 8 * (offset & 1));
    if (offset < kEnable) {
        status_ &= static_cast<std::uint16_t>(~shifted);
        if (shifted & kTimerEvent) timer_changes_seen_ = AcpiPmTimer::changes(platform_.now());
    } else if (offset < kControl) {
        enable_ = static_cast<std::uint16_t>(((enable_ & others) | shifted) & kEvents);
    } else if (offset == kControl) {
        control_ = static_cast<std::uint16_t>(((control_ & 0xff00) | value) & kControlBits);
    } else if (offset == kControl + 1) {
        write_control(value);
    } else if (offset >= kGeneralOutput && offset < kGeneralOutput + 4) {
        general_output_[offset - kGeneralOutput] = value;
    }
}

/// The high byte of PM1 control: sleep type and enable, which is not remembered.
void AcpiPm::write_control(std::uint8_t high) {
    control_ = static_cast<std::uint16_t>(((control_ & 0x00ff) | high << 8) & kControlBits);
    if ((high & kSleepEnable) && (high >> 2 & 7) == kSoftOff) power_off_();
}

bool AcpiPm::power_button_enabled() const { return (control_ & kSciEnable) && (enable_ & kPowerButton); }

void AcpiPm::press_power_button() {
    status_ |= kPowerButton | kWakeEvent;
    update_interrupt();
}

void AcpiPm::update_interrupt() {
    const bool level = (control_ & kSciEnable) && (event_status() & enable_ & kEvents);
    platform_.set_irq(kIrq, level);
}

std::optional<GuestTime> AcpiPm::deadline() const {
    // Only a guest that wants the timer's interrupt makes it cost anything.
    if (!(control_ & kSciEnable) || !(enable_ & kTimerEvent)) return std::nullopt;
    if (AcpiPmTimer::changes(platform_.now()) != timer_changes_seen_) return std::nullopt;
    return AcpiPmTimer::time_of_change(timer_changes_seen_ + 1);
}

void AcpiPm::run_until(GuestTime) { update_interrupt(); }

void AcpiPm::describe(StateArchive& a) {
    a.version(2);
    a.field("function", function_);
    a.field("status", status_);
    a.field("enable", enable_);
    a.field("control", control_);
    a.field("timer_changes_seen", timer_changes_seen_, {.below = std::uint64_t{1} << 40});
    std::array<std::uint8_t, 2> event_status{}; // general-purpose events, of which there are none
    a.field("event_status", event_status, {.present = a.version() < 2});
    a.field("event_enable", event_enable_);
    a.field("apm_control", apm_control_);
    a.field("apm_status", apm_status_);
    a.field("general_output", general_output_);
    a.field("smbus", smbus_);
    if (a.loading()) {
        tell_ports();
        update_interrupt();
    }
}

} // namespace btvm
