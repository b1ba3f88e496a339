#include <gtest/gtest.h>

#include "userland/checkpoint/page_store.hh"

namespace btvm {
namespace {

std::array<std::uint8_t, kStoredPage> filled(std::uint8_t value, std::size_t odd = 0, std::uint8_t with = 0) {
    std::array<std::uint8_t, kStoredPage> page;
    page.fill(value);
    page[odd] = with;
    return page;
}

TEST(PageStore, EqualPagesAreOne) {
    PageStore store;
    const auto a = store.add(filled(1)), b = store.add(filled(2)), again = store.add(filled(1));
    EXPECT_EQ(a.get(), again.get());
    EXPECT_NE(a.get(), b.get());
    EXPECT_EQ(store.pages(), 2u);
    EXPECT_EQ(a->bytes()[100], 1);
}

TEST(PageStore, APageGoesWithItsLastHolder) {
    PageStore store;
    auto a = store.add(filled(1));
    auto other = a;
    a = {};
    EXPECT_EQ(store.pages(), 1u);
    other = {};
    EXPECT_EQ(store.pages(), 0u);
    EXPECT_EQ(store.add(filled(1))->bytes()[0], 0);
}

TEST(PageStore, AByteAnywhereMakesAnotherPage) {
    PageStore store;
    std::vector<Ref<PageStore::Page>> pages;
    for (std::size_t at = 0; at < kStoredPage; at++)
        pages.push_back(store.add(filled(9, at, 10)));
    EXPECT_EQ(store.pages(), kStoredPage);
    EXPECT_EQ(pages[77]->bytes()[77], 10);
}

} // namespace
} // namespace btvm
