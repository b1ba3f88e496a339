#include "userland/machine/reset_control.hh"

#include "userland/devices/state.hh"

namespace btvm {

namespace {

constexpr std::uint8_t kResetCpu =
    0x04; ///< A rise resets; bit 1 chooses between hard and soft, which is one here.
constexpr std::uint8_t kWritable = 0x06;

} // namespace

std::uint32_t ResetControl::read(std::uint16_t, unsigned) { return register_; }

void ResetControl::write(std::uint16_t, unsigned, std::uint32_t value) {
    const bool rises = (value & ~register_ & kResetCpu) != 0;
    register_ = static_cast<std::uint8_t>(value & kWritable);
    if (rises) platform_.request_reset();
}

void ResetControl::describe(StateArchive& archive) { archive.field("register", register_); }

} // namespace btvm
