// The firmware images a machine starts with: which files, and what is checked of them. Why these:
// docs/devices.md.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace btvm {

/// A firmware image that is missing, unreadable or not what it should be; the message names the file and the
/// remedy.
class FirmwareError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Firmware {
    std::string system_path;
    std::string video_path;
    std::vector<std::uint8_t> system_bios;
    std::vector<std::uint8_t> video_bios;
    /// SeaBIOS changes its own image while it runs and so needs it in RAM; the Bochs BIOS is happy in ROM.
    bool writable{};
};

/// Loads the two images. An empty path stands for the default from Debian's packages; "none" as the video
/// BIOS for no video BIOS. Throws FirmwareError.
[[nodiscard]] Firmware load_firmware(const std::string& system_path, const std::string& video_path);

} // namespace btvm
