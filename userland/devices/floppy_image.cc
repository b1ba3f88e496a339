#include "userland/devices/floppy_image.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "userland/devices/interrupted_commit.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using enum FloppyDensity;
constexpr bool kUsual = true, kUnusual = false;

// The unusual ones came from tools that put more on a medium than DOS did: more sectors on a track, tracks
// beyond the 80th (floppy(8) and fdutils know them, and QEMU takes them). Many old Linux floppies are such.
constexpr FloppyGeometry kFormats[] = {
    {160, 40, 1, 8, Double525, kUsual},    {180, 40, 1, 9, Double525, kUsual},
    {320, 40, 2, 8, Double525, kUsual},    {360, 40, 2, 9, Double525, kUsual},
    {410, 41, 2, 10, Double525, kUnusual}, {420, 42, 2, 10, Double525, kUnusual},
    {720, 80, 2, 9, Double35, kUsual},     {800, 80, 2, 10, Double35, kUnusual},
    {820, 82, 2, 10, Double35, kUnusual},  {830, 83, 2, 10, Double35, kUnusual},
    {880, 80, 2, 11, Double35, kUnusual},  {1040, 80, 2, 13, Double35, kUnusual},
    {1120, 80, 2, 14, Double35, kUnusual}, {1200, 80, 2, 15, High525, kUsual},
    {1440, 80, 2, 18, High35, kUsual},     {1476, 82, 2, 18, High35, kUnusual},
    {1494, 83, 2, 18, High35, kUnusual},   {1600, 80, 2, 20, High35, kUnusual},
    {1680, 80, 2, 21, High35, kUsual},     {1722, 82, 2, 21, High35, kUnusual},
    {1743, 83, 2, 21, High35, kUnusual},   {1760, 80, 2, 22, High35, kUnusual},
    {1840, 80, 2, 23, High35, kUnusual},   {1920, 80, 2, 24, High35, kUnusual},
    {2880, 80, 2, 36, Extra35, kUsual},    {3120, 80, 2, 39, Extra35, kUnusual},
    {3200, 80, 2, 40, Extra35, kUnusual},  {3520, 80, 2, 44, Extra35, kUnusual},
    {3840, 80, 2, 48, Extra35, kUnusual},
};

[[noreturn]] void fail(const std::string& path, const std::string& what) {
    throw FloppyError(path + ": " + what);
}

std::string known_sizes() {
    std::string text;
    for (const FloppyGeometry& g : kFormats) {
        if (!g.usual) continue;
        if (!text.empty()) text += ", ";
        text += std::to_string(g.kilobytes) + " KB = " + std::to_string(g.bytes());
    }
    return text;
}

const FloppyGeometry& geometry_for(const std::string& path, std::uint64_t size) {
    const FloppyGeometry* smaller = nullptr;
    const FloppyGeometry* larger = nullptr;
    for (const FloppyGeometry& g : kFormats) {
        if (g.bytes() == size) return g;
        if (!g.usual) continue; // nothing to propose
        if (g.bytes() < size) smaller = &g;
        if (!larger && g.bytes() > size) larger = &g;
    }
    std::string text = size == 0 ? "the file is empty"
                       : size < std::rbegin(kFormats)->bytes()
                           ? std::to_string(size) + " bytes is not the size of any floppy"
                           : std::to_string(size) + " bytes is too large for a floppy";
    text += " (usual sizes in bytes: " + known_sizes() + ")";
    // A file that was cut short is the commonest; what is surplus might be wanted, so the file keeps it.
    if (larger && size)
        text += "; " + std::to_string(larger->bytes() - size) + " too few for " +
                std::to_string(larger->kilobytes) + " KB: truncate -s " + std::to_string(larger->bytes()) +
                " '" + path + "' pads it";
    if (smaller && size)
        text += "; " + std::to_string(size - smaller->bytes()) + " too many for " +
                std::to_string(smaller->kilobytes) + " KB: head -c " + std::to_string(smaller->bytes()) +
                " '" + path + "' >floppy.img copies it without them";
    fail(path, text);
}

/// Locks the whole file for as long as it is open, with an open-file-description lock where the file system
/// has them (they see QEMU's locks, too), else with flock().
void lock(const std::string& path, int fd, bool exclusive) {
    struct flock request {};
    request.l_type = exclusive ? F_WRLCK : F_RDLCK;
    request.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_SETLK, &request) == 0) return;
    int error = errno;
    if (error != EAGAIN && error != EACCES) {
        if (::flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return;
        error = errno;
    }
    if (error == EAGAIN || error == EACCES || error == EWOULDBLOCK)
        fail(path, exclusive
                       ? "is in use by another program (snapshot or read-only use can share an image with "
                         "others that do not write it)"
                       : "is being written by another program");
    // No locks on this file system: reading is safe enough, two writers are not.
    if (exclusive)
        fail(path, std::string("cannot be locked against other programs (") + std::strerror(error) +
                       "); use it read-only or as a snapshot");
}

} // namespace

std::span<const FloppyGeometry> floppy_formats() { return kFormats; }

/// An image's file, open and locked.
struct FloppyImage::File {
    File(const std::string& path, Options options);

    FileDescriptor fd;
    bool writable{};
    const FloppyGeometry* geometry{};
};

FloppyImage::File::File(const std::string& path, Options options) {
    const bool want_write = !options.read_only && !options.snapshot;
    // O_NONBLOCK: opening a pipe must not wait for its other end; it does nothing to regular files.
    constexpr int kFlags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (want_write) fd = FileDescriptor(::open(path.c_str(), O_RDWR | kFlags));
    writable = static_cast<bool>(fd);
    if (!fd) fd = FileDescriptor(::open(path.c_str(), O_RDONLY | kFlags));
    if (!fd) fail(path, std::strerror(errno));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) fail(path, std::strerror(errno));
    if (S_ISDIR(info.st_mode)) fail(path, "is a directory, not a floppy image");
    if (!S_ISREG(info.st_mode)) fail(path, "is not a regular file");
    geometry = &geometry_for(path, static_cast<std::uint64_t>(info.st_size));

    // The superuser may open anything for writing; the owner's wish still counts.
    writable = writable && (info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH));
    lock(path, fd.get(), writable);
}

std::unique_ptr<FloppyImage> FloppyImage::open(const std::string& path, Options options) {
    File file(path, options);
    std::string notice;
    try {
        // As with disks: nobody is committing while it is locked.
        if (journal_is_there(file.fd.get(), path)) {
            if (file.writable) {
                notice = finish_commit(file.fd.get(), path);
            } else {
                file.fd.reset();
                notice = settle_commit(path);
                file = File(path, options);
            }
        }
    } catch (const DiskError& error) {
        throw FloppyError(error.what());
    }
    return std::unique_ptr<FloppyImage>(new FloppyImage(path, options, std::move(file), std::move(notice)));
}

FloppyImage::FloppyImage(std::string path, Options options, File file, std::string notice)
    : path_(std::move(path)), notice_(std::move(notice)), options_(options), fd_(std::move(file.fd)),
      geometry_(*file.geometry), write_protected_(!file.writable && !options.snapshot),
      write_log_(geometry_.bytes()), overlay_(geometry_.total_sectors()) {}

FloppyImage::~FloppyImage() {
    if (unflushed_) (void)::fdatasync(fd_.get());
}

bool FloppyImage::is_in(const std::string& path) const {
    struct stat own {
    }, other{};
    return ::fstat(fd_.get(), &own) == 0 && ::stat(path.c_str(), &other) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

std::optional<std::uint32_t> FloppyImage::locate(unsigned cylinder, unsigned head, unsigned sector) const {
    if (cylinder >= geometry_.cylinders || head >= geometry_.heads) return std::nullopt;
    if (sector < 1 || sector > geometry_.sectors) return std::nullopt;
    return (cylinder * geometry_.heads + head) * geometry_.sectors + sector - 1;
}

void FloppyImage::read(std::uint32_t place, Sector& out) const {
    if (place >= geometry_.total_sectors()) fail(path_, "read beyond the end");
    if (const Changes::Unit* const kept = overlay_.find(place)) {
        out = kept->bytes;
        return;
    }
    read_file(std::uint64_t{place} * kFloppySectorSize, out);
}

void FloppyImage::read_file(std::uint64_t at, std::span<std::uint8_t> out) const {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(at));
        if (n > 0) {
            out = out.subspan(static_cast<std::size_t>(n));
            at += static_cast<std::uint64_t>(n);
        } else if (n == 0) {
            fail(path_, "has become shorter while in use");
        } else if (errno != EINTR) {
            fail(path_, std::string("cannot be read: ") + std::strerror(errno));
        }
    }
}

void FloppyImage::write(std::uint32_t place, const Sector& in) {
    if (place >= geometry_.total_sectors()) fail(path_, "write beyond the end");
    if (write_protected_) fail(path_, "is write-protected");
    if (keeps_writes())
        overlay_.set(place, make_ref<Changes::Unit>(in));
    else
        write_file(std::uint64_t{place} * kFloppySectorSize, in);
}

void FloppyImage::begin_layer() {
    if (write_protected_ || keeps_writes()) return;
    flush();
    layered_ = true;
}

void FloppyImage::write_file(std::uint64_t at, std::span<const std::uint8_t> in) {
    const auto start = static_cast<off_t>(at);
    std::size_t done = 0;
    unflushed_ = true;
    // One call writes a sector as a whole. Should the host write less, the rest follows, so that no half is
    // left.
    while (done < in.size()) {
        const ssize_t n =
            ::pwrite(fd_.get(), in.data() + done, in.size() - done, start + static_cast<off_t>(done));
        if (n > 0) {
            write_log_.wrote(at + done, static_cast<std::uint64_t>(n));
            done += static_cast<std::size_t>(n);
        } else if (n == 0 || errno != EINTR) {
            fail(path_, std::string("cannot be written: ") + std::strerror(n == 0 ? ENOSPC : errno));
        }
    }
    unflushed_ = true; // also if somebody has flushed meanwhile
}

void FloppyImage::flush() {
    if (!unflushed_.exchange(false)) return;
    if (::fdatasync(fd_.get()) == 0) return;
    unflushed_ = true;
    fail(path_, std::string("cannot be written: ") + std::strerror(errno));
}

namespace {

struct SavedSector {
    std::uint32_t place = 0;
    FloppyImage::Sector data{};
    void describe(StateArchive& a) {
        a.field("place", place);
        a.field("data", data);
    }
};

} // namespace

void FloppyImage::for_each_change(
    const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& change) const {
    overlay_.for_each([&](std::uint64_t place, const Changes::Unit& unit) { change(place, unit.bytes); });
}

void FloppyImage::set_change(std::uint64_t place, std::span<const std::uint8_t> sector) {
    if (place >= geometry_.total_sectors() || sector.size() != kFloppySectorSize)
        fail(path_, "a change beyond the end");
    overlay_.set(place, make_ref<Changes::Unit>(sector));
}

void FloppyImage::describe(StateArchive& a) {
    std::uint16_t kilobytes = geometry_.kilobytes;
    bool snapshot = options_.snapshot;
    bool write_protected = write_protected_;
    a.field("kilobytes", kilobytes);
    a.field("snapshot", snapshot, {.present = a.media_inside()});
    a.field("write_protected", write_protected);
    a.check(kilobytes == geometry_.kilobytes, "another size of medium is in the drive");
    a.check(snapshot == options_.snapshot, "the medium was in the drive as a snapshot, or is now");
    a.check(write_protected == write_protected_, "the medium's write protection differs");

    std::vector<SavedSector> sectors;
    std::vector<std::uint32_t> deleted;
    if (!a.loading()) {
        overlay_.for_each([&](std::uint64_t place, const Changes::Unit& unit) {
            sectors.push_back({static_cast<std::uint32_t>(place), unit.bytes});
        });
        deleted.assign(deleted_.begin(), deleted_.end());
    }
    const std::uint32_t total = geometry_.total_sectors();
    a.field("overlay", sectors, {.present = snapshot && a.media_inside(), .max_count = total});
    a.field("deleted_marks", deleted, {.below = total, .max_count = total});
    for (const SavedSector& s : sectors)
        a.check(s.place < total, "overlay: a sector beyond the medium");
    if (!a.loading()) return;
    if (a.media_inside()) {
        clear_changes();
        for (const SavedSector& s : sectors)
            overlay_.set(s.place, make_ref<Changes::Unit>(s.data));
    }
    deleted_ = {deleted.begin(), deleted.end()};
}

} // namespace btvm
