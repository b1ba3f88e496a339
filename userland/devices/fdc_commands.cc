// The command set, and the commands that touch no data.
#include <algorithm>

#include "userland/devices/fdc.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr GuestTime kSeekBase = 100us;
constexpr GuestTime kStep = 50us;
constexpr GuestTime kLongestSeek = 4ms;

/// Recalibrate gives up after so many steps (datasheet, Recalibrate).
constexpr unsigned kRecalibrateSteps = 79;

constexpr std::uint8_t kSeekEnd = 0x20;         ///< ST0
constexpr std::uint8_t kNoTrack0 = 0x40 | 0x10; ///< ST0: abnormal, equipment check
constexpr std::uint8_t kInvalid = 0x80;         ///< ST0
constexpr std::uint8_t kVersion = 0x90;         ///< An enhanced controller.

enum class Kind : std::uint8_t {
    ReadTrack,
    Specify,
    SenseDrive,
    Write,
    Read,
    Recalibrate,
    SenseInterrupt,
    WriteDeleted,
    ReadId,
    ReadDeleted,
    Format,
    DumpRegisters,
    Seek,
    RelativeSeek,
    Version,
    Scan,
    Perpendicular,
    Configure,
    Lock,
    Verify,
    Invalid
};

/// A command is known by the bits of its first byte under `mask`; the others are its options (MT, MFM, SK,
/// DIR, LOCK).
struct Command {
    std::uint8_t mask;
    std::uint8_t value;
    std::uint8_t size; ///< Bytes in all.
    Kind kind;
};

constexpr Command kCommands[] = {
    {0x1f, 0x06, 9, Kind::Read},           {0x3f, 0x05, 9, Kind::Write},
    {0x1f, 0x0c, 9, Kind::ReadDeleted},    {0x3f, 0x09, 9, Kind::WriteDeleted},
    {0x9f, 0x02, 9, Kind::ReadTrack},      {0x1f, 0x16, 9, Kind::Verify},
    {0x1f, 0x11, 9, Kind::Scan},           {0x1f, 0x19, 9, Kind::Scan},
    {0x1f, 0x1d, 9, Kind::Scan},           {0xbf, 0x0d, 6, Kind::Format},
    {0xbf, 0x0a, 2, Kind::ReadId},         {0xff, 0x07, 2, Kind::Recalibrate},
    {0xff, 0x08, 1, Kind::SenseInterrupt}, {0xff, 0x03, 3, Kind::Specify},
    {0xff, 0x04, 2, Kind::SenseDrive},     {0xff, 0x0f, 3, Kind::Seek},
    {0xbf, 0x8f, 3, Kind::RelativeSeek},   {0xff, 0x0e, 1, Kind::DumpRegisters},
    {0xff, 0x10, 1, Kind::Version},        {0xff, 0x12, 2, Kind::Perpendicular},
    {0xff, 0x13, 4, Kind::Configure},      {0x7f, 0x14, 1, Kind::Lock},
};

const Command& lookup(std::uint8_t first) {
    static constexpr Command kUnknown{0, 0, 1, Kind::Invalid};
    const auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                    [&](const Command& c) { return (first & c.mask) == c.value; });
    return found == std::end(kCommands) ? kUnknown : *found;
}

constexpr std::uint8_t bit(unsigned n) { return static_cast<std::uint8_t>(1u << n); }

} // namespace

std::size_t Fdc::command_size(std::uint8_t first) {
    static_assert(std::ranges::all_of(kCommands, [](const Command& c) { return c.size <= kMaxCommand; }));
    return lookup(first).size;
}

void Fdc::execute() {
    const std::uint8_t first = command_[0];
    const unsigned unit = command_[1] & 3u;
    switch (lookup(first).kind) {
    case Kind::Read:
    case Kind::ReadDeleted:
    case Kind::ReadTrack: return start_transfer(Operation::Read);
    case Kind::Write:
    case Kind::WriteDeleted: return start_transfer(Operation::Write);
    case Kind::Verify: return start_transfer(Operation::Verify);
    case Kind::Scan: return start_transfer(Operation::Scan);
    case Kind::Format: return start_transfer(Operation::Format);
    case Kind::ReadId: return start_transfer(Operation::ReadId);
    case Kind::Recalibrate: return start_seek(unit, 0, true);
    case Kind::Seek: return start_seek(unit, command_[2], false);
    case Kind::RelativeSeek: {
        const unsigned up = cylinder_[unit] + command_[2];
        const unsigned down = cylinder_[unit] - std::min<unsigned>(cylinder_[unit], command_[2]);
        return start_seek(unit, first & 0x40 ? std::min(up, 255u) : down, false);
    }
    case Kind::SenseInterrupt: return sense_interrupt();
    case Kind::SenseDrive: return to_result_phase({sense_drive()}, false);
    case Kind::Specify:
        specify_[0] = command_[1];
        specify_[1] = command_[2];
        non_dma_ = command_[2] & 1;
        return to_command_phase();
    case Kind::Configure:
        configure_ = command_[2] & 0x7f;
        precompensation_track_ = command_[3];
        return to_command_phase();
    case Kind::Perpendicular:
        // The drive bits change only if OW says so (datasheet, Perpendicular Mode).
        perpendicular_ = static_cast<std::uint8_t>(
            (command_[1] & 0x80 ? command_[1] & 0x3c : perpendicular_ & 0x3c) | (command_[1] & 3));
        return to_command_phase();
    case Kind::Lock:
        lock_ = first & 0x80;
        return to_result_phase({static_cast<std::uint8_t>(lock_ << 4)}, false);
    case Kind::Version: return to_result_phase({kVersion}, false);
    case Kind::DumpRegisters: return dump_registers();
    case Kind::Invalid: return to_result_phase({kInvalid}, false);
    }
}

/// Steps the head from where the controller believes it is; how long that takes.
GuestTime Fdc::move_head(unsigned n, unsigned target) {
    FloppyDrive& d = drive(n);
    const int steps = static_cast<int>(target) - cylinder_[n];
    d.step_to(static_cast<unsigned>(std::max(0, static_cast<int>(d.cylinder()) + steps)));
    cylinder_[n] = static_cast<std::uint8_t>(target);
    return std::min<GuestTime>(kSeekBase + kStep * std::abs(steps), kLongestSeek);
}

void Fdc::start_seek(unsigned n, unsigned target, bool recalibrate) {
    const int from = recalibrate ? static_cast<int>(drive(n).cylinder()) : cylinder_[n];
    const int steps = std::abs(static_cast<int>(target) - from);
    seeking_ |= bit(n);
    seek_ended_ = static_cast<std::uint8_t>(seek_ended_ & ~bit(n));
    recalibrating_ =
        static_cast<std::uint8_t>(recalibrate ? recalibrating_ | bit(n) : recalibrating_ & ~bit(n));
    seek_target_[n] = static_cast<std::uint8_t>(target);
    seek_due_[n] = after(std::min<GuestTime>(kSeekBase + kStep * steps, kLongestSeek));
    to_command_phase(); // the next command may come while the head moves
}

void Fdc::finish_seek(unsigned n) {
    seeking_ = static_cast<std::uint8_t>(seeking_ & ~bit(n));
    auto status = static_cast<std::uint8_t>(kSeekEnd | n);
    FloppyDrive& d = drive(n);
    if (recalibrating_ & bit(n)) {
        d.step_to(d.cylinder() - std::min(d.cylinder(), kRecalibrateSteps));
        cylinder_[n] = 0;
        if (!d.at_track0()) status |= kNoTrack0;
    } else {
        (void)move_head(n, seek_target_[n]);
    }
    seek_status_[n] = status;
    seek_ended_ |= bit(n);
    reset_senses_ = 0;
    sense_irq_ = true;
    update_irq();
}

void Fdc::sense_interrupt() {
    sense_irq_ = false;
    if (reset_senses_) {
        const unsigned n = kAddressable - reset_senses_--;
        return to_result_phase({static_cast<std::uint8_t>(0xc0 | n), cylinder_[n]}, false);
    }
    for (unsigned n = 0; n < kAddressable; n++) {
        if (!(seek_ended_ & bit(n))) continue;
        seek_ended_ = static_cast<std::uint8_t>(seek_ended_ & ~bit(n));
        return to_result_phase({seek_status_[n], cylinder_[n]}, false);
    }
    to_result_phase({kInvalid}, false);
}

std::uint8_t Fdc::sense_drive() const {
    const std::uint8_t selector = command_[1] & 7; // head and drive come back as they were given
    const FloppyDrive& d = drive(selector & 3);
    return static_cast<std::uint8_t>(0x28 | d.write_protected() << 6 | d.at_track0() << 4 | selector);
}

void Fdc::dump_registers() {
    to_result_phase({cylinder_[0], cylinder_[1], cylinder_[2], cylinder_[3], specify_[0], specify_[1],
                     last_eot_, static_cast<std::uint8_t>(lock_ << 7 | perpendicular_), configure_,
                     precompensation_track_},
                    false);
}

} // namespace btvm
