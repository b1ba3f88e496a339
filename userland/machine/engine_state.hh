// An engine's state for state files: the processor, the interrupt controllers, the timer and what is on its
// way between them and userland, declared field by field.
#pragma once

#include "btvm/btvm.h"
#include "userland/devices/state.hh"

namespace btvm {

struct EngineState {
    btvm_state core{};
    GuestTime time{};
};

/// Its sections, in the order in which they lie in a file.
inline constexpr const char* kEngineSections[] = {"cpu", "pic", "pit", "core"};

/// The sections that `state` makes; it must come from an engine.
[[nodiscard]] std::vector<StateSection> save_engine(const EngineState& state);
/// The state that they make. Throws StateError if they make none that a machine can be in.
[[nodiscard]] EngineState load_engine(const std::vector<StateSection>& sections);

} // namespace btvm
