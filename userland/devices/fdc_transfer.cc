// Commands that touch the medium: sectors found, moved through the buffer by DMA or by the processor,
// compared, written.
//
// A transfer advances in steps, each at transfer_due_: find the sector; move its bytes; go on to the next or
// finish. It stands still with transfer_due_ empty while the medium does not turn, and while the processor is
// asked for bytes.
#include <algorithm>

#include "userland/devices/fdc.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr GuestTime kSectorTime = 100us;
/// How long data waits for the DMA controller before it is an overrun. Real sectors come round with a delay
/// of up to a turn, 200 ms; software that unmasks its channel after the command relies on that.
constexpr GuestTime kDmaPatience = 200ms;

// Status registers (datasheet, "Status Register Encoding").
constexpr std::uint8_t kNormal = 0, kAbnormal = 1; ///< ST0 interrupt code
constexpr std::uint8_t kSt0SeekEnd = 0x20;
constexpr std::uint8_t kSt0EquipmentCheck = 0x10;
constexpr std::uint8_t kSt1EndOfCylinder = 0x80;
constexpr std::uint8_t kSt1DataError = 0x20;
constexpr std::uint8_t kSt1Overrun = 0x10;
constexpr std::uint8_t kSt1NoData = 0x04;
constexpr std::uint8_t kSt1NotWritable = 0x02;
constexpr std::uint8_t kSt1MissingMark = 0x01;
constexpr std::uint8_t kSt2ControlMark = 0x40;
constexpr std::uint8_t kSt2DataError = 0x20;
constexpr std::uint8_t kSt2WrongCylinder = 0x10;
constexpr std::uint8_t kSt2ScanEqual = 0x08;
constexpr std::uint8_t kSt2ScanNotSatisfied = 0x04;
constexpr std::uint8_t kSt2BadCylinder = 0x02;

constexpr std::uint8_t kSize512 = 2;        ///< N of 512-byte sectors
constexpr std::uint16_t kFormatBytes = 4;   ///< C, H, R, N of each sector
constexpr std::uint8_t kImpliedSeek = 0x40; ///< Configure
constexpr std::uint8_t kFifoOff = 0x20;     ///< Configure
constexpr std::uint8_t kDorDmaGate = 0x08;

/// How medium and memory compare in a scan; the first bytes that differ decide.
enum ScanOrder : std::uint8_t { Same, Below, Above };

} // namespace

void Fdc::start_transfer(Operation operation) {
    const auto& c = command_;
    Transfer t;
    t.operation = operation;
    t.drive = c[1] & 3;
    t.head = (c[1] >> 2) & 1;
    t.mfm = c[0] & 0x40;
    t.size = kFloppySectorSize;
    if (operation == Operation::Format) {
        t.n = c[2];
        t.left = c[3];
        t.fill = c[5];
        t.size = kFormatBytes;
    } else if (operation != Operation::ReadId) {
        t.c = c[2];
        t.h = c[3];
        t.r = c[4];
        t.n = c[5];
        t.eot = last_eot_ = c[6];
        t.whole_track = (c[0] & 0x1f) == 0x02;
        t.multi_track = (c[0] & 0x80) && !t.whole_track;
        t.skip = c[0] & 0x20;
        t.deleted = (c[0] & 0x1f) == 0x0c || (c[0] & 0x1f) == 0x09;
        if (operation == Operation::Scan && c[8] == 2) t.step = 2;
        if (operation == Operation::Verify && (c[1] & 0x80)) t.left = c[8] ? c[8] : 256;
        if (t.whole_track) {
            t.r = 1;
            t.left = t.eot;
        }
    }
    transfer_ = t;
    buffer_.fill(0); // what an earlier command left there is not saved
    phase_ = Phase::Execution;
    GuestTime delay = kSectorTime;
    const bool has_address = operation != Operation::Format && operation != Operation::ReadId;
    if ((configure_ & kImpliedSeek) && has_address) {
        if (cylinder_[t.drive] != t.c) delay += move_head(t.drive, t.c);
        transfer_.seek_done = true;
    }
    transfer_due_ = after(delay);
}

/// The medium may turn again: an interrupted transfer goes on.
void Fdc::resume_transfer() {
    const bool stalled = phase_ == Phase::Execution && !transfer_due_ && !asking();
    if (stalled && spinning(transfer_.drive)) transfer_due_ = after(kSectorTime);
}

void Fdc::step_transfer() {
    stepped_at_ = *transfer_due_;
    transfer_due_.reset();
    if (!spinning(transfer_.drive)) return;
    Transfer& t = transfer_;
    if (t.sector_ready && t.at == t.size) return buffer_done(); // the processor moved the last byte
    if (!t.sector_ready) {
        if (!begin_sector()) return;
        t.sector_ready = true;
        t.at = 0;
        t.scan_order = Same;
    }
    if (non_dma_)
        ask_processor();
    else
        move_by_dma();
}

/// Gets ready for the next sector. False if the step ends here.
bool Fdc::begin_sector() {
    std::uint32_t place = 0;
    const bool writes = transfer_.operation == Operation::Write || transfer_.operation == Operation::Format;
    if (writes && drive(transfer_.drive).write_protected()) {
        fail(kSt1NotWritable);
        return false;
    }
    switch (transfer_.operation) {
    case Operation::Read:
    case Operation::Scan: return load_sector();
    case Operation::Write: return find_sector(place);
    case Operation::Format: return check_format();
    case Operation::Verify:
        if (load_sector()) next_sector();
        return false;
    case Operation::ReadId: read_id(); return false;
    case Operation::None: break;
    }
    return false;
}

/// Looks for the wanted sector's ID on the track under the head. On failure the command has ended.
bool Fdc::find_sector(std::uint32_t& place) {
    Transfer& t = transfer_;
    const FloppyDrive& d = drive(t.drive);
    if (!t.mfm || !d.formatted(t.head, rate(d))) {
        fail(kSt1MissingMark);
        return false;
    }
    const bool same_id = t.c == d.track() && t.h == t.head && t.n == kSize512;
    const auto found = d.medium()->locate(d.track(), t.head, t.r);
    if (t.whole_track) { // sectors as they come; an ID that differs is noted and no more
        if (!same_id) t.status1 |= kSt1NoData;
        if (!found) fail(kSt1MissingMark);
    } else if (!found || !same_id) {
        const std::uint8_t cylinder = t.c == d.track() ? 0
                                      : t.c == 0xff    ? kSt2WrongCylinder | kSt2BadCylinder
                                                       : kSt2WrongCylinder;
        fail(kSt1NoData, cylinder);
        return false;
    }
    if (!found) return false;
    place = *found;
    return true;
}

/// Finds and reads a sector. False if the command has ended or the sector is skipped.
bool Fdc::load_sector() {
    Transfer& t = transfer_;
    std::uint32_t place = 0;
    if (!find_sector(place)) return false;
    FloppyImage& medium = *drive(t.drive).medium();
    if (!t.whole_track && medium.deleted_mark(place) != t.deleted) {
        t.status2 |= kSt2ControlMark;
        if (t.skip) {
            next_sector();
            return false;
        }
    }
    try {
        medium.read(place, buffer_);
    } catch (const FloppyError& e) {
        say(e.what());
        fail(kSt1DataError, kSt2DataError);
        return false;
    }
    if (t.drive < kDrives) reads_[t.drive]++;
    return true;
}

bool Fdc::write_place(std::uint32_t place, bool deleted) {
    FloppyImage& medium = *drive(transfer_.drive).medium();
    try {
        medium.write(place, buffer_);
    } catch (const FloppyError& e) {
        say(e.what());
        finish_transfer(kAbnormal, kSt0EquipmentCheck); // "write fault"
        return false;
    }
    medium.set_deleted_mark(place, deleted);
    if (transfer_.drive < kDrives) writes_[transfer_.drive]++;
    return true;
}

bool Fdc::store_sector() {
    std::uint32_t place = 0;
    return find_sector(place) && write_place(place, transfer_.deleted);
}

/// A raw image holds one layout only: the one its size stands for.
bool Fdc::check_format() {
    const Transfer& t = transfer_;
    const FloppyDrive& d = drive(t.drive);
    const bool fits = t.mfm && d.formatted(t.head, rate(d)) && t.n == kSize512 &&
                      command_[3] == d.medium()->geometry().sectors;
    if (fits) return true;
    say(d.medium()->path() + ": cannot be formatted with " + std::to_string(command_[3]) +
        " sectors a track of size " + std::to_string(t.n) +
        " at this data rate: the image has room for its own format only");
    finish_transfer(kAbnormal, kSt0EquipmentCheck);
    return false;
}

bool Fdc::format_sector() {
    Transfer& t = transfer_;
    t.c = buffer_[0];
    t.h = buffer_[1];
    t.r = buffer_[2];
    t.n = buffer_[3];
    const FloppyDrive& d = drive(t.drive);
    const auto place = d.medium()->locate(d.track(), t.head, t.r);
    if (!place || t.c != d.track() || t.h != t.head || t.n != kSize512) {
        say(d.medium()->path() + ": cannot hold a sector with another address than its place");
        finish_transfer(kAbnormal, kSt0EquipmentCheck);
        return false;
    }
    buffer_.fill(t.fill);
    return write_place(*place, false);
}

void Fdc::read_id() {
    Transfer& t = transfer_;
    const FloppyDrive& d = drive(t.drive);
    if (!t.mfm || !d.formatted(t.head, rate(d))) return fail(kSt1MissingMark);
    t.c = static_cast<std::uint8_t>(d.track());
    t.h = t.head;
    t.r = static_cast<std::uint8_t>(id_position_ % d.medium()->geometry().sectors + 1);
    t.n = kSize512;
    id_position_ = t.r; // the medium turns: the next one is another
    finish_transfer(kNormal);
}

/// FFh on either side matches anything (datasheet, Scan Commands).
void Fdc::compare(std::uint8_t medium, std::uint8_t memory) {
    if (transfer_.scan_order != Same || medium == memory || medium == 0xff || memory == 0xff) return;
    transfer_.scan_order = medium < memory ? Below : Above;
}

bool Fdc::scan_met() {
    const auto order = static_cast<ScanOrder>(transfer_.scan_order);
    const std::uint8_t command = command_[0] & 0x1f; // 11h equal, 19h low or equal, 1Dh high or equal
    const bool met =
        order == Same || (command == 0x19 && order == Below) || (command == 0x1d && order == Above);
    transfer_.status2 &= static_cast<std::uint8_t>(~(kSt2ScanNotSatisfied | kSt2ScanEqual));
    transfer_.status2 |= !met ? kSt2ScanNotSatisfied : order == Same ? kSt2ScanEqual : 0;
    return met;
}

void Fdc::move_by_dma() {
    Transfer& t = transfer_;
    const GuestTime now = platform_.now();
    if (!dma_.ready(kDmaChannel) || !(dor_ & kDorDmaGate)) {
        if (!t.waiting) t.waiting_since = now;
        t.waiting = true;
        dma_.set_request(kDmaChannel, true);
        if (now - t.waiting_since >= kDmaPatience) return fail(kSt1Overrun);
        transfer_due_ = after(kSectorTime);
        return;
    }
    t.waiting = false;
    dma_.set_request(kDmaChannel, false);
    Dma::Transfer moved{};
    const auto bytes = std::span(buffer_).first(t.size);
    if (t.operation == Operation::Read) {
        moved = dma_.to_memory(kDmaChannel, bytes);
    } else if (t.operation == Operation::Scan) {
        FloppyImage::Sector memory{};
        moved = dma_.from_memory(kDmaChannel, memory);
        for (std::size_t i = 0; i < moved.bytes; i++)
            compare(buffer_[i], memory[i]);
    } else {
        moved = dma_.from_memory(kDmaChannel, bytes);
        // The count ran out within the sector: the rest is written as zeros (datasheet, Write Data).
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(moved.bytes), bytes.end(), 0);
    }
    t.terminal_count = moved.terminal_count;
    buffer_done();
}

/// Non-DMA: an interrupt for each burst, which is a byte with the FIFO off and FIFOTHR + 1 bytes with it on.
void Fdc::ask_processor() {
    Transfer& t = transfer_;
    const unsigned threshold = configure_ & kFifoOff ? 1u : (configure_ & 15u) + 1;
    t.burst = static_cast<std::uint8_t>(std::min<unsigned>(threshold, t.size - t.at));
    data_irq_ = true;
    update_irq();
}

std::uint8_t Fdc::fifo_to_processor() {
    const std::uint8_t value = buffer_.at(transfer_.at++);
    fifo_moved();
    return value;
}

void Fdc::fifo_from_processor(std::uint8_t value) {
    const std::uint16_t at = transfer_.at++;
    if (transfer_.operation == Operation::Scan)
        compare(buffer_.at(at), value);
    else
        buffer_.at(at) = value;
    fifo_moved();
}

void Fdc::fifo_moved() {
    Transfer& t = transfer_;
    if (--t.burst) return;
    data_irq_ = false;
    update_irq();
    if (t.at < t.size)
        ask_processor();
    else
        transfer_due_ = after(kSectorTime);
}

/// The bytes of a sector have been moved.
void Fdc::buffer_done() {
    Transfer& t = transfer_;
    t.sector_ready = false;
    switch (t.operation) {
    case Operation::Write:
        if (!store_sector()) return;
        break;
    case Operation::Format:
        if (!format_sector()) return;
        if (--t.left == 0 || t.terminal_count) return finish_transfer(kNormal);
        transfer_due_ = stepped_at_ + kSectorTime;
        return;
    case Operation::Scan:
        if (scan_met()) return finish_transfer(kNormal);
        break;
    default: break;
    }
    next_sector();
}

void Fdc::next_sector() {
    Transfer& t = transfer_;
    // The wrong kind of data mark ends the command after that sector, and the address stays there.
    if ((t.status2 & kSt2ControlMark) && !t.skip) return finish_transfer(kNormal);
    const bool counted = t.left != 0;
    const bool last = counted && --t.left == 0;
    const bool cylinder_ends = advance_address() && !t.whole_track;
    if (t.terminal_count || (last && !t.whole_track)) return finish_transfer(kNormal);
    if (!last && !cylinder_ends) {
        transfer_due_ = stepped_at_ + kSectorTime;
        return;
    }
    const bool plain_verify = t.operation == Operation::Verify && !counted;
    if (plain_verify || t.operation == Operation::Scan) return finish_transfer(kNormal);
    t.status1 |= kSt1EndOfCylinder; // nobody said that it was enough
    finish_transfer(kAbnormal);
}

/// Advances C, H and R past a sector (datasheet, "Result Phase Table"). True if the cylinder ends here.
bool Fdc::advance_address() {
    Transfer& t = transfer_;
    const bool at_end = t.r == t.eot || (t.step == 2 && t.r + 1 == t.eot);
    if (!at_end) {
        t.r = static_cast<std::uint8_t>(t.r + t.step);
        return false;
    }
    t.r = 1;
    if (t.multi_track) t.h ^= 1;
    if (t.multi_track && t.head == 0) {
        t.head = 1;
        return false;
    }
    t.c++;
    return true;
}

void Fdc::fail(std::uint8_t status1, std::uint8_t status2) {
    transfer_.status1 |= status1;
    transfer_.status2 |= status2;
    finish_transfer(kAbnormal);
}

void Fdc::finish_transfer(std::uint8_t interrupt_code, std::uint8_t extra) {
    const Transfer t = transfer_;
    transfer_ = Transfer{};
    transfer_due_.reset();
    data_irq_ = false;
    dma_.set_request(kDmaChannel, false);
    const auto status0 = static_cast<std::uint8_t>(interrupt_code << 6 | (t.seek_done ? kSt0SeekEnd : 0) |
                                                   extra | t.head << 2 | t.drive);
    to_result_phase({status0, t.status1, t.status2, t.c, t.h, t.r, t.n}, true);
}

} // namespace btvm
