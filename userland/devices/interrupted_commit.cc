#include "userland/devices/interrupted_commit.hh"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "userland/devices/commit_journal.hh"
#include "userland/state/checksum.hh"
#include "userland/state/little_endian.hh"

namespace btvm {

using namespace journal_format;

namespace {

/// What is wrong with a journal: it is none of a commit to this image.
class BadJournal : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

std::string error_text() { return std::strerror(errno); }

std::uint64_t size_of(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

/// A journal that is read, from its beginning, and its checksum reckoned.
class JournalFile {
public:
    explicit JournalFile(const std::string& path) {
        // Neither a link is followed nor a pipe waited for.
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) return;
        file_.reset(::fdopen(fd, "rb"));
    }
    [[nodiscard]] explicit operator bool() const { return file_ != nullptr; }
    [[nodiscard]] int fd() const { return ::fileno(file_.get()); }
    void rewind() {
        std::rewind(file_.get());
        crc_ = 0;
    }
    [[nodiscard]] std::uint32_t crc() const { return crc_; }
    [[nodiscard]] bool at_end() { return std::fgetc(file_.get()) == EOF; }
    void read(std::span<std::uint8_t> out) {
        if (std::fread(out.data(), 1, out.size(), file_.get()) != out.size())
            throw BadJournal(std::ferror(file_.get()) ? "it cannot be read: " + error_text()
                                                      : "its end is missing");
        crc_ = crc32(out, crc_);
    }
    [[nodiscard]] std::uint64_t number(std::size_t size) {
        std::array<std::uint8_t, 8> bytes{};
        read(std::span(bytes).first(size));
        return get_number(std::span(bytes).first(size));
    }

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file_;
    std::uint32_t crc_{};
};

struct Record {
    std::uint64_t at{};
    std::vector<std::uint8_t> before; ///< Checksums, four bytes each.
    std::vector<std::uint8_t> bytes;
};

/// Reads a journal from beginning to end, with each record as it comes; the checksum is known to be right
/// only at the end. Throws BadJournal.
void read_journal(JournalFile& journal, std::uint64_t image_bytes,
                  const std::function<void(const Record&)>& each) {
    journal.rewind();
    std::array<std::uint8_t, kMagic.size()> magic{};
    journal.read(magic);
    if (magic != kMagic) throw BadJournal("it does not begin like one");
    if (const std::uint64_t version = journal.number(4); version != kVersion)
        throw BadJournal("it is of version " + std::to_string(version));
    if (const std::uint64_t bytes = journal.number(8); bytes != image_bytes)
        throw BadJournal("it is of an image of " + std::to_string(bytes) + " bytes");
    Record record;
    std::uint64_t end = 0;
    for (std::uint64_t left = journal.number(8); left; left--) {
        record.at = journal.number(8);
        const std::uint64_t size = journal.number(4);
        if (size == 0 || size > kLargestRecord || size % kSector != 0 || record.at % kSector != 0 ||
            record.at < end || record.at > image_bytes || size > image_bytes - record.at)
            throw BadJournal("it is damaged: a record is where none can be");
        end = record.at + size;
        record.before.resize(size / kSector * 4);
        record.bytes.resize(size);
        journal.read(record.before);
        journal.read(record.bytes);
        each(record);
    }
    const std::uint32_t crc = journal.crc();
    if (journal.number(4) != crc) throw BadJournal("it is damaged: its checksum is wrong");
    if (!journal.at_end()) throw BadJournal("it is damaged: something follows its end");
}

/// Throws BadJournal unless each sector of the image is as it was or as it is to be.
void compare(int image, const Record& record) {
    std::vector<std::uint8_t> present(record.bytes.size());
    // What cannot be read cannot tell; perhaps it can be written.
    if (::pread(image, present.data(), present.size(), static_cast<off_t>(record.at)) !=
        static_cast<ssize_t>(present.size()))
        return;
    for (std::size_t sector = 0; sector < present.size() / kSector; sector++) {
        const auto now = std::span(present).subspan(sector * kSector, kSector);
        const auto after = std::span(record.bytes).subspan(sector * kSector, kSector);
        if (std::ranges::equal(now, after)) continue;
        if (crc32(now) != get_number(std::span(record.before).subspan(sector * 4, 4)))
            throw BadJournal("it is of another image, or the image has been written since");
    }
}

/// Throws BadJournal.
void check_whole(JournalFile& journal, int image) {
    read_journal(journal, size_of(image), [image](const Record& record) { compare(image, record); });
}

enum class Origin {
    Ours,    ///< Of somebody who may write the image, and whom we trust with it.
    Unknown, ///< Of somebody who may have been committing, and whom we do not trust.
    Nobodys  ///< Of nobody who could have been.
};

Origin origin_of(const struct stat& journal, const struct stat& image) {
    constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
    if (!S_ISREG(journal.st_mode)) return Origin::Nobodys;
    if (journal.st_uid != image.st_uid && journal.st_uid != ::geteuid() && journal.st_uid != 0)
        return image.st_mode & kOthersWrite ? Origin::Unknown : Origin::Nobodys;
    return journal.st_mode & kOthersWrite ? Origin::Unknown : Origin::Ours;
}

/// A journal that lies beside an open image.
class FoundJournal {
public:
    FoundJournal(int image, const std::string& path)
        : image_(image), path_(path), name_(journal_path(image, path)) {
        struct stat image_info {};
        struct stat info {};
        if (name_.empty() || ::fstat(image, &image_info) != 0 || ::lstat(name_.c_str(), &info) != 0) return;
        there_ = true;
        origin_ = origin_of(info, image_info);
        owner_ = info.st_uid;
        if (origin_ != Origin::Ours) return;
        file_.emplace(name_);
        // It may be another one by now.
        if (*file_ && ::fstat(file_->fd(), &info) == 0) origin_ = origin_of(info, image_info);
    }
    [[nodiscard]] bool there() const { return there_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Why it is none of a commit to this image; empty: it is one. Throws DiskError if that cannot be told.
    [[nodiscard]] std::string fault() {
        if (origin_ == Origin::Nobodys) return "it is of nobody who may write the image";
        if (origin_ == Origin::Unknown)
            refuse("it is user " + std::to_string(owner_) +
                   "'s, or may be written by others: let that user open the image, or remove it if it is "
                   "none of yours");
        if (!*file_) refuse("it cannot be read");
        try {
            check_whole(*file_, image_);
        } catch (const BadJournal& error) {
            return error.what();
        }
        return {};
    }
    [[noreturn]] void refuse(const std::string& why) const {
        throw UnfinishedCommit(path_ + ": a commit to it was interrupted, and " + name_ +
                               " has to be written into it first: " + why);
    }
    void apply() {
        try {
            read_journal(*file_, size_of(image_), [this](const Record& record) { write(record); });
        } catch (const BadJournal& error) {
            refuse(error.what()); // it was whole when it was looked at
        }
        if (::fdatasync(image_) != 0) refuse("the image cannot be written: " + error_text());
        remove_journal(name_);
    }
    /// Its new name; empty: it has kept its own.
    [[nodiscard]] std::string put_aside() const {
        for (int number = 1; number < 10; number++) {
            const std::string aside = name_ + ".bad" + (number > 1 ? std::to_string(number) : "");
            if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) == 0)
                return aside;
            if (errno != EEXIST) return {};
        }
        return {};
    }

private:
    void write(const Record& record) {
        std::span<const std::uint8_t> in = record.bytes;
        for (std::uint64_t at = record.at; !in.empty();) {
            const ssize_t n = ::pwrite(image_, in.data(), in.size(), static_cast<off_t>(at));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0)
                refuse("the image cannot be written: " + std::string(std::strerror(n == 0 ? ENOSPC : errno)));
            in = in.subspan(static_cast<std::size_t>(n));
            at += static_cast<std::uint64_t>(n);
        }
    }

    int image_;
    std::string path_, name_;
    bool there_{};
    Origin origin_{};
    uid_t owner_{};
    std::optional<JournalFile> file_; ///< Ours only.
};

} // namespace

bool journal_is_there(int image, const std::string& path) { return FoundJournal(image, path).there(); }

std::string finish_commit(int image, const std::string& path) {
    FoundJournal journal(image, path);
    if (!journal.there()) return {};
    if (const std::string fault = journal.fault(); !fault.empty()) {
        const std::string aside = journal.put_aside();
        return journal.name() + ": is no journal of a commit to " + path + ": " + fault +
               "; nothing of it was written, and it is " + (aside.empty() ? "still there" : "now " + aside);
    }
    journal.apply();
    return path + ": a commit to it was interrupted, and is now complete";
}

std::string pass_over_journal(int image, const std::string& path, const std::string& reason) {
    FoundJournal journal(image, path);
    if (!journal.there()) return {};
    const std::string fault = journal.fault();
    if (fault.empty()) journal.refuse(reason);
    return journal.name() + ": is no journal of a commit to " + path + ": " + fault;
}

} // namespace btvm
