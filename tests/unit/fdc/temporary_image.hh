// A floppy image file that vanishes with the test.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "userland/devices/floppy_image.hh"

namespace btvm {

class TemporaryFile {
public:
    explicit TemporaryFile(std::uint64_t size) {
        const std::string pattern = (std::filesystem::temp_directory_path() / "btvm-floppy-XXXXXX").string();
        path_ = pattern;
        const int fd = ::mkstemp(path_.data());
        if (fd < 0) throw std::runtime_error("cannot make a temporary file");
        if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
            throw std::runtime_error("cannot size a temporary file");
        ::close(fd);
    }
    ~TemporaryFile() { std::remove(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::vector<std::uint8_t> contents() const {
        std::vector<std::uint8_t> bytes(std::filesystem::file_size(path_));
        std::ifstream(path_, std::ios::binary)
            .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return bytes;
    }

private:
    std::string path_;
};

/// What the tests put into sector `place`: every byte tells where it belongs.
inline FloppyImage::Sector pattern_sector(std::uint32_t place) {
    FloppyImage::Sector sector;
    for (std::size_t i = 0; i < sector.size(); i++)
        sector[i] = static_cast<std::uint8_t>(place * 7 + (place >> 8) + i * 3);
    return sector;
}

/// An image of this many KB whose sectors hold pattern_sector().
class PatternFile : public TemporaryFile {
public:
    explicit PatternFile(unsigned kilobytes) : TemporaryFile(0) {
        std::ofstream out(path(), std::ios::binary);
        for (const FloppyGeometry& g : floppy_formats()) {
            if (g.kilobytes != kilobytes) continue;
            for (std::uint32_t place = 0; place < g.total_sectors(); place++) {
                const auto sector = pattern_sector(place);
                out.write(reinterpret_cast<const char*>(sector.data()), sector.size());
            }
        }
    }
};

} // namespace btvm
