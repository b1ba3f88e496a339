// A disk image in a folder of its own that goes with it.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/common/file_bytes.hh"

namespace btvm::test {

class TemporaryDisk {
public:
    /// Every sector holds its number, again and again as 32-bit words, so that a wrong one shows.
    explicit TemporaryDisk(std::size_t sectors, std::size_t sector_size = 512) : TemporaryDisk() {
        std::vector<std::uint32_t> words;
        words.reserve(sectors * sector_size / 4);
        for (std::size_t sector = 0; sector < sectors; sector++)
            words.insert(words.end(), sector_size / 4, static_cast<std::uint32_t>(sector + 1));
        std::ofstream(path(), std::ios::binary)
            .write(reinterpret_cast<const char*>(words.data()),
                   static_cast<std::streamsize>(words.size() * 4));
    }
    /// Only the folder: path() does not exist.
    TemporaryDisk() {
        std::string folder = std::filesystem::temp_directory_path() / "btvm-disk-XXXXXX";
        if (!::mkdtemp(folder.data())) throw std::runtime_error("no temporary folder");
        folder_ = folder;
    }
    ~TemporaryDisk() { std::filesystem::remove_all(folder_); }
    TemporaryDisk(const TemporaryDisk&) = delete;
    TemporaryDisk& operator=(const TemporaryDisk&) = delete;

    [[nodiscard]] std::string path() const { return folder_ / "disk.img"; }
    [[nodiscard]] std::vector<std::uint8_t> content() const { return file_bytes(path()); }

private:
    std::filesystem::path folder_;
};

} // namespace btvm::test
