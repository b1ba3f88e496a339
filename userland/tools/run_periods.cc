#include "userland/tools/run_periods.hh"

#include <charconv>

namespace btvm {

std::optional<GuestTime> parse_period(std::string_view text) {
    using namespace std::chrono;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    GuestTime unit{};
    if (text == "ms")
        unit = milliseconds(1);
    else if (text == "s" || text.empty())
        unit = seconds(1);
    else if (text == "m")
        unit = minutes(1);
    else if (text == "h")
        unit = hours(1);
    const GuestTime period = number * unit; // below 2^32 hours: no overflow
    if (period < milliseconds(10) || period > hours(24)) return std::nullopt;
    return period;
}

} // namespace btvm
