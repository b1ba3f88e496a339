// A small hosted machine around the interpreter for the tests of this folder: RAM, the core's own devices,
// and a userland that answers every port with a recorded value.
#pragma once

#include <cstdlib>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "vmm/cpu/cpuid.hh"
#include "vmm/interpret/interpreter.hh"
#include "vmm/interrupts/pic.hh"
#include "vmm/interrupts/pit.hh"

namespace btvm::test {

/// A number from the environment (BTVM_SEED, BTVM_CASES), so that a longer or another run needs no rebuild.
inline u32 from_environment(const char* name, u32 fallback) {
    const char* wanted = std::getenv(name);
    return wanted ? static_cast<u32>(std::atoi(wanted)) : fallback;
}

class Machine {
public:
    explicit Machine(u64 ram_size = 2u << 20) : ram(ram_size), page_states(ram_size >> kPageShift) {
        memory.slot_count = 1;
        memory.slots[0].size = ram_size;
        memory.slots[0].memory = ram.data();
        memory.slots[0].state = page_states.data();
        interpreter.cache = cache.get();
        interpreter.translations = &translations;
        reset(cpu);
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    std::vector<u8> ram;
    std::vector<u8> page_states;
    CpuState cpu;
    GuestMemory memory;
    Pic pic;
    Pit pit;
    PortRequest request;
    PortCounters port_counters;
    PortBus ports{pic, pit, request, port_counters};
    InterpreterCounters counters;
    Interpreter interpreter{cpu, memory, ports, counters};
    TranslationCache translations{}; ///< Follows what tests store behind the guest's back, page tables too.
    std::unique_ptr<InstructionCache> cache = std::make_unique<InstructionCache>();

    /// What ports read as next (all ones when empty), and what was written to them.
    std::deque<u32> inputs;
    struct Output {
        u16 port;
        u8 size;
        u32 value;
        bool operator==(const Output&) const = default;
    };
    std::vector<Output> outputs;

    void put(u32 at, std::initializer_list<u8> bytes) {
        std::memcpy(ram.data() + at, bytes.begin(), bytes.size());
        translations.flush();
    }
    template <class T>
    void store(u32 at, T value) {
        std::memcpy(ram.data() + at, &value, sizeof value);
        translations.flush();
    }
    template <class T>
    [[nodiscard]] T load(u32 at) const {
        T v;
        std::memcpy(&v, ram.data() + at, sizeof v);
        return v;
    }

    /// Answers the port accesses the interpreter waits for.
    void answer() {
        for (u32 at = 0; at < request.bytes(); at += request.size) {
            u32 value = 0;
            if (request.write) {
                std::memcpy(&value, request.data + at, request.size);
                outputs.push_back({request.port, request.size, value});
                continue;
            }
            value = 0xffffffff;
            if (!inputs.empty()) {
                value = inputs.front();
                inputs.pop_front();
            }
            std::memcpy(request.data + at, &value, request.size);
        }
        request.phase = PortRequest::Phase::Answered;
    }

    /// One step, ports answered.
    StepStatus step() {
        for (;;) {
            const StepStatus s = interpreter.step();
            if (s != StepStatus::Io) return s;
            answer();
        }
    }

    /// Runs until the processor halts or shuts down, at most `limit` steps.
    StepStatus run(u32 limit = 100000) {
        StepStatus s = StepStatus::Completed;
        while (limit-- && s == StepStatus::Completed)
            s = step();
        return s;
    }

    /// Real mode, code at linear `at` with CS = 0, a stack at 0:7000h and an interrupt table whose vector n
    /// leads to 0:(handlers + n).
    void real_mode(u16 at, u16 handlers = 0x6000) {
        reset(cpu);
        cpu.seg[Cs].base = 0;
        cpu.seg[Cs].selector = 0;
        cpu.rip = at;
        cpu.gpr[Rsp] = 0x7000;
        for (u32 n = 0; n < 256; n++)
            store<u32>(4 * n, handlers + n);
    }

    /// Flat 32-bit protected mode at CPL 0 with hidden parts set directly, no tables.
    void flat32(u32 at) {
        reset(cpu);
        cpu.cr0 |= cr0::kPe;
        for (Segment& s : cpu.seg)
            s = {0, 0xffffffff, 0x10, AccessRights{0xc093}};
        cpu.seg[Cs] = {0, 0xffffffff, 0x08, AccessRights{0xc09b}};
        cpu.rip = at;
    }
};

} // namespace btvm::test
