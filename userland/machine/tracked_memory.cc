#include "userland/machine/tracked_memory.hh"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

namespace btvm {

namespace {

constexpr std::uint64_t kFrames = (std::uint64_t{1} << 32) / kStoredPage;

bool is_zero(std::span<const std::uint8_t, kStoredPage> bytes) {
    return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, kStoredPage - 1) == 0;
}

} // namespace

TrackedMemory::TrackedMemory(Engine& engine, PhysicalMemory& memory) : engine_(engine), known_(kFrames) {
    std::size_t words = 0;
    for (std::size_t i = 0; i < memory.regions().size(); i++) {
        const MemoryRegion& region = memory.regions()[i];
        if (region.read_only) continue;
        regions_.push_back({i, region.first / kStoredPage, region.size / kStoredPage, region.memory});
        words = std::max(words, Engine::dirty_words(region.size));
    }
    std::sort(regions_.begin(), regions_.end(),
              [](const Region& a, const Region& b) { return a.first_frame < b.first_frame; });
    bitmap_.resize(words);
}

template <class F>
void TrackedMemory::for_each_dirty(F f) {
    for (const Region& region : regions_) {
        const auto words = std::span(bitmap_).first(Engine::dirty_words(region.pages * kStoredPage));
        engine_.take_dirty(region.number, words);
        for (std::size_t word = 0; word < words.size(); word++)
            for (std::uint64_t left = words[word]; left; left &= left - 1) {
                const std::uint64_t page = word * 64 + static_cast<unsigned>(std::countr_zero(left));
                f(region.first_frame + page, Bytes(region.memory + page * kStoredPage, kStoredPage));
            }
    }
}

const TrackedMemory::Region& TrackedMemory::region_of(std::uint64_t frame) const {
    return *std::prev(std::upper_bound(regions_.begin(), regions_.end(), frame,
                                       [](std::uint64_t f, const Region& r) { return f < r.first_frame; }));
}

bool TrackedMemory::is_known(std::uint64_t frame, Bytes bytes) const {
    const PageStore::Page* const before = known_.find(frame);
    return before ? std::memcmp(before->bytes().data(), bytes.data(), kStoredPage) == 0 : is_zero(bytes);
}

std::optional<std::uint64_t> TrackedMemory::unnoticed() const {
    for (const Region& region : regions_)
        for (std::uint64_t page = 0; page < region.pages; page++)
            if (!is_known(region.first_frame + page, Bytes(region.memory + page * kStoredPage, kStoredPage)))
                return region.first_frame + page;
    return std::nullopt;
}

void TrackedMemory::note(std::uint64_t frame, Bytes bytes) {
    if (is_known(frame, bytes)) return;
    known_.set(frame, is_zero(bytes) ? Ref<PageStore::Page>() : store_.add(bytes));
}

const PageMap& TrackedMemory::capture() {
    // Should there be no memory for all of it, the log is lost: the next one reads all pages again.
    const bool all = !std::exchange(begun_, false);
    for_each_dirty([this, all](std::uint64_t frame, Bytes bytes) {
        if (!all) note(frame, bytes);
    });
    if (all)
        for (const Region& region : regions_)
            for (std::uint64_t page = 0; page < region.pages; page++)
                note(region.first_frame + page, Bytes(region.memory + page * kStoredPage, kStoredPage));
    begun_ = true;
    return known_;
}

std::uint64_t TrackedMemory::restore(const PageMap& wanted) {
    if (!begun_) (void)capture();
    begun_ = false; // until memory and what is known of it agree again
    std::vector<std::uint64_t> written, differing, frames;
    for_each_dirty([&written](std::uint64_t frame, Bytes) { written.push_back(frame); });
    PageMap::for_each_difference(
        known_, wanted, [&](std::uint64_t frame, const auto*, const auto*) { differing.push_back(frame); });
    std::set_union(written.begin(), written.end(), differing.begin(), differing.end(),
                   std::back_inserter(frames));
    write(frames, wanted);
    known_ = wanted;
    // Our own writes are none that a next checkpoint has to look at.
    if (!frames.empty()) for_each_dirty([](std::uint64_t, Bytes) {});
    begun_ = true;
    return frames.size();
}

void TrackedMemory::write(std::span<const std::uint64_t> frames, const PageMap& wanted) {
    while (!frames.empty()) {
        // Pages that lie side by side are told to the engine at once.
        const Region& region = region_of(frames.front());
        const std::uint64_t first = frames.front(), end = region.first_frame + region.pages;
        std::size_t count = 0;
        for (; count < frames.size() && frames[count] == first + count && frames[count] < end; count++) {
            std::uint8_t* const to = region.memory + (frames[count] - region.first_frame) * kStoredPage;
            if (const PageStore::Page* const page = wanted.find(frames[count]))
                std::memcpy(to, page->bytes().data(), kStoredPage);
            else
                std::memset(to, 0, kStoredPage);
        }
        engine_.memory_written(first * kStoredPage, count * kStoredPage);
        frames = frames.subspan(count);
    }
}

std::uint64_t TrackedMemory::differing_pages(const PageMap& a, const PageMap& b) {
    std::uint64_t count = 0;
    PageMap::for_each_difference(a, b, [&count](std::uint64_t, const auto*, const auto*) { count++; });
    return count;
}

} // namespace btvm
