// Instructions per second of processor time of the interpreter beside Unicorn's, for the same loop in the
// same run. Unicorn translates; an interpreter will be slower, and the ratio says by how much. Prints one
// JSON object.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <unicorn/unicorn.h>
#include <vector>

#include "vmm/interpret/interpreter.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"

namespace {

using namespace btvm;

constexpr u64 kRam = 1 << 20;
constexpr u64 kCode = 0x10000;
constexpr u32 kRounds = 200'000;
constexpr u32 kInstructionsARound = 12;
constexpr int kRepeats = 7;

// 32-bit: again: add eax,3; xor ebx,eax; mov [esi],ebx; mov edx,[esi+4]; lea edi,[eax+edx+5]; test edi,edi;
//         sub ebp,edi; push eax; pop edx; imul edx,eax,9; dec ecx; jnz again; hlt
constexpr u8 kLoop[] = {0x83, 0xc0, 0x03, 0x31, 0xc3, 0x89, 0x1e, 0x8b, 0x56, 0x04, 0x8d, 0x7c, 0x10, 0x05,
                        0x85, 0xff, 0x29, 0xfd, 0x50, 0x5a, 0x6b, 0xd0, 0x09, 0x49, 0x75, 0xe6, 0xf4};

void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "bench-interpreter: %s\n", what);
    std::exit(1);
}

/// Processor time of this process in seconds, so that other work on the machine is not in it.
double now() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Run {
    u32 ebx;        // depends on every round
    double seconds; // of the loop alone, without what is set up for it
};

Run run_interpreter() {
    std::vector<u8> ram(kRam), state(kRam >> kPageShift);
    std::copy(std::begin(kLoop), std::end(kLoop), ram.begin() + kCode);
    GuestMemory memory;
    memory.slots[0] = {.first = 0, .size = kRam, .memory = ram.data(), .state = state.data()};
    memory.slot_count = 1;
    CpuState cpu;
    reset(cpu);
    cpu.cr0 |= cr0::kPe;
    for (Segment& s : cpu.seg)
        s = {0, 0xffffffff, 0x10, AccessRights{0xc093}};
    cpu.seg[Cs] = {0, 0xffffffff, 0x08, AccessRights{0xc09b}};
    cpu.rip = kCode;
    cpu.gpr[Rcx] = kRounds;
    cpu.gpr[Rsi] = 0x20000;
    cpu.gpr[Rsp] = 0x90000;
    Pic pic;
    Pit pit;
    PortRequest request;
    PortCounters ports;
    InterpreterCounters counters;
    PortBus bus(pic, pit, request, ports);
    Interpreter interpreter(cpu, memory, bus, counters);
    const auto cache = std::make_unique<InstructionCache>();
    interpreter.cache = cache.get();
    const double begin = now();
    constexpr u32 kStretch = 1024; // as long as the engines' without an interrupt
    for (u32 steps; interpreter.run(kStretch, steps) == StepStatus::Completed;)
        ;
    const double seconds = now() - begin;
    require(cpu.activity == Activity::Halted, "the interpreter did not reach the end of the loop");
    return {static_cast<u32>(cpu.gpr[Rbx]), seconds};
}

Run run_unicorn() {
    uc_engine* engine{};
    require(uc_open(UC_ARCH_X86, UC_MODE_32, &engine) == UC_ERR_OK, "Unicorn does not start");
    const std::unique_ptr<uc_engine, decltype(&uc_close)> owner(engine, uc_close);
    require(uc_mem_map(engine, 0, kRam, UC_PROT_ALL) == UC_ERR_OK &&
                uc_mem_write(engine, kCode, kLoop, sizeof kLoop) == UC_ERR_OK,
            "Unicorn takes no memory");
    u32 ecx = kRounds, esi = 0x20000, esp = 0x90000, ebx = 0;
    uc_reg_write(engine, UC_X86_REG_ECX, &ecx);
    uc_reg_write(engine, UC_X86_REG_ESI, &esi);
    uc_reg_write(engine, UC_X86_REG_ESP, &esp);
    const double begin = now();
    require(uc_emu_start(engine, kCode, kCode + sizeof kLoop - 1, 0, 0) == UC_ERR_OK,
            "Unicorn did not finish");
    const double seconds = now() - begin;
    uc_reg_read(engine, UC_X86_REG_EBX, &ebx);
    return {ebx, seconds};
}

/// Millions of instructions a second, the median of kRepeats runs, each of which must come to `ebx`.
double median_rate(Run (*run)(), u32 ebx) {
    std::vector<double> rates;
    for (int i = 0; i < kRepeats; i++) {
        const Run done = run();
        require(done.ebx == ebx, "the interpreter and Unicorn disagree: nothing to compare");
        rates.push_back(double{kRounds} * kInstructionsARound / done.seconds / 1e6);
    }
    std::nth_element(rates.begin(), rates.begin() + kRepeats / 2, rates.end());
    return rates[kRepeats / 2];
}

} // namespace

int main() {
    const u32 ebx = run_interpreter().ebx;
    const double ours = median_rate(run_interpreter, ebx);
    const double theirs = median_rate(run_unicorn, ebx);
    std::printf("{\"interpreter_mips\": %.1f, \"unicorn_mips\": %.1f, \"unicorn_over_interpreter\": %.1f}\n",
                ours, theirs, theirs / ours);
    return 0;
}
