#include "userland/machine/power_port.hh"

#include "userland/devices/state.hh"

namespace btvm {

void PowerPort::write(std::uint16_t, unsigned, std::uint32_t value) {
    constexpr std::string_view kWord = "Shutdown";
    if (value == static_cast<unsigned char>(kWord[matched_]))
        matched_++;
    else
        matched_ = value == static_cast<unsigned char>(kWord[0]) ? 1 : 0;
    if (matched_ == kWord.size()) {
        matched_ = 0;
        power_off_();
    }
}

void PowerPort::describe(StateArchive& archive) { archive.field("matched", matched_, {.below = 8}); }

} // namespace btvm
