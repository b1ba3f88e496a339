// Pages of guest memory that checkpoints hold. Equal pages are one, wherever they come from; a page goes when
// the last checkpoint that holds it does.
#pragma once

#include <array>
#include <span>
#include <unordered_map>

#include "userland/checkpoint/block_map.hh"

namespace btvm {

inline constexpr std::size_t kStoredPage = 4096; ///< Bytes.

class PageStore {
public:
    class Page final : public RefCounted {
    public:
        Page(PageStore& store, std::uint64_t hash, std::span<const std::uint8_t, kStoredPage> bytes);
        Page(const Page&) = delete;
        ~Page() override;
        [[nodiscard]] std::span<const std::uint8_t, kStoredPage> bytes() const { return bytes_; }

    private:
        friend class PageStore;
        PageStore& store_;
        std::uint64_t hash_;
        std::array<std::uint8_t, kStoredPage> bytes_;
    };

    PageStore() = default;
    PageStore(const PageStore&) = delete;
    PageStore& operator=(const PageStore&) = delete;

    /// The page with these bytes. The store must live longer than all its pages.
    [[nodiscard]] Ref<Page> add(std::span<const std::uint8_t, kStoredPage> bytes);
    /// Different pages there are.
    [[nodiscard]] std::uint64_t pages() const { return pages_.size(); }

private:
    std::unordered_multimap<std::uint64_t, Page*> pages_; ///< By hash.
};

/// What is in guest-physical memory, by page frame number; pages that are all zeros are not in it.
using PageMap = BlockMap<PageStore::Page>;

} // namespace btvm
