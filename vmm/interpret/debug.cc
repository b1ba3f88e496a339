// The guest's own debug registers: instruction, data and I/O breakpoints (SDM Vol. 3B 17.2).
#include "vmm/interpret/execution.hh"

namespace btvm {

using namespace dr7;

/// False if a breakpoint on the instruction at CS:RIP raises #DB.
bool Execution::code_breakpoint() {
    const u32 hits = cpu_.breakpoints_at(static_cast<u32>(cpu_.seg[Cs].base + cpu_.rip));
    if (!hits) return true;
    cpu_.dr[6] |= hits;
    return fault(Vector::Debug);
}

/// Notes the enabled breakpoints whose kind is in the set `kinds` and whose range meets [first, first +
/// size).
void Execution::watch_range(u32 first, u32 size, unsigned kinds) {
    const u64 control = cpu_.dr[7];
    const u32 watching = enabled_of(control, kinds);
    for (unsigned n = 0; n < kBreakpoints; n++) {
        if (!(watching >> n & 1)) continue;
        const u32 length = length_of(control, n);
        const u32 start = static_cast<u32>(cpu_.dr[n]) & ~(length - 1);
        if (first - start < length || start - first < size) debug_hits_ |= 1u << n;
    }
}

void Execution::watch_data(u32 linear, u32 size, bool write) {
    watch_range(linear, size, 1u << kAccessData | (write ? 1u << kWriteData : 0));
}

void Execution::watch_port(u16 port, unsigned size) {
    if (cpu_.has_breakpoints() && (cpu_.cr4 & cr4::kDe)) watch_range(port, size, 1u << kPort);
}

} // namespace btvm
