#include "vmm/interpret/execution.hh"
namespace btvm {
bool Execution::x87() { return undefined(); }
bool Execution::wait() { return true; }
bool Execution::group_0fae() { return undefined(); }
} // namespace btvm
