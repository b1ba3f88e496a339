#include "userland/machine/tracked_memory.hh"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>

namespace btvm {

namespace {

constexpr std::uint64_t kFrames = (std::uint64_t{1} << 32) / kStoredPage;

bool is_zero(std::span<const std::uint8_t, kStoredPage> bytes) {
    return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, kStoredPage - 1) == 0;
}

} // namespace

TrackedMemory::TrackedMemory(Engine& engine, PhysicalMemory& memory) : engine_(engine) {
    known_.pages = PageMap(kFrames);
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

TrackedMemory::Bytes TrackedMemory::bytes_of(std::uint64_t frame) const {
    const Region& region = region_of(frame);
    return Bytes(region.memory + (frame - region.first_frame) * kStoredPage, kStoredPage);
}

bool TrackedMemory::holds(std::uint64_t frame) const {
    return std::any_of(regions_.begin(), regions_.end(), [frame](const Region& region) {
        return frame >= region.first_frame && frame - region.first_frame < region.pages;
    });
}

template <class F>
void TrackedMemory::for_each_page(F f) const {
    for (const Region& region : regions_)
        for (std::uint64_t page = 0; page < region.pages; page++)
            f(region.first_frame + page);
}

bool TrackedMemory::is_known(std::uint64_t frame, Bytes bytes) const {
    const PageStore::Page* const before = known_.pages.find(frame);
    return before ? std::memcmp(before->bytes().data(), bytes.data(), kStoredPage) == 0 : is_zero(bytes);
}

std::optional<std::uint64_t> TrackedMemory::unnoticed() const {
    const Lock lock(mutex_);
    std::optional<std::uint64_t> found;
    for_each_page([&](std::uint64_t frame) {
        if (!found && !is_known(frame, bytes_of(frame))) found = frame;
    });
    return found;
}

Ref<PageStore::Page> TrackedMemory::stored(std::span<const std::uint8_t, kStoredPage> bytes) {
    return is_zero(bytes) ? Ref<PageStore::Page>() : known_.store->add(bytes);
}

Ref<PageStore::Page> TrackedMemory::store_page(std::span<const std::uint8_t, kStoredPage> bytes) {
    const Lock lock(mutex_);
    return stored(bytes);
}

void TrackedMemory::note(std::uint64_t frame, Bytes bytes) {
    if (!is_known(frame, bytes)) known_.pages.set(frame, stored(bytes));
}

std::uint64_t TrackedMemory::begin_round() {
    const Lock lock(mutex_);
    return begun_ ? 0 : begin_round_locked();
}

std::uint64_t TrackedMemory::begin_round_locked() {
    const bool all = !std::exchange(gathering_, false) || round_is_all_;
    std::vector<std::uint64_t> written;
    for_each_dirty([&](std::uint64_t frame, Bytes) {
        if (!all) written.push_back(frame);
    });
    if (all) {
        round_is_all_ = true; // who reads it names its pages: the guest need not wait for that
        round_.clear();
    } else {
        const std::vector<std::uint64_t> before = std::exchange(round_, {});
        const auto left =
            before.begin() + static_cast<std::ptrdiff_t>(gathered_.load()); // if it was given up
        std::set_union(left, before.end(), written.begin(), written.end(), std::back_inserter(round_));
    }
    gathered_ = 0;
    gathering_ = true;
    if (!all) return round_.size();
    return std::accumulate(regions_.begin(), regions_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const Region& region) { return sum + region.pages; });
}

void TrackedMemory::gather(const std::atomic<bool>& give_up) {
    const Lock lock(mutex_);
    if (gathering_) read_round(give_up);
}

void TrackedMemory::name_round() {
    if (std::exchange(round_is_all_, false))
        for_each_page([this](std::uint64_t frame) { round_.push_back(frame); });
}

void TrackedMemory::read_round(const std::atomic<bool>& give_up) {
    name_round();
    std::array<std::uint8_t, kStoredPage> copy;
    for (; gathered_ < round_.size() && !give_up; ++gathered_) {
        const std::uint64_t frame = round_[gathered_];
        // The guest may be writing it. Then what we see is of no moment, but the page is in the engine's log,
        // and what counts is read when the guest stands still.
        if (is_known(frame, bytes_of(frame))) continue;
        std::memcpy(copy.data(), bytes_of(frame).data(), kStoredPage);
        note(frame, copy);
    }
}

void TrackedMemory::reserve_aside(std::uint64_t pages) {
    const Lock lock(mutex_);
    settle_aside();
    aside_.resize(pages * kStoredPage);
}

void TrackedMemory::set_aside() {
    const Lock lock(mutex_);
    if (begun_) {
        moment_ = capture_locked();
        drop_aside();
        return;
    }
    settle_aside();
    (void)begin_round_locked();
    name_round();
    gathering_ = false; // should memory run out here, the log is lost: the next capture() reads all pages
    const auto room =
        round_.begin() + static_cast<std::ptrdiff_t>(std::min(round_.size(), aside_.size() / kStoredPage));
    set_aside_.assign(round_.begin(), room);
    for (std::size_t i = 0; i < set_aside_.size(); i++)
        std::memcpy(aside_.data() + i * kStoredPage, bytes_of(set_aside_[i]).data(), kStoredPage);
    std::for_each(room, round_.end(), [this](std::uint64_t frame) { note(frame, bytes_of(frame)); });
    begun_ = aside_pending_ = true;
}

void TrackedMemory::settle_aside() {
    if (!aside_pending_) return;
    for (std::size_t i = 0; i < set_aside_.size(); i++)
        note(set_aside_[i], Bytes(aside_.data() + i * kStoredPage, kStoredPage));
    moment_ = known_.pages;
    drop_aside();
}

void TrackedMemory::drop_aside() {
    aside_pending_ = false;
    set_aside_ = {};
    aside_ = {};
}

PageMap TrackedMemory::take_aside() {
    const Lock lock(mutex_);
    settle_aside();
    return std::exchange(moment_, std::nullopt).value_or(PageMap());
}

TrackedMemory::Known TrackedMemory::forget() {
    const Lock lock(mutex_);
    begun_ = gathering_ = round_is_all_ = false;
    drop_aside();
    moment_.reset();
    Known last;
    std::swap(last, known_);
    known_.pages = PageMap(kFrames);
    return last;
}

const PageMap& TrackedMemory::capture() {
    const Lock lock(mutex_);
    return capture_locked();
}

const PageMap& TrackedMemory::capture_locked() {
    settle_aside();
    // Should there be no memory for all of it, the log is lost: the next one reads all pages again.
    const bool gathered = std::exchange(gathering_, false);
    const bool all = !std::exchange(begun_, false) && !gathered;
    for_each_dirty([this, all](std::uint64_t frame, Bytes bytes) {
        if (!all) note(frame, bytes);
    });
    if (gathered) {
        static constexpr std::atomic<bool> kNever{false};
        read_round(kNever);
    } else if (all) {
        for_each_page([this](std::uint64_t frame) { note(frame, bytes_of(frame)); });
    }
    begun_ = true;
    return known_.pages;
}

std::uint64_t TrackedMemory::restore(const PageMap& wanted) {
    const Lock lock(mutex_);
    settle_aside();
    if (!begun_) (void)capture_locked();
    begun_ = false; // until memory and what is known of it agree again
    std::vector<std::uint64_t> written, differing, frames;
    for_each_dirty([&written](std::uint64_t frame, Bytes) { written.push_back(frame); });
    PageMap::for_each_difference(known_.pages, wanted, [&](std::uint64_t frame, const auto*, const auto*) {
        differing.push_back(frame);
    });
    std::set_union(written.begin(), written.end(), differing.begin(), differing.end(),
                   std::back_inserter(frames));
    write(frames, wanted);
    known_.pages = wanted;
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
