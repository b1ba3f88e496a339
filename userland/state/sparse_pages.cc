#include "userland/state/sparse_pages.hh"

#include <algorithm>
#include <cstring>

namespace btvm {

namespace {

constexpr std::uint64_t k4Gib = std::uint64_t{1} << 32;

bool all_zero(const std::vector<std::uint8_t>& bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

} // namespace

const std::vector<std::uint8_t>* SparsePages::find(std::uint64_t unit) const {
    const auto found = units.find(unit);
    return found == units.end() ? nullptr : &found->second;
}

SparsePages load_pages(const StateReader& reader, const StateEntry& entry, std::uint64_t most) {
    SparsePages pages;
    pages.name = entry.name;
    const std::vector<std::uint8_t> payload = reader.payload(entry);
    pages.set = page_set(payload, entry.name);
    std::uint64_t unpacked = 0;
    decode_pages(payload, entry.name, [&](std::uint64_t index, std::span<const std::uint8_t> data) {
        unpacked += data.size();
        if (unpacked > most)
            throw UnpacksToTooMuch(entry.name + ": unpacks to more than " + std::to_string(most >> 20) +
                                   " MiB");
        for (; !data.empty(); data = data.subspan(pages.set.unit), index++) {
            std::vector<std::uint8_t> unit(data.begin(), data.begin() + pages.set.unit);
            if (pages.set.base != PageBase::Zero || !all_zero(unit))
                pages.units.emplace(index, std::move(unit));
        }
    });
    return pages;
}

SavedMemory::SavedMemory(const StateReader& reader) {
    // A page costs next to nothing in the file: before any is unpacked, there must be a place for it.
    std::map<std::uint64_t, const StateEntry*> places;
    for (const StateEntry& entry : reader.entries()) {
        if (entry.type != state_format::Type::Pages || !entry.name.starts_with("memory/")) continue;
        const PageSet set = page_set(reader.payload(entry), entry.name);
        if (set.size > k4Gib || set.first > k4Gib - set.size || !places.emplace(set.first, &entry).second)
            throw StateError(entry.name + ": is where it cannot be");
    }
    std::uint64_t end = 0;
    for (const auto& [first, entry] : places) {
        if (first < end) throw StateError(entry->name + ": is where it cannot be");
        regions_.push_back(load_pages(reader, *entry));
        end = first + regions_.back().set.size;
    }
}

bool SavedMemory::read(std::uint64_t at, std::span<std::uint8_t> out) const {
    bool any = false;
    std::fill(out.begin(), out.end(), std::uint8_t{0xff});
    for (const SparsePages& region : regions_) {
        const PageSet& set = region.set;
        const std::uint64_t begin = std::max(at, set.first);
        const std::uint64_t end = std::min(at + out.size(), set.first + set.size);
        for (std::uint64_t now = begin; now < end;) {
            any = true;
            const std::uint64_t offset = now - set.first;
            const std::uint64_t part = std::min(end - now, set.unit - offset % set.unit);
            const std::vector<std::uint8_t>* const unit = region.find(offset / set.unit);
            if (unit)
                std::memcpy(out.data() + (now - at), unit->data() + offset % set.unit, part);
            else
                std::memset(out.data() + (now - at), 0, part);
            now += part;
        }
    }
    return any;
}

} // namespace btvm
