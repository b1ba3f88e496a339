// A guest's memory with page tables in it, the shadow page tables over it, and the processor that walks them:
// what it finds, and what happens when it finds nothing, as the tracer answers it.
#pragma once

#include <map>
#include <stdexcept>
#include <vector>

#include "vmm/mmu/shadow_mmu.hh"

namespace btvm::test {

class ShadowMachine {
public:
    static constexpr u32 kFrames = 2048;
    static constexpr u64 kHostFrames = 0x100000; ///< Guest frame n is host frame kHostFrames + n.
    static constexpr u64 kPoolFrames = 0x900000;
    static constexpr u32 kDirectory = 16; ///< Guest frames of the tables that most tests use.
    static constexpr u32 kTable = 17;

    explicit ShadowMachine(u32 pool_pages = 64)
        : ram_(u64{kFrames} << kPageShift), state_(kFrames), mappings_(kFrames), frames_(kFrames),
          entries_(kShadowEntries * u64{pool_pages}), pool_frames_(pool_pages), notes_(pool_pages),
          links_(kShadowEntries * u64{pool_pages}) {
        for (u32 i = 0; i < kFrames; i++)
            frames_[i] = kHostFrames + i;
        for (u32 i = 0; i < pool_pages; i++)
            pool_frames_[i] = kPoolFrames + i;
        memory.slots[0] = {.first = 0,
                           .size = ram_.size(),
                           .memory = ram_.data(),
                           .state = state_.data(),
                           .host_frames = frames_.data(),
                           .mappings = mappings_.data(),
                           .read_only = 0,
                           .reserved = {}};
        memory.slot_count = 1;
        view = {entries_.data(), pool_frames_.data(), notes_.data(), links_.data()};
        mmu.initialise(view, pool_pages);
        reset(cpu);
        cpu.cr0 = cr0::kPe | cr0::kPg | cr0::kWp;
        cpu.cr3 = u64{kDirectory} << kPageShift;
        flush();
    }

    GuestMemory memory{};
    ShadowView view{};
    ShadowMmu mmu{};
    CpuState cpu{};

    void flush() { mmu.flush(view, memory, cpu); }
    u8& state(u32 frame) { return state_[frame]; }

    /// The guest's own tables, written as DMA or another mapping would: nobody is told.
    void poke(u32 frame, u32 entry, u32 value) { memory_at<u32>(frame, entry * 4) = value; }
    void poke_pae(u32 frame, u32 entry, u64 value) { memory_at<u64>(frame, entry * 8) = value; }
    u32 peek(u32 frame, u32 entry) { return memory_at<u32>(frame, entry * 4); }

    struct Seen {
        bool present{};
        bool writable{};
        bool executable{};
        u32 frame{}; ///< The guest's.
    };
    /// What the processor's walk of the shadow tables finds.
    Seen see(u32 linear) const {
        const u64* table = view.page(ShadowPool::kRoot);
        u64 entry = table[linear >> 30];
        for (unsigned shift = 21; shift >= 12; shift -= 9) {
            if (!(entry & shadow_entry::kPresent)) return {};
            table = view.page(ShadowPool::pointed_to(entry));
            entry = table[linear >> shift & 511];
        }
        if (!(entry & shadow_entry::kPresent)) return {};
        return {true, (entry & shadow_entry::kWritable) != 0, !(entry & shadow_entry::kExecuteDisable),
                static_cast<u32>((entry & shadow_entry::kFrameMask) >> kPageShift) - u32{kHostFrames}};
    }

    /// Before native code runs: the processor forgets what it was told to, and holds nothing else that the
    /// tables do not say.
    void enter_native() {
        mmu.settle(view, memory);
        if (mmu.stale.all()) tlb_.clear();
        for (u32 i = 0; i < mmu.stale.count(); i++)
            tlb_.erase(static_cast<u32>(mmu.stale.page(i).frame()));
        mmu.stale.clear();
        for (const auto& [page, held] : tlb_) {
            const Seen now = see(page << kPageShift);
            if (!now.present || now.frame != held.frame || (held.writable && !now.writable) ||
                (held.executable && !now.executable))
                throw std::logic_error("the TLB holds what was taken away");
        }
    }

    struct Outcome {
        bool fault{}; ///< A true page fault...
        u32 error{};
        u32 frame{};  ///< ... or where the access went.
        u32 hidden{}; ///< Hidden faults on the way.
    };
    /// One access by native code, hidden faults resolved.
    Outcome access(u32 linear, ShadowSide side, bool write, bool fetch = false) {
        Outcome out;
        for (;; out.hidden++) {
            mmu.settle(view, memory);
            mmu.load(view, memory, cpu, side);
            enter_native();
            const Seen seen = see(linear);
            if (seen.present && (!write || seen.writable) && (!fetch || seen.executable)) {
                tlb_[linear >> kPageShift] = seen;
                out.frame = seen.frame;
                return out;
            }
            GuestWalk walk;
            const PageAccess wanted{.write = write, .user = side == ShadowSide::User, .fetch = fetch};
            if (!guest_walk(cpu, memory, GuestLinear(linear), wanted, WalkMark::Yes, walk)) {
                out.fault = true;
                out.error = walk.error;
                return out;
            }
            const u64 frame = walk.address.frame();
            if (write) {
                mmu.table_written(memory, frame);
                state_[frame] |= page_state::kDirty;
            }
            if (out.hidden > 5) throw std::runtime_error("a hidden fault that does not end");
            mmu.map(view, memory, cpu, side, GuestLinear(linear), walk);
        }
    }
    /// A native store of a page-table entry through a mapping of the table: seen only if it is guarded.
    void store_entry(u32 linear, u32 value) {
        const Outcome out = access(linear, ShadowSide::Kernel, true);
        if (out.fault) throw std::runtime_error("the table is not mapped");
        memory_at<u32>(out.frame, linear & kPageMask) = value;
    }

private:
    template <class T>
    T& memory_at(u32 frame, u32 offset) {
        return *reinterpret_cast<T*>(ram_.data() + (u64{frame} << kPageShift) + offset);
    }

    std::map<u32, Seen> tlb_; ///< By page of linear addresses.
    std::vector<u8> ram_, state_;
    std::vector<u32> mappings_;
    std::vector<u64> frames_, entries_, pool_frames_;
    std::vector<ShadowNote> notes_;
    std::vector<EntryLinks> links_;
};

} // namespace btvm::test
