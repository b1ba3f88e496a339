// A guest memory with code in it, and what the tests of tracing need around it.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "vmm/cfg/code_cache.hh"
#include "vmm/cfg/control_flow.hh"
#include "vmm/plan/planner.hh"

namespace btvm::test {

class CodeWorld {
public:
    /// RAM at 0 of `pages` pages; everything in it is NOP. Beyond it there is nothing.
    explicit CodeWorld(u32 pages = 64) : ram_(pages * kPageSize, 0x90), state_(pages, 0) {
        memory.slots[0] = {.first = 0, .size = ram_.size(), .memory = ram_.data(), .state = state_.data()};
        memory.slot_count = 1;
    }

    void put(u64 at, std::initializer_list<u8> bytes) {
        for (const u8 b : bytes)
            ram_.at(at++) = b;
    }
    void put32(u64 at, u32 v) { std::memcpy(&ram_.at(at), &v, 4); }
    void jcc(u64 at, u64 to) {
        put(at, {0x0f, 0x84});
        put32(at + 2, static_cast<u32>(to - at - 6));
    }
    void jmp(u64 at, u64 to) {
        put(at, {0xe9});
        put32(at + 1, static_cast<u32>(to - at - 5));
    }
    void call(u64 at, u64 to) {
        put(at, {0xe8});
        put32(at + 1, static_cast<u32>(to - at - 5));
    }
    void ret(u64 at) { put(at, {0xc3}); }
    void pushf(u64 at) { put(at, {0x9c}); }
    void cli(u64 at) { put(at, {0xfa}); }

    [[nodiscard]] u8 state(u64 frame) const { return state_.at(frame); }
    void set_state(u64 frame, u8 s) { state_.at(frame) = s; }

    [[nodiscard]] CodeAt classify(u64 pc) {
        CodeCursor cursor;
        return cache().classify(memory, translation, pc, CodeSize::Bits32, cursor);
    }
    [[nodiscard]] CodeView view() { return {*cache_, memory, translation, CodeSize::Bits32}; }
    [[nodiscard]] CodeCache& cache() { return *cache_; }

    [[nodiscard]] Plan plan(u64 pc, u8 breakpoints, PlannerKind kind = PlannerKind::BreadthFirst) {
        PlannerOptions options;
        options.breakpoints = breakpoints;
        options.kind = kind;
        return plan(pc, options);
    }
    [[nodiscard]] Plan plan(u64 pc, const PlannerOptions& options) {
        Plan p;
        CodeView v = view();
        make_plan(v, pc, options, p);
        return p;
    }

    GuestMemory memory;
    CodeTranslation translation{false};

private:
    std::vector<u8> ram_;
    std::vector<u8> state_;
    std::unique_ptr<CodeCache> cache_ = std::make_unique<CodeCache>();
};

/// The breakpoints of a plan, for comparison with a list of addresses.
inline std::vector<u64> addresses(const Plan& plan) { return {plan.address, plan.address + plan.count}; }

} // namespace btvm::test
