// A guest world without a module: the Tracer works on real state, and where the processor would run guest
// code at ring 3 a simulated one does, instruction by instruction. It stops where the debug registers or ring
// 3 would stop it, and it notices if an instruction is about to run that ring 3 would silently change.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "vmm/hypervisor/quick_trap.hh"
#include "vmm/hypervisor/tracer.hh"
#include "vmm/native/breakpoints.hh"
#include "vmm/native/native_state.hh"

namespace btvm::test {

/// What the simulated processor must never be asked to do.
class InvariantBroken : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class SimulatedWorld {
public:
    static constexpr u64 kRam = 1 << 20;
    static constexpr u32 kPoolPages = 64;
    static constexpr u32 kMostCopies = 32;
    static constexpr u64 kCode = 0x10000;
    static constexpr u64 kStack = 0x90000;

    /// `copies`: how many pages of code can be covered at a time with BTVM_CONFIG_EXECUTE_ONLY.
    explicit SimulatedWorld(unsigned breakpoints, u32 flags = 0, u32 copies = kMostCopies)
        : ram_(kRam), state_(kRam >> kPageShift), frames_(kRam >> kPageShift), pool_(512 * kPoolPages),
          pool_frames_(kPoolPages), pool_notes_(kPoolPages), pool_links_(kShadowEntries * kPoolPages),
          mappings_(kRam >> kPageShift), copies_(kMostCopies * kPageSize), copy_frames_(kMostCopies),
          copy_notes_(kMostCopies), targets_(kTargetsPerCopy * kMostCopies), gdt_(BTVM_GDT_ENTRIES),
          context_(std::make_unique<btvm_switch_context>()),
          user_tables_(std::make_unique<btvm_user_tables>()), world_(std::make_unique<World>()) {
        World& world = *world_;
        world.host.memory.slots[0] = {.first = 0,
                                      .size = kRam,
                                      .memory = ram_.data(),
                                      .state = state_.data(),
                                      .host_frames = frames_.data(),
                                      .mappings = mappings_.data(),
                                      .read_only = 0,
                                      .reserved = {}};
        world.host.memory.slot_count = 1;
        world.host.shadow = {pool_.data(), pool_frames_.data(), pool_notes_.data(), pool_links_.data()};
        world.host.copies = {copies_.data(), copy_frames_.data(), copy_notes_.data(), targets_.data()};
        world.copies.initialise(world.host.copies, copies);
        world.shadow.options.execute_only = flags & BTVM_CONFIG_EXECUTE_ONLY;
        world.host.context = context_.get();
        world.host.user_tables = user_tables_.get();
        context_->world_gdt = gdt_.data();
        world.shadow.initialise(world.host.shadow, kPoolPages);
        world.config.breakpoints = breakpoints;
        world.config.flags = flags;
        world.next_timer_ns = ~u64{0};
        reset(world.cpu);
    }

    [[nodiscard]] CpuState& cpu() { return world_->cpu; }
    [[nodiscard]] World& world() { return *world_; }
    [[nodiscard]] std::span<u8> ram() { return ram_; }
    [[nodiscard]] u64 native_instructions() const { return native_instructions_; }
    [[nodiscard]] u64 quick_traps() const { return quick_traps_; }
    /// How often a breakpoint of the guest was met by code that ran natively.
    [[nodiscard]] u64 native_debug_traps() const { return native_debug_traps_; }

    /// Flat 32-bit protected mode at ring 0, as the tracer takes it.
    void start(std::span<const u8> code) {
        std::memcpy(ram_.data() + kCode, code.data(), code.size());
        CpuState& c = cpu();
        c.cr0 |= cr0::kPe;
        for (Segment& s : c.seg)
            s = {0, 0xffffffff, 0x10, AccessRights{0xc093}};
        c.seg[Cs] = {0, 0xffffffff, 0x08, AccessRights{0xc09b}};
        c.idtr.limit = 0;
        c.rip = kCode;
        c.gpr[Rsp] = kStack;
        c.rflags = eflags::kFixed1;
    }

    /// Runs until the guest halts, shuts down or needs userland. Returns the request that ended it.
    HostRequest run(u64 most_traps = 1'000'000) {
        bool resumed = false;
        for (u64 trap = 0; trap < most_traps; trap++) {
            if (resumed && quick_trap(*world_, world_->host)) {
                quick_traps_++;
                run_natively();
                continue;
            }
            Tracer tracer(*world_, world_->host);
            const Verdict verdict = resumed ? tracer.trap() : tracer.proceed();
            resumed = verdict == Verdict::Resume;
            if (resumed) {
                run_natively();
                continue;
            }
            if (world_->request == HostRequest::Budget) continue;
            if (world_->request != HostRequest::ModeSwitch) return world_->request;
            tracer.interpret(1);
            if (world_->request == HostRequest::Halt || world_->request == HostRequest::Shutdown)
                return world_->request;
        }
        throw std::runtime_error("the guest traps without end");
    }

private:
    /// From the trap frame to the next trap, which is left in the trap frame.
    void run_natively() {
        if (context_->frame.rip > cpu().seg[Cs].limit)
            throw InvariantBroken("the IRET into native code faults: EIP is beyond CS");
        if (world_->config.flags & BTVM_CONFIG_EXECUTE_ONLY) return run_copies();
        btvm_trap_frame& frame = context_->frame;
        CpuState native = cpu();
        native::load_registers(native, frame);
        load_debug_state(native);
        GuestMemory memory = world_->host.memory;
        memory.watched_hits = memory.watched_writes = 0;
        Pic pic;
        Pit pit;
        PortRequest request;
        PortCounters ports;
        InterpreterCounters counters;
        PortBus bus(pic, pit, request, ports);
        Interpreter processor(native, memory, bus, counters);
        KeptPages kept = keep_pages();
        for (;; native_instructions_++) {
            native.dr[6] = 0;
            if (const u64 hits = code_breakpoints(native)) return debug_trap(native, hits);
            switch (class_at(memory, native.rip)) {
            case InstructionClass::Privileged: return trap(native, Vector::GeneralProtection, 0);
            case InstructionClass::Sensitive:
                throw InvariantBroken("I1: a sensitive instruction runs at ring 3");
            case InstructionClass::Unrecognised:
                throw InvariantBroken("I1: an unrecognised instruction runs");
            case InstructionClass::PointerBranch:
                throw InvariantBroken("I2: a pointer branch runs untrapped");
            default: break;
            }
            if (!execute(native, processor, memory, kept)) return;
        }
    }

    /// The debug registers, and RF.
    void load_debug_state(CpuState& native) const {
        for (unsigned n = 0; n < dr7::kBreakpoints; n++) {
            native.dr[n] = context_->dr[n];
            if ((native::guest_breakpoints(world_->cpu) >> n & 1) &&
                (!dr7::enabled(context_->dr7, n) || context_->dr[n] != world_->cpu.dr[n]))
                throw InvariantBroken("a breakpoint of the guest's is not there");
        }
        native.dr[7] = context_->dr7;
        native.idtr.limit = 0; // no handler, so that #DB ends the step
        native.rflags = (native.rflags & ~u64{eflags::kRf}) | (context_->frame.rflags & eflags::kRf);
    }

    using KeptPages = std::vector<std::pair<u64, std::vector<u8>>>;
    /// What memory holds where a store can fault: it has to come back then.
    [[nodiscard]] KeptPages keep_pages() const {
        KeptPages kept;
        for (u64 page = 0; page < state_.size(); page++)
            if (state_[page] & (page_state::kCode | page_state::kTable))
                kept.emplace_back(page << kPageShift, std::vector<u8>(&ram_[page << kPageShift],
                                                                      &ram_[page << kPageShift] + kPageSize));
        return kept;
    }

    /// One instruction. False: it trapped, and the trap frame says of what. Stores to pages without write
    /// access fault.
    bool execute(CpuState& native, Interpreter& processor, GuestMemory& memory, KeptPages& kept) {
        const CpuState before = native;
        const std::vector<u8> states = state_;
        const bool completed = processor.step() == StepStatus::Completed;
        const u64 hits = native.dr[6] & dr6::kBreakpoints;
        if (!completed && !hits) throw std::runtime_error("a native step did not complete");
        native.activity = Activity::Running;
        for (u32 w = 0; w < memory.watched_writes && w < GuestMemory::kWatchedWrites; w++) {
            const u64 at = memory.watched_write[w].first;
            const u8 state = states[at >> kPageShift];
            const bool guarded = (state & page_state::kTable) && !(state & page_state::kTableChanged);
            if (!guarded && !(state & page_state::kCode)) continue;
            state_ = states;
            for (const auto& [first, bytes] : kept)
                std::ranges::copy(bytes, &ram_[first]);
            fault(before, at, pf_error::kWrite | pf_error::kPresent);
            return false;
        }
        if (memory.watched_writes) kept = keep_pages();
        memory.watched_hits = memory.watched_writes = 0;
        const u64 step = context_->frame.rflags & eflags::kTf ? dr6::kSingleStep : 0;
        if (!hits && !step) return true;
        native_instructions_++;
        debug_trap(native, hits | step);
        return false;
    }

    /// The same with execute-only copies: what is fetched is what the shadow page tables lead to, and stores
    /// to pages without write access fault. Loads are looked at for breakpoints of the guest only.
    void run_copies() {
        CpuState native = cpu();
        native::load_registers(native, context_->frame);
        GuestMemory memory = world_->host.memory;
        memory.watched_hits = memory.watched_writes = 0;
        Pic pic;
        Pit pit;
        PortRequest request;
        PortCounters ports;
        InterpreterCounters counters;
        PortBus bus(pic, pit, request, ports);
        Interpreter processor(native, memory, bus, counters);
        if (!cpu().has_breakpoints() && (context_->dr7 & dr7::kEnables))
            throw InvariantBroken("breakpoints are armed");
        load_debug_state(native);
        KeptPages kept = keep_pages();
        for (;; native_instructions_++) {
            native.dr[6] = 0;
            if (const u64 hits = code_breakpoints(native)) return debug_trap(native, hits);
            const GuestLinear pc(native.rip);
            const u64 entry = ShadowMmu::entry(world_->host.shadow, pc);
            if (!(entry & shadow_entry::kPresent) || (entry & shadow_entry::kExecuteDisable))
                return fault(native, pc.value, pf_error::kFetch | (entry & 1));
            if (!CodeCopies::is_copy(entry)) throw InvariantBroken("a page of the guest can be executed");
            const u32 copy = CodeCopies::mapped_copy(entry);
            const u8* there = copies_.data() + copy * kPageSize + pc.page_offset();
            if (*there == kInt3) {
                native.rip++;
                return trap(native, Vector::Breakpoint, 0);
            }
            if (!(copy_notes_[copy].marks[pc.page_offset()] & code_mark::kStart))
                throw InvariantBroken("I2: control is within a covered instruction");
            Instruction i;
            const u32 room = static_cast<u32>(kPageSize) - pc.page_offset();
            if (decode(there, room < 15 ? room : 15, CodeSize::Bits32, i) != DecodeStatus::Ok)
                throw InvariantBroken("what runs is no instruction");
            if (std::memcmp(there, &ram_[(u64{copy_notes_[copy].frame} << kPageShift) + pc.page_offset()],
                            i.length) != 0)
                throw InvariantBroken("what runs is not what memory holds");
            switch (i.cls) {
            case InstructionClass::Plain:
            case InstructionClass::ConditionalBranch:
            case InstructionClass::UnconditionalBranch: break;
            case InstructionClass::PointerBranch:
                throw InvariantBroken("I2: a pointer branch runs untrapped");
            default: throw InvariantBroken("I1: an instruction runs that ring 3 would change");
            }
            if (!execute(native, processor, memory, kept)) return;
        }
    }

    static u64 code_breakpoints(const CpuState& native) {
        u64 hits = 0;
        for (unsigned n = 0; n < dr7::kBreakpoints; n++)
            if (dr7::enabled(native.dr[7], n) && dr7::kind_of(native.dr[7], n) == dr7::kExecute &&
                native.dr[n] == native.rip && !(native.rflags & eflags::kRf))
                hits |= u64{1} << n;
        return hits;
    }

    void debug_trap(const CpuState& native, u64 hits) {
        if (hits & native::guest_breakpoints(cpu())) native_debug_traps_++;
        context_->trap_dr6 = 0xffff0ff0 | hits;
        trap(native, Vector::Debug, 0);
    }

    void fault(const CpuState& native, u64 at, u64 error) {
        trap(native, Vector::PageFault, 0);
        context_->trap_cr2 = at;
        context_->frame.error = error | pf_error::kUser;
    }

    /// A processor that checks no segments makes an access of each that needs the checks a sensitive one.
    InstructionClass class_at(const GuestMemory& memory, u64 pc) {
        u8 bytes[kMaxInstructionLength];
        memory.read(GuestPhysical(pc), bytes, sizeof bytes);
        Instruction i;
        if (decode(bytes, sizeof bytes, CodeSize::Bits32, i) != DecodeStatus::Ok)
            return InstructionClass::Unrecognised;
        const bool unchecked =
            world_->lax_segments && i.segment != kNoSegment && !native::is_whole(cpu().seg[i.segment]);
        return unchecked && i.cls == InstructionClass::Plain ? InstructionClass::Sensitive : i.cls;
    }

    void trap(const CpuState& native, Vector vector, u64) {
        // The processor pushes TF and RF as they are, but RF set for faults.
        const bool is_trap = vector == Vector::Debug || vector == Vector::Breakpoint;
        native::store_registers(native, context_->frame,
                                (context_->frame.rflags & eflags::kTf) |
                                    (is_trap ? native.rflags & eflags::kRf : u64{eflags::kRf}));
        context_->frame.vector = static_cast<u64>(vector);
        context_->frame.error = 0;
    }

    std::vector<u8> ram_, state_;
    std::vector<u64> frames_, pool_, pool_frames_;
    std::vector<ShadowNote> pool_notes_;
    std::vector<EntryLinks> pool_links_;
    std::vector<u32> mappings_;
    std::vector<u8> copies_;
    std::vector<u64> copy_frames_;
    std::vector<CopyNote> copy_notes_;
    std::vector<TargetPage> targets_;
    std::vector<btvm_u64> gdt_;
    std::unique_ptr<btvm_switch_context> context_;
    std::unique_ptr<btvm_user_tables> user_tables_;
    std::unique_ptr<World> world_;
    u64 native_instructions_{};
    u64 quick_traps_{};
    u64 native_debug_traps_{};
};

} // namespace btvm::test
