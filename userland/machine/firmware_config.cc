#include "userland/machine/firmware_config.hh"

#include <stdexcept>

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint16_t kItemSignature = 0x0000;
constexpr std::uint16_t kItemFeatures = 0x0001;
constexpr std::uint16_t kItemDirectory = 0x0019;
constexpr std::uint16_t kItemFirstFile = 0x0020;
constexpr std::size_t kNameBytes = 56;

void append_big_endian(std::vector<std::uint8_t>& to, std::uint32_t value, unsigned bytes) {
    while (bytes--)
        to.push_back(static_cast<std::uint8_t>(value >> (8 * bytes)));
}

/// A count, then for each file: size (4 bytes), item (2), reserved (2), name (56); numbers big-endian.
std::vector<std::uint8_t> make_directory(const std::vector<FirmwareFile>& files) {
    std::vector<std::uint8_t> directory;
    append_big_endian(directory, static_cast<std::uint32_t>(files.size()), 4);
    std::uint16_t item = kItemFirstFile;
    for (const FirmwareFile& file : files) {
        if (file.name.size() >= kNameBytes)
            throw std::logic_error("firmware file name too long: " + file.name);
        append_big_endian(directory, static_cast<std::uint32_t>(file.content.size()), 4);
        append_big_endian(directory, item++, 2);
        append_big_endian(directory, 0, 2);
        std::string name = file.name;
        name.resize(kNameBytes);
        directory.insert(directory.end(), name.begin(), name.end());
    }
    return directory;
}

} // namespace

FirmwareConfig::FirmwareConfig(Platform& platform, std::vector<FirmwareFile> files)
    : Device(platform), files_(std::move(files)), signature_{'Q', 'E', 'M', 'U'}, features_{1, 0, 0, 0},
      directory_(make_directory(files_)) {}

std::vector<PortRange> FirmwareConfig::ports() const {
    if (files_.empty()) return {};
    return {{kSelector, 2}};
}

void FirmwareConfig::reset() {
    selected_ = 0;
    at_ = 0;
}

const std::vector<std::uint8_t>* FirmwareConfig::item() const {
    switch (selected_) {
    case kItemSignature: return &signature_;
    case kItemFeatures: return &features_;
    case kItemDirectory: return &directory_;
    default: break;
    }
    const std::size_t index = static_cast<std::size_t>(selected_) - kItemFirstFile;
    return selected_ >= kItemFirstFile && index < files_.size() ? &files_[index].content : nullptr;
}

std::uint32_t FirmwareConfig::read(std::uint16_t port, unsigned) {
    if (port != kData) return 0xff;
    const std::vector<std::uint8_t>* const bytes = item();
    // Past the end, and for items that do not exist, there are zeros.
    if (!bytes || at_ >= bytes->size()) return 0;
    return (*bytes)[at_++];
}

void FirmwareConfig::write(std::uint16_t port, unsigned size, std::uint32_t value) {
    if (port != kSelector || size != 2) return; // items cannot be written
    selected_ = static_cast<std::uint16_t>(value);
    at_ = 0;
}

void FirmwareConfig::describe(StateArchive& archive) {
    archive.field("selected", selected_);
    archive.field("at", at_);
}

} // namespace btvm
