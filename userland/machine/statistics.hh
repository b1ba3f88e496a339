// The engine's counters under names that stay, as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "btvm/btvm.h"

namespace btvm {

/// An object with one member a counter, in the order of the ABI, named as there.
[[nodiscard]] nlohmann::ordered_json statistics_json(const btvm_stats& stats);

/// "name  value" lines in groups, aligned.
[[nodiscard]] std::string statistics_text(const nlohmann::ordered_json& stats);

} // namespace btvm
