// Periods on the command line: "5s", "500ms", "2m", "1h".
#pragma once

#include <optional>
#include <string_view>

#include "userland/devices/device.hh"

namespace btvm {

/// A whole number and a unit (ms, s, m or h; none: s), from 10 ms to a day; nothing if it is none.
[[nodiscard]] std::optional<GuestTime> parse_period(std::string_view text);

} // namespace btvm
