// The packets that a CD-ROM drive understands (SCSI MMC-2 and SPC-2).
#include <algorithm>
#include <string_view>

#include "userland/devices/atapi_cdrom.hh"

namespace btvm {

namespace {

enum Operation : std::uint8_t {
    kTestUnitReady = 0x00,
    kRequestSense = 0x03,
    kInquiry = 0x12,
    kStartStop = 0x1b,
    kPreventRemoval = 0x1e,
    kReadCapacity = 0x25,
    kRead10 = 0x28,
    kSeek = 0x2b,
    kReadToc = 0x43,
    kGetConfiguration = 0x46,
    kGetEvent = 0x4a,
    kReadDiscInformation = 0x51,
    kModeSense10 = 0x5a,
    kRead12 = 0xa8,
    kSetSpeed = 0xbb,
    kMechanismStatus = 0xbd,
    kReadCd = 0xbe,
};

constexpr std::uint8_t kNoSense = 0x0, kNotReady = 0x2, kIllegalRequest = 0x5, kUnitAttention = 0x6;
constexpr std::uint8_t kCodeBadOperation = 0x20, kCodeOutOfRange = 0x21, kCodeBadField = 0x24,
                       kCodeMediumChanged = 0x28, kCodeSavingUnsupported = 0x39, kCodeNoMedium = 0x3a,
                       kCodeRemovalPrevented = 0x53;

constexpr std::uint8_t kLeadOut = 0xaa;
constexpr std::uint8_t kDataTrack = 0x14; ///< ADR 1, a data track.

void append16(std::vector<std::uint8_t>& to, std::uint32_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8));
    to.push_back(static_cast<std::uint8_t>(value));
}

void append32(std::vector<std::uint8_t>& to, std::uint32_t value) {
    append16(to, value >> 16);
    append16(to, value & 0xffff);
}

void append_text(std::vector<std::uint8_t>& to, std::string_view text, std::size_t width) {
    for (std::size_t i = 0; i < width; i++)
        to.push_back(static_cast<std::uint8_t>(i < text.size() ? text[i] : ' '));
}

/// An address as the table of contents wants it: plain, or as minute, second and frame.
void append_address(std::vector<std::uint8_t>& to, std::uint32_t sector, bool as_time) {
    if (!as_time) return append32(to, sector);
    const std::uint32_t frames = sector + 150; // two seconds of lead-in
    to.push_back(0);
    to.push_back(static_cast<std::uint8_t>(frames / 75 / 60));
    to.push_back(static_cast<std::uint8_t>(frames / 75 % 60));
    to.push_back(static_cast<std::uint8_t>(frames % 75));
}

/// Fills in the length that a reply begins with: of what follows it.
void put_length16(std::vector<std::uint8_t>& reply) {
    const std::size_t length = reply.size() - 2;
    reply[0] = static_cast<std::uint8_t>(length >> 8);
    reply[1] = static_cast<std::uint8_t>(length);
}

bool needs_medium(std::uint8_t operation) {
    switch (operation) {
    case kTestUnitReady:
    case kReadCapacity:
    case kRead10:
    case kRead12:
    case kReadCd:
    case kSeek:
    case kReadToc:
    case kReadDiscInformation: return true;
    default: return false;
    }
}

/// What is answered even before the guest has been told of another medium (SPC-2, 5.8).
bool ignores_attention(std::uint8_t operation) {
    return operation == kInquiry || operation == kRequestSense || operation == kGetConfiguration ||
           operation == kGetEvent;
}

} // namespace

std::uint32_t AtapiCdrom::packet16(unsigned at) const {
    return std::uint32_t{packet_[at]} << 8 | packet_[at + 1];
}
std::uint32_t AtapiCdrom::packet32(unsigned at) const { return packet16(at) << 16 | packet16(at + 2); }

std::uint32_t AtapiCdrom::capacity() const {
    return image_ ? static_cast<std::uint32_t>(std::min<std::uint64_t>(image_->sectors(), 0xffffffff)) : 0;
}

bool AtapiCdrom::ready_for(std::uint8_t operation) {
    if (medium_changed_ && !ignores_attention(operation)) {
        medium_changed_ = false;
        check_condition({kUnitAttention, kCodeMediumChanged, 0});
        return false;
    }
    if (needs_medium(operation) && (!image_ || tray_open_)) {
        // The qualifier tells whether the tray is closed or open.
        check_condition({kNotReady, kCodeNoMedium, static_cast<std::uint8_t>(tray_open_ ? 2 : 1)});
        return false;
    }
    return true;
}

void AtapiCdrom::execute_packet() {
    const std::uint8_t operation = packet_[0];
    if (!ready_for(operation)) return;
    if (operation != kRequestSense) sense_ = {};
    switch (operation) {
    case kTestUnitReady:
    case kSetSpeed: return finish();
    case kRequestSense: return request_sense();
    case kInquiry: return inquiry();
    case kStartStop: return start_stop();
    case kPreventRemoval: locked_ = packet_[4] & 1; return finish();
    case kReadCapacity: return read_capacity();
    case kRead10: return read(packet32(2), packet16(7));
    case kRead12: return read(packet32(2), packet32(6));
    case kReadCd: return read_cd();
    case kSeek:
        if (packet32(2) >= capacity()) return check_condition({kIllegalRequest, kCodeOutOfRange, 0});
        return finish();
    case kReadToc: return read_toc();
    case kGetConfiguration: return get_configuration();
    case kGetEvent: return get_event();
    case kModeSense10: return mode_sense();
    case kReadDiscInformation: return disc_information();
    case kMechanismStatus: return mechanism_status();
    default: return check_condition({kIllegalRequest, kCodeBadOperation, 0});
    }
}

void AtapiCdrom::read(std::uint32_t first, std::uint32_t count) {
    if (first > capacity() || count > capacity() - first)
        return check_condition({kIllegalRequest, kCodeOutOfRange, 0});
    send_sectors(first, count);
}

/// Of what a raw sector has there is only the user data.
void AtapiCdrom::read_cd() {
    constexpr std::uint8_t kUserData = 0x10, kAll = 0xf8;
    const std::uint32_t count = std::uint32_t{packet_[6]} << 16 | packet16(7);
    if (count == 0 || (packet_[9] & kAll) == 0) return finish();
    if ((packet_[9] & kAll) != kUserData) return check_condition({kIllegalRequest, kCodeBadField, 0});
    read(packet32(2), count);
}

void AtapiCdrom::request_sense() {
    std::vector<std::uint8_t> reply(18, 0);
    reply[0] = 0xf0; // a current error, the fields are valid
    reply[2] = sense_.key;
    reply[7] = 10; // bytes that follow
    reply[12] = sense_.code;
    reply[13] = sense_.qualifier;
    sense_ = {kNoSense, 0, 0};
    send_reply(std::move(reply), packet_[4]);
}

void AtapiCdrom::inquiry() {
    if (packet_[1] & 1) return check_condition({kIllegalRequest, kCodeBadField, 0}); // vital product data
    // A CD-ROM drive, removable; response format 1 of ATAPI; 31 bytes follow the fifth.
    std::vector<std::uint8_t> reply{0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0};
    append_text(reply, "QEMU", 8);
    append_text(reply, "QEMU DVD-ROM", 16);
    append_text(reply, "2.5+", 4);
    send_reply(std::move(reply), packet16(3));
}

void AtapiCdrom::start_stop() {
    const bool load_eject = packet_[4] & 2;
    const bool start = packet_[4] & 1;
    if (load_eject && !start && locked_)
        return check_condition({image_ ? kIllegalRequest : kNotReady, kCodeRemovalPrevented, 2});
    if (load_eject) {
        // An ejected disc lies in the open tray until the guest closes it or somebody changes it.
        if (tray_open_ && start && image_) {
            medium_changed_ = true;
            media_event_ = 2;
        }
        if (!start) eject_requested_ = false;
        tray_open_ = !start;
    }
    finish();
}

void AtapiCdrom::read_capacity() {
    std::vector<std::uint8_t> reply;
    append32(reply, capacity() - 1);
    append32(reply, kCdSectorSize);
    send_reply(std::move(reply), 8);
}

/// One session with one data track. Formats 0 (tracks), 1 (sessions) and 2 (the lead-in's own entries).
void AtapiCdrom::read_toc() {
    const bool as_time = packet_[1] & 2;
    const std::uint8_t start = packet_[6];
    // Newer software puts the format into byte 2, older into byte 9.
    const unsigned format = packet_[2] & 0xf ? packet_[2] & 0xf : packet_[9] >> 6;
    std::vector<std::uint8_t> reply{0, 0, 1, 1}; // first and last track or session
    if (format == 0) {
        if (start > 1 && start != kLeadOut) return check_condition({kIllegalRequest, kCodeBadField, 0});
        if (start <= 1) {
            reply.insert(reply.end(), {0, kDataTrack, 1, 0});
            append_address(reply, 0, as_time);
        }
        reply.insert(reply.end(), {0, kDataTrack, kLeadOut, 0});
        append_address(reply, capacity(), as_time);
    } else if (format == 1) {
        reply.insert(reply.end(), {0, kDataTrack, 1, 0});
        append_address(reply, 0, as_time);
    } else if (format == 2) {
        // Points A0h and A1h name the first and the last track, A2h the lead-out, 1 the track.
        reply.insert(reply.end(), {1, kDataTrack, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0});
        reply.insert(reply.end(), {1, kDataTrack, 0, 0xa1, 0, 0, 0, 0, 1, 0, 0});
        for (const auto& [point, sector] : {std::pair{0xa2u, capacity()}, std::pair{1u, 0u}}) {
            reply.insert(reply.end(), {1, kDataTrack, 0, static_cast<std::uint8_t>(point), 0, 0, 0});
            append_address(reply, sector, as_time);
        }
    } else {
        return check_condition({kIllegalRequest, kCodeBadField, 0});
    }
    put_length16(reply);
    send_reply(std::move(reply), packet16(7));
}

/// The profile CD-ROM, with the core and the removable medium features.
void AtapiCdrom::get_configuration() {
    constexpr std::uint16_t kProfileCdRom = 0x0008;
    std::vector<std::uint8_t> reply{0, 0, 0, 0, 0, 0};
    append16(reply, image_ && !tray_open_ ? kProfileCdRom : 0);
    append16(reply, 0x0000); // profile list
    reply.insert(reply.end(), {0x03, 4});
    append16(reply, kProfileCdRom);
    reply.insert(reply.end(), {static_cast<std::uint8_t>(image_ && !tray_open_ ? 1 : 0), 0});
    append16(reply, 0x0001); // core
    reply.insert(reply.end(), {0x0b, 8, 0, 0, 0, 2 /* ATAPI */, 1, 0, 0, 0});
    append16(reply, 0x0003); // removable medium: a tray, can be locked and ejected
    reply.insert(reply.end(), {0x03, 4, 0x29, 0, 0, 0});
    const std::size_t length = reply.size() - 4;
    reply[2] = static_cast<std::uint8_t>(length >> 8);
    reply[3] = static_cast<std::uint8_t>(length);
    send_reply(std::move(reply), packet16(7));
}

void AtapiCdrom::get_event() {
    constexpr std::uint8_t kMediaClass = 4, kMediaBit = 1 << kMediaClass;
    if (!(packet_[1] & 1)) return check_condition({kIllegalRequest, kCodeBadField, 0}); // asynchronous
    std::vector<std::uint8_t> reply{0, 0, 0x80, kMediaBit}; // bit 7: no class that was asked for
    if (packet_[4] & kMediaBit) {
        reply[2] = kMediaClass;
        std::uint8_t event = media_event_;
        if (event == 0 && eject_requested_) {
            event = 1;
            eject_requested_ = false;
        }
        media_event_ = 0;
        reply.insert(reply.end(),
                     {event, static_cast<std::uint8_t>((tray_open_ ? 1 : 0) | (image_ ? 2 : 0)), 0, 0});
    }
    put_length16(reply);
    send_reply(std::move(reply), packet16(7));
}

/// Pages 01h (error recovery), 0Eh (audio control) and 2Ah (capabilities), or all of them.
void AtapiCdrom::mode_sense() {
    constexpr std::uint8_t kErrorRecovery = 0x01, kAudio = 0x0e, kCapabilities = 0x2a, kAllPages = 0x3f;
    const unsigned control = packet_[2] >> 6;
    const std::uint8_t page = packet_[2] & 0x3f;
    if (control == 3) return check_condition({kIllegalRequest, kCodeSavingUnsupported, 0});
    // The medium type: 120 mm data disc, none, or the tray is open.
    const std::uint8_t type = tray_open_ ? 0x71 : image_ ? 0x01 : 0x70;
    std::vector<std::uint8_t> reply{0, 0, type, 0, 0, 0, 0, 0};
    const auto add = [&](std::uint8_t code, std::initializer_list<std::uint8_t> body) {
        if (page != code && page != kAllPages) return;
        reply.push_back(code);
        reply.push_back(static_cast<std::uint8_t>(body.size()));
        for (const std::uint8_t byte : body)
            reply.push_back(control == 1 ? 0 : byte); // 1: which values can be changed: none
    };
    add(kErrorRecovery, {0x00, 5, 0, 0, 0, 0});
    add(kAudio, {0x04, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff, 0, 0, 0, 0});
    // Reads CD-R; multi-session; can be locked, is or is not, ejects, has a tray; 4x speed (706 KB/s), 512 KB
    // buffer.
    add(kCapabilities, {0x01, 0x00, 0x70, 0x60, static_cast<std::uint8_t>(0x29 | (locked_ ? 2 : 0)), 0x00,
                        0x02, 0xc2, 0x00, 0x02, 0x02, 0x00, 0x02, 0xc2, 0x00, 0x00, 0x00, 0x00});
    if (reply.size() == 8) return check_condition({kIllegalRequest, kCodeBadField, 0});
    put_length16(reply);
    send_reply(std::move(reply), packet16(7));
}

void AtapiCdrom::disc_information() {
    std::vector<std::uint8_t> reply(34, 0);
    reply[2] = 0x0e; // a finished disc whose last session is complete
    reply[3] = reply[4] = reply[5] = reply[6] = 1;
    reply[7] = 0x20; // unrestricted use
    put_length16(reply);
    send_reply(std::move(reply), packet16(7));
}

void AtapiCdrom::mechanism_status() {
    std::vector<std::uint8_t> reply{0, static_cast<std::uint8_t>(tray_open_ ? 0x10 : 0), 0, 0, 0, 1, 0, 0};
    send_reply(std::move(reply), packet16(8));
}

} // namespace btvm
