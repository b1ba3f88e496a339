// Maps that share what they have in common, against plain ones that do not.
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

#include "userland/checkpoint/block_map.hh"

namespace btvm {
namespace {

int living = 0; ///< Blocks there are.

struct Block final : RefCounted {
    explicit Block(int v) : value(v) { living++; }
    Block(const Block& other) : RefCounted(other), value(other.value) { living++; }
    ~Block() override { living--; }
    int value;
};

using Map = BlockMap<Block>;
using Plain = std::map<std::uint64_t, int>;

Plain content(const Map& map) {
    Plain out;
    std::uint64_t last = 0;
    map.for_each([&](std::uint64_t number, const Block& block) {
        EXPECT_TRUE(out.empty() || number > last) << "in order";
        last = number;
        out[number] = block.value;
    });
    EXPECT_EQ(out.size(), map.size());
    return out;
}

TEST(BlockMap, HoldsWhatWasPutInUpToItsCapacity) {
    for (const std::uint64_t capacity : {1ull, 64ull, 65ull, 4096ull, 4097ull, 1ull << 20, 1ull << 32}) {
        Map map(capacity);
        EXPECT_EQ(map.find(capacity - 1), nullptr);
        map.set(capacity - 1, make_ref<Block>(7));
        map.set(0, make_ref<Block>(8));
        ASSERT_NE(map.find(capacity - 1), nullptr) << capacity;
        EXPECT_EQ(map.find(0)->value, 8);
        EXPECT_EQ(map.size(), capacity == 1 ? 1u : 2u);
        map.set(0, {});
        EXPECT_EQ(map.find(0), nullptr);
    }
    EXPECT_EQ(living, 0);
}

TEST(BlockMap, ACopyStaysAsItWasWhenTheOriginalIsWritten) {
    Map map(1000);
    map.set(5, make_ref<Block>(1));
    map.set(500, make_ref<Block>(2));
    const Map copy = map;
    map.own(5).value = 10;
    map.set(6, make_ref<Block>(3));
    map.set(500, {});
    EXPECT_EQ(content(copy), (Plain{{5, 1}, {500, 2}}));
    EXPECT_EQ(content(map), (Plain{{5, 10}, {6, 3}}));
    const Block* const mine = map.find(5);
    map.own(5).value = 11;
    EXPECT_EQ(map.find(5), mine) << "a block that nobody shares is written in its place";
}

/// Many maps, each a copy of another one and then changed, compared with plain maps all along.
TEST(BlockMap, ManyCopiesBehaveAsPlainMapsDo) {
    std::mt19937 random(1);
    constexpr std::uint64_t kCapacity = 70000;
    std::vector<Map> maps{Map(kCapacity)};
    std::vector<Plain> plain(1);
    for (int step = 0; step < 4000; step++) {
        const std::size_t which = random() % maps.size();
        const std::uint64_t number = random() % 4 ? random() % 200 : random() % kCapacity;
        const int value = static_cast<int>(random() % 1000);
        switch (random() % 10) {
        case 0: {
            const std::size_t to = random() % 12;
            if (to >= maps.size()) {
                maps.push_back(maps[which]);
                plain.push_back(plain[which]);
            } else {
                maps[to] = maps[which];
                plain[to] = plain[which];
            }
            break;
        }
        case 1:
            maps[which].set(number, {});
            plain[which].erase(number);
            break;
        case 2:
            if (!maps[which].find(number)) break;
            maps[which].own(number).value = value;
            plain[which][number] = value;
            break;
        default: maps[which].set(number, make_ref<Block>(value)); plain[which][number] = value;
        }
        for (std::size_t i = 0; step % 100 == 0 && i < maps.size(); i++)
            ASSERT_EQ(content(maps[i]), plain[i]) << step;
    }
    // Whatever differs is told, and nothing that is the same block in both.
    for (std::size_t i = 0; i < maps.size(); i++)
        for (std::size_t j = 0; j < maps.size(); j++) {
            Plain patched = plain[i];
            Map::for_each_difference(
                maps[i], maps[j], [&](std::uint64_t number, const Block* a, const Block* b) {
                    ASSERT_NE(a, b);
                    ASSERT_EQ(a ? a->value : -1, plain[i].contains(number) ? plain[i][number] : -1);
                    if (b)
                        patched[number] = b->value;
                    else
                        patched.erase(number);
                });
            ASSERT_EQ(patched, plain[j]);
        }
    maps.clear();
    EXPECT_EQ(living, 0);
}

TEST(BlockMap, ComparingLooksOnlyAtWhatIsNotShared) {
    Map map(1u << 20);
    for (std::uint64_t i = 0; i < 20000; i++)
        map.set(i * 50, make_ref<Block>(0));
    Map other = map;
    other.own(777 * 50).value = 1;
    std::vector<std::uint64_t> told;
    Map::for_each_difference(map, other,
                             [&](std::uint64_t n, const Block*, const Block*) { told.push_back(n); });
    EXPECT_EQ(told, (std::vector<std::uint64_t>{777 * 50}));
    EXPECT_EQ(living, 20001);
}

TEST(BlockMap, AnEmptyMapOfNoCapacityDiffersByAllOfTheOther) {
    Map map(1000);
    map.set(3, make_ref<Block>(1));
    int told = 0;
    Map::for_each_difference(Map(), map,
                             [&told](std::uint64_t, const Block* a, const Block* b) { told += !a && b; });
    Map::for_each_difference(map, Map(),
                             [&told](std::uint64_t, const Block* a, const Block* b) { told += a && !b; });
    EXPECT_EQ(told, 2);
}

} // namespace
} // namespace btvm
