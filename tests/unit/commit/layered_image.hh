// Images with a layer over them that is to be committed, disks and floppies alike; and folders that hold one.
#pragma once

#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ata/temporary_disk.hh"
#include "tests/unit/common/file_bytes.hh"
#include "userland/devices/disk_image.hh"
#include "userland/devices/floppy_image.hh"
#include "userland/devices/interrupted_commit.hh"
#include "userland/machine/layer_commit.hh"

namespace btvm::test {

using Bytes = std::vector<std::uint8_t>;

struct DiskKind {
    using Image = DiskImage;
    static constexpr std::size_t kSectors = 100; // the last unit is not a whole one
    static std::unique_ptr<Image> open(const std::string& path) { return Image::open(path); }
    static std::unique_ptr<Image> open_snapshot(const std::string& path) {
        return Image::open(path, {.snapshot = true});
    }
    static std::unique_ptr<Image> open_read_only(const std::string& path) {
        return Image::open(path, {.read_only = true});
    }
    static void write(Image& image, std::uint32_t sector, const Bytes& bytes) { image.write(sector, bytes); }
};

struct FloppyKind {
    using Image = FloppyImage;
    static constexpr std::size_t kSectors = 320;
    static std::unique_ptr<Image> open(const std::string& path) { return Image::open(path); }
    static std::unique_ptr<Image> open_snapshot(const std::string& path) {
        return Image::open(path, {.read_only = false, .snapshot = true});
    }
    static std::unique_ptr<Image> open_read_only(const std::string& path) {
        return Image::open(path, {.read_only = true, .snapshot = false});
    }
    static void write(Image& image, std::uint32_t sector, const Bytes& bytes) {
        FloppyImage::Sector whole;
        std::copy(bytes.begin(), bytes.end(), whole.begin());
        image.write(sector, whole);
    }
};

/// Sectors that the layer has.
inline const std::vector<std::uint32_t> kWritten{0, 1, 9, 17, 42, 43, 60, 99};

inline Bytes new_sector(std::uint32_t sector) { return Bytes(512, static_cast<std::uint8_t>(sector + 0x80)); }

template <class Kind>
std::unique_ptr<typename Kind::Image> layered(const std::string& path,
                                              const std::vector<std::uint32_t>& sectors = kWritten) {
    auto image = Kind::open(path);
    image->begin_layer();
    for (const std::uint32_t sector : sectors)
        Kind::write(*image, sector, new_sector(sector));
    return image;
}

/// What an image holds after it.
inline Bytes committed(Bytes image, const std::vector<std::uint32_t>& sectors = kWritten) {
    for (const std::uint32_t sector : sectors) {
        const Bytes bytes = new_sector(sector);
        std::copy(bytes.begin(), bytes.end(), image.begin() + sector * 512);
    }
    return image;
}

inline std::string journal_of(const TemporaryDisk& disk) { return disk.path() + ".btvm-journal"; }

/// The names beside the image.
inline std::vector<std::string> beside(const TemporaryDisk& disk) {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(disk.path()).parent_path()))
        if (entry.path() != disk.path()) names.push_back(entry.path().filename());
    return names;
}

inline void write_bytes(const std::string& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// Whether the work was killed; else it has come to its end.
inline bool killed(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || status == 0) << status;
    return WIFSIGNALED(status);
}

} // namespace btvm::test
