#include "userland/machine/firmware.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <sys/stat.h>

#include "userland/machine/physical_memory.hh"

namespace btvm {

namespace {

constexpr const char* kSystemBios = "/usr/share/seabios/bios.bin";
constexpr const char* kPackage = "seabios";
constexpr const char* kVideoBios = "/usr/share/seabios/vgabios-isavga.bin";
/// From its reset vector to the end a ROM has this many bytes for its first instructions (SDM vol. 3, 9.1.4).
constexpr std::size_t kResetVector = 16;

std::vector<std::uint8_t> read_image(const std::string& path, const char* what, const char* package) {
    const auto refuse = [&](const std::string& why) {
        std::string message = std::string(what) + " " + path + ": " + why;
        if (package && errno == ENOENT) message += " (apt-get install " + std::string(package) + ")";
        return FirmwareError(message);
    };
    struct stat info {};
    if (::stat(path.c_str(), &info) < 0) throw refuse(std::strerror(errno));
    errno = 0;
    if (!S_ISREG(info.st_mode)) throw refuse("not a regular file");
    if (static_cast<std::size_t>(info.st_size) > PhysicalMemory::kSystemBiosMax)
        throw refuse("too large for a firmware image");
    std::vector<std::uint8_t> image(static_cast<std::size_t>(info.st_size));
    std::ifstream file(path, std::ios::binary);
    if (!file) throw refuse(std::strerror(errno));
    file.read(reinterpret_cast<char*>(image.data()), static_cast<std::streamsize>(image.size()));
    if (static_cast<std::size_t>(file.gcount()) != image.size()) throw refuse("could not be read whole");
    return image;
}

bool contains(const std::vector<std::uint8_t>& image, std::string_view text) {
    return std::search(image.begin(), image.end(), text.begin(), text.end()) != image.end();
}

void check_system(const Firmware& firmware) {
    const std::vector<std::uint8_t>& image = firmware.system_bios;
    if (!PhysicalMemory::is_bios_size(image.size()))
        throw FirmwareError("system BIOS " + firmware.system_path + ": has " + std::to_string(image.size()) +
                            " bytes, a system BIOS has a multiple of 64 KiB, up to 8 MiB");
    // The processor starts 16 bytes before the end. What is there is the ROM's own business (a BIOS jumps, a
    // test ROM may do anything), unless nothing is: 00h or FFh to the end.
    const auto start = image.end() - static_cast<std::ptrdiff_t>(kResetVector);
    if ((*start == 0x00 || *start == 0xff) &&
        std::all_of(start, image.end(), [&](auto byte) { return byte == *start; }))
        throw FirmwareError(
            "system BIOS " + firmware.system_path +
            ": nothing at its reset vector, 16 bytes before its end, where the processor starts");
}

void check_video(const Firmware& firmware) {
    const std::vector<std::uint8_t>& image = firmware.video_bios;
    if (image.empty()) return;
    if (image.size() < 512 || image[0] != 0x55 || image[1] != 0xaa)
        throw FirmwareError("video BIOS " + firmware.video_path +
                            ": does not begin with the ROM signature 55 AA");
    if (image.size() > 0x10000)
        throw FirmwareError("video BIOS " + firmware.video_path +
                            ": larger than the 64 KiB there are at C0000h");
}

} // namespace

Firmware load_firmware(const std::string& system_path, const std::string& video_path) {
    Firmware firmware;
    firmware.system_path = system_path.empty() ? kSystemBios : system_path;
    firmware.video_path = video_path.empty() ? kVideoBios : video_path;
    firmware.system_bios =
        read_image(firmware.system_path, "system BIOS", system_path.empty() ? kPackage : nullptr);
    check_system(firmware);
    if (firmware.video_path != "none")
        firmware.video_bios =
            read_image(firmware.video_path, "video BIOS", video_path.empty() ? kPackage : nullptr);
    check_video(firmware);
    firmware.writable = contains(firmware.system_bios, "SeaBIOS");
    return firmware;
}

} // namespace btvm
