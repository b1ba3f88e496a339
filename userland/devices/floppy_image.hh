// A floppy medium: a raw image file, sector after sector, cylinder by cylinder, head 0 before head 1.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "userland/abi/file_descriptor.hh"
#include "userland/checkpoint/medium_changes.hh"
#include "userland/devices/write_log.hh"

namespace btvm {

class StateArchive;

inline constexpr std::size_t kFloppySectorSize = 512;

/// An image that cannot be used as a floppy, or an access to it that the host refused. The message is for the
/// user.
class FloppyError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a medium was made as; with the drive it is in, this decides the data rate it is read at.
enum class FloppyDensity : std::uint8_t {
    Double525, ///< 5.25 inch, 160 to 420 KB, 40 to 42 cylinders
    High525,   ///< 5.25 inch, 1.2 MB
    Double35,  ///< 3.5 inch, 720 KB to 1.12 MB
    High35,    ///< 3.5 inch, 1.44 to 1.92 MB
    Extra35    ///< 3.5 inch, 2.88 to 3.84 MB
};

struct FloppyGeometry {
    std::uint16_t kilobytes; ///< The usual name: 1440.
    std::uint8_t cylinders;
    std::uint8_t heads;
    std::uint8_t sectors; ///< A track.
    FloppyDensity density;
    bool usual; ///< One that systems were sold on; proposed to who has an image of a wrong size.

    [[nodiscard]] constexpr std::uint32_t total_sectors() const {
        return std::uint32_t{cylinders} * heads * sectors;
    }
    [[nodiscard]] constexpr std::uint64_t bytes() const {
        return std::uint64_t{total_sectors()} * kFloppySectorSize;
    }
};

/// Every known format, smallest first; sizes are distinct.
[[nodiscard]] std::span<const FloppyGeometry> floppy_formats();

class FloppyImage {
public:
    struct Options {
        bool read_only = false; ///< Write-protects the medium; the file is opened for reading only.
        bool snapshot =
            false; ///< The medium can be written, the file stays as it is: writes are kept in memory.
    };

    /// Opens an image. The file is locked as long as the image lives: exclusively if it is going to be
    /// written, shared otherwise; so no file is written by one while another has it. A file that may not be
    /// written gives a write-protected medium. Throws FloppyError: missing, not a regular file, unreadable,
    /// of no known size, in use, or left by a commit that was interrupted and cannot be
    /// finished (interrupted_commit.hh).
    [[nodiscard]] static std::unique_ptr<FloppyImage> open(const std::string& path, Options options);
    [[nodiscard]] static std::unique_ptr<FloppyImage> open(const std::string& path) {
        return open(path, Options{});
    }
    /// Flushes; an error at this point is lost, so call flush() first where it matters.
    ~FloppyImage();
    FloppyImage(const FloppyImage&) = delete;
    FloppyImage& operator=(const FloppyImage&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// What the user should know of how the file was found; mostly nothing.
    [[nodiscard]] const std::string& notice() const { return notice_; }
    [[nodiscard]] int descriptor() const { return fd_.get(); }
    /// Whether it is this file that the image is in: not another one that has been put in its place since.
    [[nodiscard]] bool is_in(const std::string& path) const;
    [[nodiscard]] const FloppyGeometry& geometry() const { return geometry_; }
    [[nodiscard]] bool write_protected() const { return write_protected_; }
    [[nodiscard]] bool snapshot() const { return options_.snapshot; }
    /// As it was asked for; see write_protected().
    [[nodiscard]] bool read_only() const { return options_.read_only; }
    /// Writes are kept in memory: a snapshot, or a layer has begun.
    [[nodiscard]] bool keeps_writes() const { return options_.snapshot || layered_; }
    /// Writes that are kept can be put into the file.
    [[nodiscard]] bool can_commit() const { return layered_; }
    /// From now on writes are kept in memory, unless there can be none. Throws FloppyError.
    void begin_layer();

    /// The sector's place in the file, counted from 0, or nothing if the medium has no such sector. `sector`
    /// counts from 1, as on the medium.
    [[nodiscard]] std::optional<std::uint32_t> locate(unsigned cylinder, unsigned head,
                                                      unsigned sector) const;

    using Sector = std::array<std::uint8_t, kFloppySectorSize>;
    /// Whole sectors by their place. Throw FloppyError if the host fails; write() also on a write-protected
    /// medium.
    void read(std::uint32_t place, Sector& out) const;
    void write(std::uint32_t place, const Sector& in);
    /// Returns when all that was written is on the host's disk. Throws FloppyError. From any thread, also
    /// while write() is called.
    void flush();

    /// A raw image has no room for deleted data address marks: they last as long as the medium stays in the
    /// drive.
    [[nodiscard]] bool deleted_mark(std::uint32_t place) const { return deleted_.contains(place); }
    void set_deleted_mark(std::uint32_t place, bool deleted) {
        if (deleted)
            deleted_.insert(place);
        else
            deleted_.erase(place);
    }

    /// The part of the medium's state that is not in the file: geometry (to be compared), snapshot sectors,
    /// marks.
    void describe(StateArchive& archive);

    /// Writes that are kept: the sectors that differ from the file, in order of place.
    void
    for_each_change(const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& change) const;
    void clear_changes() { overlay_ = Changes(geometry_.total_sectors()); }
    /// Makes a sector differ from the file. Throws FloppyError if the medium has no such place.
    void set_change(std::uint64_t place, std::span<const std::uint8_t> sector);
    static constexpr std::size_t kChangeUnit = kFloppySectorSize;
    /// All of them, shared with whoever keeps the map.
    using Changes = MediumChanges<kChangeUnit>;
    [[nodiscard]] const Changes& changes() const { return overlay_; }
    void set_changes(const Changes& changes) { overlay_ = changes; }
    /// Writes whole sectors to the file. Throws FloppyError.
    void write_file(std::uint64_t at, std::span<const std::uint8_t> in);
    void flush_file() { flush(); }

    /// The file itself, without a snapshot's writes.
    void read_file(std::uint64_t at, std::span<std::uint8_t> out) const;
    [[nodiscard]] std::uint64_t bytes() const { return geometry_.bytes(); }
    /// Which pieces of the file have been written.
    [[nodiscard]] WriteLog& write_log() const { return write_log_; }

private:
    struct File;
    FloppyImage(std::string path, Options options, File file, std::string notice);

    std::string path_;
    std::string notice_;
    Options options_;
    FileDescriptor fd_;
    FloppyGeometry geometry_;
    bool write_protected_;
    bool layered_ = false;
    std::atomic<bool> unflushed_ = false;
    mutable WriteLog write_log_;
    Changes overlay_; ///< Sectors that are kept.
    std::set<std::uint32_t> deleted_;
};

} // namespace btvm
