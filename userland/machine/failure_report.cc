#include "userland/machine/failure_report.hh"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace btvm {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, pattern);
    std::vsnprintf(line, sizeof line, pattern, arguments);
    va_end(arguments);
    return line;
}

const char* suberror_name(std::uint32_t suberror) {
    switch (suberror) {
    case BTVM_ERROR_MONITOR_FAULT: return "the monitor faulted";
    case BTVM_ERROR_VERIFY: return "verification failed: an invariant of tracing was broken";
    default: return "unknown error";
    }
}

const char* vector_name(std::uint32_t vector) {
    switch (vector) {
    case 0: return "#DE";
    case 1: return "#DB";
    case 2: return "NMI";
    case 3: return "#BP";
    case 4: return "#OF";
    case 5: return "#BR";
    case 6: return "#UD";
    case 7: return "#NM";
    case 8: return "#DF";
    case 10: return "#TS";
    case 11: return "#NP";
    case 12: return "#SS";
    case 13: return "#GP";
    case 14: return "#PF";
    case 16: return "#MF";
    case 17: return "#AC";
    case 18: return "#MC";
    case 19: return "#XM";
    default: return "";
    }
}

std::string vector_text(std::uint32_t vector) {
    const char* name = vector_name(vector);
    return *name ? format("%s (%" PRIu32 ")", name, vector) : format("vector %02" PRIx32 "h", vector);
}

std::string exit_name(std::uint32_t reason) {
    switch (reason) {
    case BTVM_EXIT_IO: return "port I/O";
    case BTVM_EXIT_HALTED: return "halted";
    case BTVM_EXIT_SHUTDOWN: return "shutdown";
    case BTVM_EXIT_DEADLINE: return "deadline";
    case BTVM_EXIT_INTERNAL_ERROR: return "internal error";
    default: return format("reason %" PRIu32, reason);
    }
}

/// BTVM_LEAVE_* of monitor/switch_context.h.
const char* leave_name(std::uint32_t reason) {
    switch (reason) {
    case 0: return "a trap for the host";
    case 1: return "the monitor asked for it";
    case 2: return "an NMI is pending";
    case 3: return "the monitor faulted";
    default: return "unknown reason";
    }
}

std::string event_text(const btvm_trace_entry& e) {
    const auto b = static_cast<std::uint64_t>(e.b), c = static_cast<std::uint64_t>(e.c);
    switch (e.kind) {
    case BTVM_TRACE_TRAP:
        return "trap      " + vector_text(e.a) +
               format(", error %" PRIx64 "h, %s %" PRIx64 "h", b, e.a == 14 ? "cr2" : "dr6", c);
    case BTVM_TRACE_ENTER: return "enter     into the guest world";
    case BTVM_TRACE_LEAVE:
        return std::string("leave     to the host world: ") + leave_name(e.a) + ", " +
               vector_text(static_cast<std::uint32_t>(b));
    case BTVM_TRACE_PLAN:
        return format("plan      %" PRIu32 " breakpoints, %" PRIx64 "h %" PRIx64 "h", e.a, b, c);
    case BTVM_TRACE_EMULATE: return format("emulate   one step, next %" PRIx64 "h", b);
    case BTVM_TRACE_EXIT: return "exit      to userland: " + exit_name(e.a);
    case BTVM_TRACE_EVENT:
        return "event     " + vector_text(e.a) + format(" delivered, error %" PRIx64 "h", b);
    case BTVM_TRACE_CODE_DROP: return format("drop      code of guest frame %" PRIx32 "h", e.a);
    default:
        return format("kind %-4" PRIu32 " a %" PRIx32 "h, b %" PRIx64 "h, c %" PRIx64 "h", e.kind, e.a, b, c);
    }
}

std::string segment_text(const char* name, const btvm_segment& s) {
    return format("%-4s %04x base %08" PRIx64 " limit %08" PRIx32 " access %04x\n", name, s.selector,
                  static_cast<std::uint64_t>(s.base), s.limit, s.access);
}

constexpr const char* kGprNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

std::string gpr_text(const __u64 (&gpr)[16]) {
    std::string text;
    for (int i = 0; i < 16; i++)
        text += format("%-3s %016" PRIx64 "%c", kGprNames[i], static_cast<std::uint64_t>(gpr[i]),
                       i % 4 == 3 ? '\n' : ' ');
    return text;
}

} // namespace

std::string describe_internal_error(const btvm_run& run) {
    const auto& e = run.internal;
    std::string text = "internal error: ";
    text += suberror_name(e.suberror);
    const std::string detail(e.text, ::strnlen(e.text, sizeof e.text));
    if (!detail.empty()) text += ": " + detail;
    text += "\n";
    const auto rip = static_cast<std::uint64_t>(e.rip);
    switch (e.suberror) {
    case BTVM_ERROR_MONITOR_FAULT: // the monitor's own exception and registers; in the other cases the
                                   // guest's
        text += vector_text(e.vector) +
                format(", error code %" PRIx64 "h, rip %" PRIx64 "h, cr2 %" PRIx64 "h\n",
                       static_cast<std::uint64_t>(e.error_code), rip, static_cast<std::uint64_t>(e.cr2));
        break;
    default: text += format("rip %" PRIx64 "h\n", rip);
    }
    return text + gpr_text(e.gpr);
}

std::string describe_registers(const Registers& r) {
    const btvm_sregs& s = r.system;
    std::string text = gpr_text(r.general.gpr);
    text += format("rip %016" PRIx64 " rflags %08" PRIx64 "\n", static_cast<std::uint64_t>(r.general.rip),
                   static_cast<std::uint64_t>(r.general.rflags));
    constexpr const char* kSegments[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (int i = 0; i < 6; i++)
        text += segment_text(kSegments[i], s.segment[i]);
    text += segment_text("ldtr", s.ldtr) + segment_text("tr", s.tr);
    text += format("gdtr base %08" PRIx64 " limit %04x, idtr base %08" PRIx64 " limit %04x\n",
                   static_cast<std::uint64_t>(s.gdtr.base), s.gdtr.limit,
                   static_cast<std::uint64_t>(s.idtr.base), s.idtr.limit);
    text +=
        format("cr0 %08" PRIx64 " cr2 %08" PRIx64 " cr3 %08" PRIx64 " cr4 %08" PRIx64 " efer %" PRIx64 "\n",
               static_cast<std::uint64_t>(s.cr0), static_cast<std::uint64_t>(s.cr2),
               static_cast<std::uint64_t>(s.cr3), static_cast<std::uint64_t>(s.cr4),
               static_cast<std::uint64_t>(s.efer));
    constexpr const char* kActivity[3] = {"running", "halted", "shutdown"};
    text += format("%s, A20 %s%s\n", s.activity < 3 ? kActivity[s.activity] : "?",
                   s.a20_enabled ? "on" : "off", s.interrupt_shadow ? ", interrupt shadow" : "");
    return text;
}

std::string describe_trace_entry(const btvm_trace_entry& entry) {
    return format("%8" PRIu64 " %16" PRIu64 " %8" PRIx64 "  ", static_cast<std::uint64_t>(entry.sequence),
                  static_cast<std::uint64_t>(entry.tsc), static_cast<std::uint64_t>(entry.rip)) +
           event_text(entry);
}

std::string describe_trace(std::span<const btvm_trace_entry> entries) {
    std::string text;
    for (const btvm_trace_entry& entry : entries)
        if (entry.sequence) text += describe_trace_entry(entry) + "\n";
    if (text.empty()) text = "(no trace: start btvm-run with --trace to keep one)\n";
    return text;
}

} // namespace btvm
