// Where control sockets lie by default: $XDG_RUNTIME_DIR/btvm, or /tmp/btvm-UID where there is none.
#pragma once

#include <string>
#include <vector>

namespace btvm {

/// The directory for this user's control sockets. Not made by this call.
[[nodiscard]] std::string runtime_directory();

/// Makes the directory, for this user only. Throws std::runtime_error when it is not ours or cannot be made.
void make_runtime_directory(const std::string& path);

/// The sockets (*.sock) in the directory, sorted by name, running or not. Empty when there is no directory.
[[nodiscard]] std::vector<std::string> list_sockets(const std::string& directory);

} // namespace btvm
