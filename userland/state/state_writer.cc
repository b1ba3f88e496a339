#include "userland/state/state_writer.hh"

#include <sys/random.h>

#include "userland/state/checksum.hh"
#include "userland/state/compression.hh"
#include "userland/state/little_endian.hh"

namespace btvm {

using namespace state_format;

namespace {

/// Smaller than this is not worth a frame of its own.
constexpr std::size_t kWorthCompressing = 256;

} // namespace

std::string state_format::type_name(Type type) {
    switch (type) {
    case Type::Fields: return "fields";
    case Type::Pages: return "pages";
    case Type::Text: return "text";
    case Type::Bytes: return "bytes";
    }
    return "type " + std::to_string(static_cast<unsigned>(type));
}

StateWriter::StateWriter(std::string path) : file_(std::move(path)) {
    // Without randomness the identity is only worth less: nothing else depends on it.
    (void)!::getrandom(id_.data(), id_.size(), GRND_NONBLOCK);
    std::vector<std::uint8_t> header(kMagic.begin(), kMagic.end());
    put_number(header, kVersion, 4);
    put_number(header, 0, 4);
    header.insert(header.end(), id_.begin(), id_.end());
    put_number(header, crc32(header), 4);
    file_.write(header);
}

void StateWriter::put(std::string_view name, std::uint8_t type, std::uint8_t flags,
                      std::span<const std::uint8_t> stored, std::uint64_t raw) {
    if (name.empty() || name.size() > kMostName) throw StateError("a section's name is too long, or empty");
    if (++sections_ > kMostSections) throw StateError("more sections than a state can have");
    std::vector<std::uint8_t> header(kSectionMark.begin(), kSectionMark.end());
    header.push_back(type);
    header.push_back(flags);
    put_number(header, name.size(), 2);
    put_number(header, stored.size(), 8);
    put_number(header, raw, 8);
    header.insert(header.end(), name.begin(), name.end());
    put_number(header, crc32(header), 4);
    file_.write(header);
    file_.write(stored);
    std::vector<std::uint8_t> footer;
    put_number(footer, crc32(stored), 4);
    sections_crc_ = crc32(footer, sections_crc_);
    footer.insert(footer.end(), kDoneMark.begin(), kDoneMark.end());
    file_.write(footer);
}

void StateWriter::section(Type type, std::string_view name, Need need,
                          std::span<const std::uint8_t> payload) {
    if (payload.size() > kMostRaw) throw StateError(std::string(name) + ": too large for a state");
    const std::uint8_t flags = need == Need::Required ? kRequired : 0;
    if (payload.size() >= kWorthCompressing) {
        const std::vector<std::uint8_t> packed = compress(payload);
        if (packed.size() < payload.size())
            return put(name, static_cast<std::uint8_t>(type), flags | kZstd, packed, payload.size());
    }
    put(name, static_cast<std::uint8_t>(type), flags, payload, payload.size());
}

void StateWriter::fields(const StateSection& section, Need need) {
    std::vector<std::uint8_t> bytes;
    append_bytes(section, bytes);
    this->section(Type::Fields, section.name, need, bytes);
}

void StateWriter::text(std::string_view name, std::string_view text, Need need) {
    section(Type::Text, name, need, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void StateWriter::bytes(std::string_view name, std::span<const std::uint8_t> bytes, Need need) {
    section(Type::Bytes, name, need, bytes);
}

void StateWriter::pages(std::string_view name, PageEncoder&& pages, Need need) {
    const std::vector<std::uint8_t> encoded = std::move(pages).finish();
    // Its runs are compressed one by one already.
    put(name, static_cast<std::uint8_t>(Type::Pages), need == Need::Required ? kRequired : 0, encoded,
        encoded.size());
}

void StateWriter::finish() {
    std::vector<std::uint8_t> end(kEndMark.begin(), kEndMark.end());
    put_number(end, sections_, 4);
    put_number(end, file_.size(), 8);
    put_number(end, sections_crc_, 4);
    put_number(end, crc32(end), 4);
    file_.write(end);
    file_.commit();
}

} // namespace btvm
