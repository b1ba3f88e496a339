// What is in the drives at one moment and what has been written to it: cheap, since it shares the maps of
// written blocks with the images.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "userland/devices/disk_image.hh"
#include "userland/devices/floppy_image.hh"
#include "userland/machine/pc.hh"

namespace btvm {

struct MediaSnapshot {
    template <class Image>
    struct Medium {
        std::shared_ptr<Image> image;
        typename Image::Changes changes;
    };
    std::vector<Medium<FloppyImage>> floppies; ///< Also those that are in no drive.
    std::array<std::shared_ptr<FloppyImage>, kFloppyDrives> in_drive;
    std::array<FloppyConfig, kFloppyDrives> configs;
    std::array<DiskImage::Changes, kAtaDrives> disks;
    std::array<std::shared_ptr<DiskImage>, kAtaDrives> discs; ///< In CD-ROM drives.
};

/// Bytes on media that differ between two moments.
[[nodiscard]] std::uint64_t differing_bytes(const MediaSnapshot& a, const MediaSnapshot& b);

} // namespace btvm
