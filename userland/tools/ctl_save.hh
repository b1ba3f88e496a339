// btvm-ctl save.
#pragma once

#include "userland/tools/ctl_checkpoints.hh"

namespace btvm {

/// Declares the subcommand; the references must last.
void add_save_command(CLI::App& app, const std::function<ControlClient()>& client, Action& action);

} // namespace btvm
