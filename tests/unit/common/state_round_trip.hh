// The property every device has to keep: saving and restoring between any two operations changes nothing that
// a guest can see. Two boards get the same operations; on one of them the device is replaced, each time, by a
// new one that is loaded from the old one's saved bytes.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/state.hh"

namespace btvm::test {

/// `make` builds the device on a board. `operate` does one random operation on the device and returns what
/// the guest saw; it draws only from the generator it is given, and acts on the two sides alike.
template <class D>
void check_state_round_trips(const std::function<std::unique_ptr<D>(TestBoard&)>& make,
                             const std::function<std::uint64_t(TestBoard&, D&, std::mt19937&)>& operate,
                             unsigned operations, unsigned seed) {
    TestBoard plain_board;
    TestBoard saved_board;
    auto plain = make(plain_board);
    auto saved = make(saved_board);
    std::mt19937 plain_random(seed);
    std::mt19937 saved_random(seed);
    for (unsigned i = 0; i < operations; ++i) {
        const std::uint64_t expected = operate(plain_board, *plain, plain_random);
        const std::uint64_t seen = operate(saved_board, *saved, saved_random);
        ASSERT_EQ(seen, expected) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved_board.lines, plain_board.lines) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved_board.rises, plain_board.rises) << "operation " << i << ", seed " << seed;
        ASSERT_EQ(saved->deadline(), plain->deadline()) << "operation " << i << ", seed " << seed;

        std::vector<std::uint8_t> bytes;
        append_bytes(save_state(*saved), bytes);
        auto next = make(saved_board);
        std::span<const std::uint8_t> rest(bytes);
        load_state(*next, take_section(rest));
        ASSERT_TRUE(rest.empty());
        saved = std::move(next);
    }
    EXPECT_EQ(differences(save_state(*plain), save_state(*saved)), std::vector<std::string>{});
}

} // namespace btvm::test
