// Running without a screen: wait until there is a reason to end.
#pragma once

#include "userland/frontend/frontend.hh"
#include "userland/machine/pc.hh"

namespace btvm {

/// Until the machine goes off, fails, or ends as a policy says; or one of the signals behind `signal_fd`
/// comes in, or `quit_requested` turns true.
void run_headless(Pc& pc, const FrontendConfig& policies, int signal_fd,
                  const std::atomic<bool>& quit_requested);

} // namespace btvm
