// btvm-ctl's commands about checkpoints.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "userland/control/control_client.hh"

namespace btvm {

/// What the chosen subcommand does.
using Action = std::function<void()>;

/// Declares checkpoint, rewind, tree, delete, rename and commit; each sets `action` to what it does when it
/// is the one. `client` connects to the machine. Both references must last.
void add_checkpoint_commands(CLI::App& app, const std::function<ControlClient()>& client, Action& action);

} // namespace btvm
