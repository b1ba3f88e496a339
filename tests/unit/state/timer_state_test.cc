// A timer that cannot be: refused.
#include <gtest/gtest.h>

#include "userland/devices/pic_state.hh"

namespace btvm {
namespace {

TEST(TimerState, ImpossibleValuesAreRefused) {
    Pit pit;
    StateSection section = save_state("pit", pit);
    section.fields[1].children[0].children[7].number = 0; // channel 0, count
    ASSERT_EQ(section.fields[1].children[0].children[7].name, "count");
    EXPECT_THROW(load_state(pit, section), StateError);
}

} // namespace
} // namespace btvm
