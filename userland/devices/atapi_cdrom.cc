#include "userland/devices/atapi_cdrom.hh"

#include <algorithm>
#include <cstring>
#include <utility>

#include "userland/devices/ata_identify.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

enum Command : std::uint8_t {
    kDeviceReset = 0x08,
    kPacket = 0xa0,
    kIdentifyPacket = 0xa1,
    kStandbyImmediate = 0xe0,
    kIdleImmediate = 0xe1,
    kStandby = 0xe2,
    kIdle = 0xe3,
    kCheckPower = 0xe5,
    kSleep = 0xe6,
    kIdentify = 0xec,
    kSetFeatures = 0xef,
};
constexpr std::uint8_t kTransferMode = 0x03;
constexpr std::uint8_t kUseDma = 0x01; ///< Features register of PACKET.

// The interrupt reason in the count register (ATA/ATAPI-6, 7.12).
constexpr std::uint8_t kCommandNotData = 0x01;
constexpr std::uint8_t kToHost = 0x02;

constexpr std::uint8_t kSignatureMid = 0x14;
constexpr std::uint8_t kSignatureHigh = 0xeb;

constexpr std::size_t kIdentitySize = 512;
constexpr std::uint32_t kMaxLimit = 0xfffe;
/// Sectors read from the image at once.
constexpr std::uint32_t kMaxLoad = kMaxLimit / kCdSectorSize;

} // namespace

AtapiCdrom::AtapiCdrom(AtaBus& bus, std::shared_ptr<DiskImage> image, unsigned number)
    : AtaDevice(bus), image_(std::move(image)), number_(number) {
    buffer_.resize(kMaxLimit);
}

std::shared_ptr<DiskImage> AtapiCdrom::open(const std::string& path) {
    return DiskImage::open(path, {.read_only = true, .sector_size = kCdSectorSize});
}

void AtapiCdrom::change(std::shared_ptr<DiskImage> image) {
    image_ = std::move(image);
    tray_open_ = false;
    eject_requested_ = false;
    medium_changed_ = image_ != nullptr;
    media_event_ = image_ ? 2 : 3;
}

void AtapiCdrom::reset_device(bool hardware) {
    packet_expected_ = identity_ = false;
    data_.clear();
    data_at_ = next_sector_ = sectors_left_ = 0;
    if (!hardware) return;
    sense_ = {};
    locked_ = false;
    transfer_mode_ = 0;
}

void AtapiCdrom::set_signature() {
    count_ = {1, 0};
    low_ = {1, 0};
    mid_ = {kSignatureMid, 0};
    high_ = {kSignatureHigh, 0};
    device_ = 0;
    status_ = 0; // not ready until it is spoken to: so that it is not taken for a disk
}

bool AtapiCdrom::interrupts_busy(std::uint8_t command) const { return command == kDeviceReset; }

// ---- ATA commands

void AtapiCdrom::execute() {
    switch (command_) {
    case kDeviceReset:
        reset_device(false);
        error_ = ata_error::kPassed;
        set_signature(); // without an interrupt (8.7)
        return;
    case kPacket: return start_packet();
    case kIdentifyPacket: return identify();
    case kIdentify: {
        // Refused, with the signature that tells software what it is talking to (8.15.5).
        const std::uint8_t selected = device_;
        set_signature();
        device_ = selected;
        return fail(ata_error::kAborted);
    }
    case kSetFeatures:
        if (features_.now != kTransferMode) return fail(ata_error::kAborted);
        transfer_mode_ = count_.now;
        return complete();
    case kCheckPower:
        count_.now = 0xff; // active
        return complete();
    case kStandbyImmediate:
    case kIdleImmediate:
    case kStandby:
    case kIdle:
    case kSleep: return complete();
    default: return fail(ata_error::kAborted);
    }
}

void AtapiCdrom::start_packet() {
    const std::uint32_t limit = mid_.now | std::uint32_t{high_.now} << 8;
    limit_ = limit == 0 ? kMaxLimit : std::max(2u, std::min(limit, kMaxLimit) & ~1u);
    packet_expected_ = true;
    count_.now = kCommandNotData;
    request(kPacketSize, false);
}

void AtapiCdrom::block_written() {
    if (!packet_expected_) return complete();
    packet_expected_ = false;
    std::copy_n(buffer_.begin(), kPacketSize, packet_.begin());
    execute_packet();
}

void AtapiCdrom::identify() {
    const std::span<std::uint8_t> out = std::span(buffer_).first(kIdentitySize);
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    const auto put = [out](unsigned word, std::uint32_t value) { put_identify_word(out, word, value); };
    // A bit for each mode, and the selected one in the high byte.
    const auto modes = [this](unsigned type, std::uint32_t all) {
        return all | (transfer_mode_ >> 3 == type ? 0x100u << (transfer_mode_ & 7) : 0);
    };
    // ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes. The texts are QEMU's, as with disks.
    put(0, 0x85c0);
    put_identify_text(out, 10, 10, "QM0000" + std::to_string(number_ + 1));
    put(20, 3);
    put(21, 512);
    put(22, 4);
    put_identify_text(out, 23, 4, "2.5+");
    put_identify_text(out, 27, 20, "QEMU DVD-ROM");
    put(48, 1);
    put(49, 1 << 11 | 1 << 9 | 1 << 8); // IORDY, LBA, DMA
    put(53, 0x0007);
    put(62, 0x07);
    put(63, modes(4, 0x07));
    put(64, 0x03);
    put(65, 180); // nanoseconds a cycle
    put(66, 180);
    put(67, 300);
    put(68, 180);
    put(71, 30); // nanoseconds to release the bus
    put(72, 30);
    put(80, 0x001e); // ATA-1 to ATA-4
    put(88, modes(8, 0x3f));
    identity_ = true;
    offer(kIdentitySize);
}

// ---- the end of a packet command

void AtapiCdrom::finish() {
    count_.now = kCommandNotData | kToHost;
    complete();
}

void AtapiCdrom::check_condition(Sense sense) {
    sense_ = sense;
    data_.clear();
    data_at_ = sectors_left_ = 0;
    count_.now = kCommandNotData | kToHost;
    fail(static_cast<std::uint8_t>(sense.key << 4 | ata_error::kAborted));
}

// ---- data to the guest

/// Sends as much of `reply` as the guest has allocated.
void AtapiCdrom::send_reply(std::vector<std::uint8_t> reply, std::size_t allocation) {
    reply.resize(std::min(reply.size(), allocation));
    data_ = std::move(reply);
    data_at_ = 0;
    sectors_left_ = 0;
    start_sending();
}

void AtapiCdrom::send_sectors(std::uint32_t first, std::uint32_t count) {
    data_.clear();
    data_at_ = 0;
    next_sector_ = first;
    sectors_left_ = count;
    start_sending();
}

void AtapiCdrom::start_sending() {
    const std::uint64_t bytes = data_.size() + std::uint64_t{sectors_left_} * kCdSectorSize;
    if (bytes == 0) return finish();
    if (features_.now & kUseDma) {
        count_.now = kToHost;
        start_dma(true, bytes);
    } else {
        offer_chunk();
    }
}

/// Reads whole sectors, as many as fit into a block where one does. False after check_condition().
bool AtapiCdrom::load_sectors() {
    const std::uint32_t most = std::clamp(limit_ / static_cast<std::uint32_t>(kCdSectorSize), 1u, kMaxLoad);
    const std::uint32_t count = std::min(sectors_left_, most);
    data_.resize(std::size_t{count} * kCdSectorSize);
    data_at_ = 0;
    return dma_fill(data_);
}

void AtapiCdrom::offer_chunk() {
    if (data_at_ == data_.size() && sectors_left_ && !load_sectors()) return;
    const auto bytes = std::min(std::max(limit_, 2u), static_cast<std::uint32_t>(data_.size()) - data_at_);
    // An odd end is filled up: the data register has 16 bits. The count stays odd.
    std::copy_n(data_.begin() + data_at_, bytes, buffer_.begin());
    data_at_ += bytes;
    mid_.now = static_cast<std::uint8_t>(bytes);
    high_.now = static_cast<std::uint8_t>(bytes >> 8);
    count_.now = kToHost;
    offer((bytes + 1) & ~1u);
}

void AtapiCdrom::block_read() {
    if (std::exchange(identity_, false)) return complete(false);
    if (data_at_ == data_.size() && sectors_left_ == 0) {
        data_.clear();
        data_at_ = 0;
        return finish();
    }
    offer_chunk();
}

/// The next bytes of the reply, or the next sectors: `out` is whole sectors then.
bool AtapiCdrom::dma_fill(std::span<std::uint8_t> out) {
    if (sectors_left_ == 0) {
        const std::size_t bytes = std::min(out.size(), data_.size() - data_at_);
        std::copy_n(data_.begin() + data_at_, bytes, out.begin());
        data_at_ += static_cast<std::uint32_t>(bytes);
        return true;
    }
    const auto count = static_cast<std::uint32_t>(out.size() / kCdSectorSize);
    try {
        if (!image_) throw DiskError("the disc was taken out");
        image_->read(next_sector_, out);
    } catch (const DiskError& error) {
        if (image_) bus_.report(error.what());
        check_condition(image_ ? Sense{0x03, 0x11, 0x00} : Sense{0x02, 0x3a, 0x00});
        return false;
    }
    next_sector_ += count;
    sectors_left_ -= std::min(sectors_left_, count);
    sectors_read_ += count;
    return true;
}

// ---- state

void AtapiCdrom::Sense::describe(StateArchive& a) {
    a.field("key", key, {.below = 16});
    a.field("code", code);
    a.field("qualifier", qualifier);
}

void AtapiCdrom::describe(StateArchive& a) {
    AtaDevice::describe(a);
    // Version 1 had it, though a packet is carried out as soon as it is complete.
    std::array<std::uint8_t, kPacketSize> packet{};
    a.field("packet", packet, {.present = a.version() < 2});
    a.field("packet_expected", packet_expected_);
    a.field("identity", identity_);
    a.field("sense", sense_);
    a.field("media_event", media_event_, {.below = 4});
    a.field("medium_changed", medium_changed_);
    a.field("eject_requested", eject_requested_);
    a.field("locked", locked_);
    a.field("tray_open", tray_open_);
    a.field("transfer_mode", transfer_mode_);
    a.field("limit", limit_, {.below = kMaxLimit + 1});
    a.field("data", data_, {.max_count = kChunk});
    a.field("data_at", data_at_, {.below = kChunk + 1});
    a.field("next_sector", next_sector_);
    a.field("sectors_left", sectors_left_);
    a.field("sectors_read", sectors_read_);
    bool present = image_ != nullptr;
    a.field("present", present);
    a.check(present == (image_ != nullptr), "a disc was in the drive, or is now");
    if (image_) a.field("image", *image_);
    // Version 1 left it where the data of an earlier command had ended.
    if (a.loading() && a.version() < 2 && data_.empty()) data_at_ = 0;
    a.check(data_at_ <= data_.size(), "data_at: beyond the data");
    if (a.loading() && buffer_.size() < kMaxLimit) buffer_.resize(kMaxLimit);
}

} // namespace btvm
