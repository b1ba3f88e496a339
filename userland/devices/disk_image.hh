// A disk's medium: a raw image, sector after sector. Writes go to the file as they come, so that a btvm-run
// that is killed loses nothing the host has taken; flush() brings them to the host's disk. As a snapshot the
// file stays as it is and writes are kept in memory, up to a limit. So it is once a layer has begun, for
// checkpoints, until commit() writes them to the file.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "userland/checkpoint/medium_changes.hh"
#include "userland/devices/disk_image_file.hh"
#include "userland/devices/write_log.hh"

namespace btvm {

class StateArchive;

inline constexpr std::size_t kDiskSectorSize = 512;

class DiskImage {
public:
    struct Options {
        bool read_only{}; ///< A medium that cannot be written, such as a CD-ROM.
        bool snapshot{};
        /// Bytes. The file is made if there is none, and grows if it is smaller.
        std::optional<std::uint64_t> size{};
        /// Bytes of a sector; the image has a whole number of them.
        std::size_t sector_size{kDiskSectorSize};
        /// Snapshot: bytes that writes may take in memory. A write beyond it fails.
        std::uint64_t overlay_limit{kOverlayLimit};
    };
    static constexpr std::uint64_t kOverlayLimit = 1ull << 30;

    /// Throws DiskError: what DiskImageFile throws, an empty image, or one with part of a sector at its end.
    [[nodiscard]] static std::unique_ptr<DiskImage> open(const std::string& path, const Options& options);
    [[nodiscard]] static std::unique_ptr<DiskImage> open(const std::string& path) {
        return open(path, Options{});
    }
    DiskImage(const DiskImage&) = delete;
    DiskImage& operator=(const DiskImage&) = delete;

    [[nodiscard]] const std::string& path() const { return file_.path(); }
    /// What the user should know of how the file was found; mostly nothing.
    [[nodiscard]] const std::string& notice() const { return file_.notice(); }
    [[nodiscard]] int descriptor() const { return file_.descriptor(); }
    [[nodiscard]] std::uint64_t sectors() const { return file_.size() / options_.sector_size; }
    [[nodiscard]] std::size_t sector_size() const { return options_.sector_size; }
    [[nodiscard]] bool read_only() const { return options_.read_only; }
    [[nodiscard]] bool snapshot() const { return options_.snapshot; }
    /// Writes go to the file, so that flush() has something to do.
    [[nodiscard]] bool writes_file() const { return !options_.read_only && !keeps_writes(); }
    /// Writes are kept in memory: a snapshot, or a layer has begun.
    [[nodiscard]] bool keeps_writes() const { return options_.snapshot || layered_; }
    /// Writes that are kept can be put into the file.
    [[nodiscard]] bool can_commit() const { return layered_; }
    /// From now on writes are kept in memory, unless they can be none. What was written before is brought to
    /// the host's disk. Throws DiskError.
    void begin_layer();
    /// Bytes of memory that writes take.
    [[nodiscard]] std::uint64_t overlay_bytes() const { return overlay_.size() * kBlock; }

    /// Whole sectors. Throw DiskError if the host fails or they are not all on the disk; write() also on a
    /// read-only medium.
    void read(std::uint64_t sector, std::span<std::uint8_t> out) const;
    void write(std::uint64_t sector, std::span<const std::uint8_t> in);
    /// Returns when all that was written is on the host's disk. Throws DiskError. From any thread, also while
    /// read() and write() are called.
    void flush() const;

    /// The part of the medium's state that is not in the file: its size (to be compared), a snapshot's
    /// writes.
    void describe(StateArchive& archive);

    /// Writes that are kept: what differs from the file, in units of kChangeUnit bytes, in order of place.
    void
    for_each_change(const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& change) const;
    void clear_changes() { overlay_ = Changes(units()); }
    /// Makes a unit differ from the file, whatever the limit. Throws DiskError if it is beyond the end.
    void set_change(std::uint64_t place, std::span<const std::uint8_t> unit);
    static constexpr std::size_t kChangeUnit = 4096;
    /// All of them, shared with whoever keeps the map.
    using Changes = MediumChanges<kChangeUnit>;
    [[nodiscard]] const Changes& changes() const { return overlay_; }
    void set_changes(const Changes& changes) { overlay_ = changes; }
    /// Writes a part of a unit to the file. Throws DiskError.
    void write_file(std::uint64_t at, std::span<const std::uint8_t> in);
    void flush_file() const { file_.flush(); }

    /// The file itself, without a snapshot's writes.
    void read_file(std::uint64_t at, std::span<std::uint8_t> out) const { file_.read(at, out); }
    [[nodiscard]] std::uint64_t bytes() const { return file_.size(); }
    /// Which pieces of the file have been written.
    [[nodiscard]] WriteLog& write_log() const { return write_log_; }

private:
    static constexpr std::uint64_t kBlock = kChangeUnit; ///< What a snapshot keeps at once.
    using Block = Changes::Unit;

    template <class... FileArguments>
    explicit DiskImage(const Options& options, FileArguments&&... file)
        : options_(options), file_(std::forward<FileArguments>(file)...), write_log_(file_.size()),
          overlay_(units()) {}
    [[nodiscard]] std::uint64_t units() const { return (file_.size() + kBlock - 1) / kBlock; }
    void check_size() const;
    void check_range(std::uint64_t sector, std::size_t bytes) const;
    [[nodiscard]] Block& block_to_write(std::uint64_t number);

    Options options_;
    DiskImageFile file_;
    bool layered_{};
    mutable WriteLog write_log_;
    Changes overlay_; ///< By place, in blocks.
};

} // namespace btvm
