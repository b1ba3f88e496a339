#include "userland/checkpoint/page_store.hh"

#include <algorithm>
#include <cstring>

namespace btvm {

namespace {

/// Four lanes of multiply and mix: the speed of memory. Equal hashes are compared, so a bad hash costs time
/// only.
std::uint64_t hash_of(std::span<const std::uint8_t, kStoredPage> bytes) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    std::uint64_t lane[4] = {1, 2, 3, 4};
    for (std::size_t at = 0; at < kStoredPage; at += sizeof lane) {
        std::uint64_t word[4];
        std::memcpy(word, bytes.data() + at, sizeof word);
        for (int i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ word[i]) * kOdd;
            lane[i] ^= lane[i] >> 29;
        }
    }
    std::uint64_t hash = 0;
    for (const std::uint64_t each : lane)
        hash = (hash ^ each) * kOdd + (hash >> 31);
    return hash;
}

} // namespace

PageStore::Page::Page(PageStore& store, std::uint64_t hash, std::span<const std::uint8_t, kStoredPage> bytes)
    : store_(store), hash_(hash) {
    std::memcpy(bytes_.data(), bytes.data(), kStoredPage);
}

PageStore::Page::~Page() {
    const auto [first, last] = store_.pages_.equal_range(hash_);
    const auto self = std::find_if(first, last, [this](const auto& entry) { return entry.second == this; });
    if (self != last) store_.pages_.erase(self);
}

Ref<PageStore::Page> PageStore::add(std::span<const std::uint8_t, kStoredPage> bytes) {
    const std::uint64_t hash = hash_of(bytes);
    const auto [first, last] = pages_.equal_range(hash);
    for (auto entry = first; entry != last; ++entry)
        if (std::memcmp(entry->second->bytes_.data(), bytes.data(), kStoredPage) == 0)
            return Ref<Page>(entry->second);
    Ref<Page> page = make_ref<Page>(*this, hash, bytes);
    pages_.emplace(hash, page.get());
    return page;
}

} // namespace btvm
