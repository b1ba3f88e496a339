// Reports for a human: what the engine said when it gave up, the processor's registers, the trace.
#pragma once

#include <span>
#include <string>

#include "userland/machine/engine.hh"

namespace btvm {

/// The lines of a BTVM_EXIT_INTERNAL_ERROR.
[[nodiscard]] std::string describe_internal_error(const btvm_run& run);

/// The registers in the style of a debugger, some ten lines.
[[nodiscard]] std::string describe_registers(const Registers& registers);

/// One trace entry on one line, without a line end: sequence, time stamp, what happened, where.
[[nodiscard]] std::string describe_trace_entry(const btvm_trace_entry& entry);

/// All entries, one a line. "(no trace: ...)" when there are none.
[[nodiscard]] std::string describe_trace(std::span<const btvm_trace_entry> entries);

} // namespace btvm
