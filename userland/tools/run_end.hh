// The end of btvm-run: what the guest has written and checkpoints have kept from its images goes there.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "userland/machine/pc.hh"
#include "userland/tools/exit_codes.hh"

namespace btvm {

/// To the user, on standard error.
void say(const std::string& message);

/// Drives the machine until it ends, stops it, and commits, unless `discard`. So it is too if the driving
/// throws, which is passed on: whatever that is, what the guest has written is kept.
[[nodiscard]] RunExit run_to_the_end(Pc& pc, const std::atomic<bool>& discard,
                                     const std::function<RunExit()>& drive);

} // namespace btvm
