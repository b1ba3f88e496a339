#include "userland/devices/rtc.hh"

#include <algorithm>

#include "userland/devices/guest_time.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr unsigned kIrqLine = 8;

enum Register : unsigned {
    kSeconds = 0x00,
    kSecondsAlarm = 0x01,
    kMinutes = 0x02,
    kMinutesAlarm = 0x03,
    kHours = 0x04,
    kHoursAlarm = 0x05,
    kWeekday = 0x06,
    kDay = 0x07,
    kMonth = 0x08,
    kYear = 0x09,
    kA = 0x0A,
    kB = 0x0B,
    kC = 0x0C,
    kD = 0x0D,
    kCentury = 0x32,
};

// Register A.
constexpr std::uint8_t kUpdateInProgress = 0x80;
constexpr std::uint8_t kDividerMask = 0x70;
constexpr std::uint8_t kDivider32768 = 0x20;
constexpr std::uint8_t kRateMask = 0x0F;
// Register B.
constexpr std::uint8_t kSet = 0x80;
constexpr std::uint8_t kSquareWave = 0x08;
constexpr std::uint8_t kBinary = 0x04;
constexpr std::uint8_t k24Hours = 0x02;
// Registers B (enable) and C (flag).
constexpr std::uint8_t kPeriodic = 0x40;
constexpr std::uint8_t kAlarm = 0x20;
constexpr std::uint8_t kUpdateEnded = 0x10;
constexpr std::uint8_t kSources = kPeriodic | kAlarm | kUpdateEnded;
constexpr std::uint8_t kIrqFlag = 0x80;

constexpr std::uint8_t kValidTime = 0x80; // register D: the battery is good
constexpr std::uint8_t kPm = 0x80;        // in the hours, with 12-hour time

constexpr std::int64_t kHz = 32768;
// UIP rises 244 us before an update, which takes 1984 us with this crystal.
constexpr GuestTime kUpdateWarning = 244us + 1984us;
constexpr std::int64_t kSecondsOfDay = 86400;

unsigned from_bcd(std::uint8_t value) { return (value >> 4) * 10u + (value & 0x0F); }
std::uint8_t to_bcd(unsigned value) { return static_cast<std::uint8_t>(value / 10 % 10 << 4 | value % 10); }

unsigned days_of_month(unsigned month, unsigned year) {
    switch (month) {
    case 2: return year % 4 == 0 ? 29 : 28;
    case 4:
    case 6:
    case 9:
    case 11: return 30;
    default: return 31;
    }
}

} // namespace

Rtc::Rtc(Platform& platform, WallTime wall_time) : Device(platform) {
    memory_[kA] = kDivider32768 | 0x06; // 1024 Hz, as every PC BIOS sets it
    memory_[kB] = k24Hours;
    memory_[kD] = kValidTime;
    set_wall_time(wall_time);
}

std::vector<PortRange> Rtc::ports() const { return {{0x70, 2}}; }

void Rtc::reset() {
    memory_[kB] &= static_cast<std::uint8_t>(~(kSources | kSquareWave));
    memory_[kC] = 0;
    nmi_masked_ = false;
    update_irq();
}

void Rtc::set_wall_time(WallTime wall_time) {
    const auto day = std::chrono::floor<std::chrono::days>(wall_time);
    const std::chrono::year_month_day date(day);
    const auto second = std::chrono::floor<std::chrono::seconds>(wall_time);
    const std::chrono::hh_mm_ss time(second - day);
    const auto year = static_cast<unsigned>(std::clamp(static_cast<int>(date.year()), 0, 9999));
    put(kSeconds, static_cast<unsigned>(time.seconds().count()));
    put(kMinutes, static_cast<unsigned>(time.minutes().count()));
    put_hour(static_cast<unsigned>(time.hours().count()));
    put(kWeekday, std::chrono::weekday(day).c_encoding() + 1); // 1 is Sunday
    put(kDay, static_cast<unsigned>(date.day()));
    put(kMonth, static_cast<unsigned>(date.month()));
    put(kYear, year % 100);
    memory_[kCentury] = to_bcd(year / 100);
    start_divider(platform_.now() + 1s - std::chrono::duration_cast<GuestTime>(wall_time - second));
}

unsigned Rtc::get(unsigned index) const {
    return (memory_[kB] & kBinary) != 0 ? memory_[index] : from_bcd(memory_[index]);
}

void Rtc::put(unsigned index, unsigned value) {
    memory_[index] = (memory_[kB] & kBinary) != 0 ? static_cast<std::uint8_t>(value) : to_bcd(value);
}

unsigned Rtc::get_hour(std::uint8_t value) const {
    const bool half_days = (memory_[kB] & k24Hours) == 0;
    const auto digits = static_cast<std::uint8_t>(half_days ? value & ~kPm : value);
    unsigned hour = (memory_[kB] & kBinary) != 0 ? digits : from_bcd(digits);
    if (half_days) hour = hour % 12 + ((value & kPm) != 0 ? 12 : 0);
    return hour;
}

void Rtc::put_hour(unsigned hour) {
    if ((memory_[kB] & k24Hours) != 0) {
        put(kHours, hour);
        return;
    }
    put(kHours, hour % 12 == 0 ? 12 : hour % 12);
    if (hour >= 12) memory_[kHours] |= kPm;
}

std::uint32_t Rtc::read(std::uint16_t port, unsigned /*size*/) {
    if (port != 0x71) return 0xFF; // the index is write-only
    run_until(platform_.now());
    return read_register(index_);
}

void Rtc::write(std::uint16_t port, unsigned /*size*/, std::uint32_t wide) {
    const auto value = static_cast<std::uint8_t>(wide);
    if (port == 0x70) {
        index_ = value & 0x7F;
        nmi_masked_ = (value & 0x80) != 0;
        return;
    }
    run_until(platform_.now());
    write_register(index_, value);
}

std::uint8_t Rtc::read_register(unsigned index) {
    switch (index) {
    case kA: return memory_[kA] | (updating(platform_.now()) ? kUpdateInProgress : 0);
    case kC: {
        const std::uint8_t flags = memory_[kC];
        memory_[kC] = 0;
        update_irq();
        return flags;
    }
    default: return memory_[index];
    }
}

void Rtc::write_register(unsigned index, std::uint8_t value) {
    switch (index) {
    case kA: {
        const bool was_running = running();
        memory_[kA] = value & static_cast<std::uint8_t>(~kUpdateInProgress);
        // Leaving divider reset, the first update comes half a second later.
        if (!was_running && running()) start_divider(platform_.now() + 500ms);
        break;
    }
    case kB:
        // Setting SET clears the update interrupt's enable.
        memory_[kB] = (value & kSet) != 0 ? value & static_cast<std::uint8_t>(~kUpdateEnded) : value;
        update_irq();
        break;
    case kC:
    case kD: break; // read-only
    default: memory_[index] = value; break;
    }
}

bool Rtc::running() const { return (memory_[kA] & kDividerMask) == kDivider32768; }

void Rtc::start_divider(GuestTime first_update) {
    divider_origin_ = first_update - 1s;
    ticks_done_ = divider_ticks(platform_.now());
}

std::int64_t Rtc::divider_ticks(GuestTime at) const {
    const std::int64_t ns = std::max<std::int64_t>((at - divider_origin_).count(), 0);
    return ns / 1'000'000'000 * kHz + ns % 1'000'000'000 * kHz / 1'000'000'000;
}

GuestTime Rtc::tick_time(std::int64_t tick) const {
    // Rounded up, so that at this time the tick has been counted.
    return divider_origin_ +
           GuestTime(tick / kHz * 1'000'000'000 + (tick % kHz * 1'000'000'000 + kHz - 1) / kHz);
}

std::int64_t Rtc::periodic_ticks() const {
    const unsigned rate = memory_[kA] & kRateMask;
    if (rate == 0) return 0;
    return rate <= 2 ? 64 << rate : 1 << (rate - 1); // rates 1 and 2 repeat 8 and 9 (256 and 128 Hz)
}

bool Rtc::updating(GuestTime now) const {
    if (!running() || (memory_[kB] & kSet) != 0) return false;
    const GuestTime next = tick_time((divider_ticks(now) / kHz + 1) * kHz);
    return next - now <= kUpdateWarning;
}

void Rtc::run_until(GuestTime now) {
    if (!running()) return;
    const std::int64_t ticks = divider_ticks(now);
    if (ticks <= ticks_done_) return;
    const std::int64_t period = periodic_ticks();
    if (period != 0 && ticks / period != ticks_done_ / period) memory_[kC] |= kPeriodic;
    const std::int64_t seconds = ticks / kHz - ticks_done_ / kHz;
    ticks_done_ = ticks;
    if (seconds != 0 && (memory_[kB] & kSet) == 0) step_seconds(seconds);
    update_irq();
}

void Rtc::step_seconds(std::int64_t seconds) {
    // Of a long sleep nobody reads the days between: only the date has to move, and the last day may ring the
    // alarm.
    for (; seconds > 2 * kSecondsOfDay; seconds -= kSecondsOfDay)
        step_date();
    for (; seconds > 0; --seconds) {
        step_second();
        if (alarm_matches()) memory_[kC] |= kAlarm;
    }
    memory_[kC] |= kUpdateEnded;
}

void Rtc::step_second() {
    const auto carries = [this](unsigned index) {
        const unsigned value = get(index) + 1;
        put(index, value >= 60 ? 0 : value);
        return value >= 60;
    };
    if (!carries(kSeconds) || !carries(kMinutes)) return;
    const unsigned hour = get_hour(memory_[kHours]) + 1;
    put_hour(hour >= 24 ? 0 : hour);
    if (hour >= 24) step_date();
}

void Rtc::step_date() {
    const unsigned weekday = get(kWeekday);
    put(kWeekday, weekday >= 7 ? 1 : weekday + 1);
    const unsigned year = get(kYear);
    const unsigned month = get(kMonth);
    const unsigned day = get(kDay) + 1;
    if (day <= days_of_month(month, year)) {
        put(kDay, day);
        return;
    }
    put(kDay, 1);
    if (month < 12) {
        put(kMonth, month + 1);
        return;
    }
    put(kMonth, 1);
    put(kYear, year >= 99 ? 0 : year + 1);
    if (year >= 99) memory_[kCentury] = to_bcd(from_bcd(memory_[kCentury]) + 1);
}

bool Rtc::alarm_matches() const {
    // C0h to FFh in an alarm byte match every value.
    const auto matches = [this](unsigned alarm, unsigned time) {
        return memory_[alarm] >= 0xC0 || memory_[alarm] == memory_[time];
    };
    return matches(kSecondsAlarm, kSeconds) && matches(kMinutesAlarm, kMinutes) &&
           matches(kHoursAlarm, kHours);
}

void Rtc::update_irq(bool always) {
    const bool raised = (memory_[kB] & memory_[kC] & kSources) != 0;
    memory_[kC] = static_cast<std::uint8_t>((memory_[kC] & kSources) | (raised ? kIrqFlag : 0));
    if (line_ == raised && !always) return;
    line_ = raised;
    platform_.set_irq(kIrqLine, line_);
}

std::optional<GuestTime> Rtc::deadline() const {
    // Flags nobody is waiting for are found when the guest looks.
    if (!running() || line_) return std::nullopt;
    std::int64_t tick = INT64_MAX;
    const std::int64_t period = periodic_ticks();
    if ((memory_[kB] & kPeriodic) != 0 && period != 0) tick = (ticks_done_ / period + 1) * period;
    if ((memory_[kB] & (kAlarm | kUpdateEnded)) != 0 && (memory_[kB] & kSet) == 0)
        tick = std::min(tick, (ticks_done_ / kHz + 1) * kHz);
    if (tick == INT64_MAX) return std::nullopt;
    return tick_time(tick);
}

void Rtc::describe(StateArchive& a) {
    a.field("memory", memory_);
    a.field("index", index_, {.below = kBytes});
    a.field("nmi_masked", nmi_masked_);
    a.field("divider_origin", divider_origin_);
    a.field("ticks_done", ticks_done_);
    a.check(plausible_time(divider_origin_), "divider_origin: out of range");
    a.check(ticks_done_ >= 0 && ticks_done_ < kHz * kSecondsOfDay * 36525, "ticks_done: out of range");
    if (a.loading()) update_irq(true);
}

} // namespace btvm
