// A commit: what a layer keeps of an image goes into its file, as a whole or not at all.
#pragma once

#include <algorithm>
#include <vector>

#include "userland/checkpoint/ref.hh"
#include "userland/devices/commit_journal.hh"

namespace btvm {

struct LayerCommit {
    std::uint64_t bytes{}; ///< Written.
    /// Being killed in the middle of it, or a power cut, would have left the image as it was or as it is now.
    bool atomic{true};
};

/// What is kept is told to `each` as place, what the file has there, and what it shall have.
template <class Image, class F>
void for_each_kept(const Image& image, const F& each) {
    using Unit = typename Image::Changes::Unit;
    constexpr std::uint64_t kUnit = Image::kChangeUnit;
    image.changes().for_each([&](std::uint64_t number, const Unit& unit) {
        const std::uint64_t at = number * kUnit;
        const auto size = static_cast<std::size_t>(std::min(kUnit, image.bytes() - at)); // the last one's
        const auto before = make_ref<Unit>();
        image.read_file(at, std::span(before->bytes).first(size));
        each(number, before, std::span(unit.bytes).first(size));
    });
}

/// Puts what is kept of an image into its file. `others` are earlier states of it, which go on to show what
/// they showed: what they took from the file so far they now keep themselves.
///
/// All of it is written twice, first to a journal; but for a single sector, which the disk writes whole, and
/// an image that can have none beside it. If the journal cannot be written, the image is as it was. If the
/// image cannot, all is still kept, and the next time all of it is written again: after an fdatasync() that
/// has failed the host may have dropped what it shows us as written. Should there be no next time, the
/// journal is there.
template <class Image>
LayerCommit commit_layer(Image& image, const std::vector<typename Image::Changes*>& others) {
    using Unit = typename Image::Changes::Unit;
    constexpr std::uint64_t kUnit = Image::kChangeUnit;
    LayerCommit done;
    if (!image.can_commit()) return done;
    CommitJournal journal(image.descriptor(), image.path());
    const std::uint64_t count = image.changes().size();
    if (count == 0) {
        // Had an earlier commit, which failed, changed the image, what was there before would be kept.
        if (journal.is_there()) journal.remove();
        return done;
    }
    const bool one_sector = count * kUnit <= journal_format::kSector;
    const bool journaled = journal.is_there() || (journal.possible() && !one_sector);
    if (journaled) {
        journal.begin(image.bytes(), count);
        for_each_kept(image,
                      [&](std::uint64_t number, const Ref<Unit>& before, std::span<const std::uint8_t> unit) {
                          journal.add(number * kUnit, std::span(before->bytes).first(unit.size()), unit);
                      });
        journal.finish();
    }
    for_each_kept(image,
                  [&](std::uint64_t number, const Ref<Unit>& before, std::span<const std::uint8_t> unit) {
                      for (typename Image::Changes* const other : others)
                          if (!other->find(number)) other->set(number, before);
                      image.write_file(number * kUnit, unit);
                      done.bytes += unit.size();
                  });
    image.flush_file();
    if (journaled) journal.remove();
    image.clear_changes();
    done.atomic = journaled || one_sector;
    return done;
}

} // namespace btvm
