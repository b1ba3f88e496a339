// A guest at CPL 3 whose GDT and LDT lie in its memory, and the context and tables that it would run with.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "vmm/native/native_state.hh"

namespace btvm::test {

inline constexpr u64 kUserCode = 0x00cffb000000ffff;
inline constexpr u64 kUserData = 0x00cff3000000ffff;
inline constexpr u64 kAccessedBit = u64{1} << 40;

class UserGuest {
public:
    static constexpr u32 kRam = 1 << 20;
    static constexpr u32 kGdt = 0x2000;
    static constexpr u32 kLdt = 0x8000;
    static constexpr u16 kCs = 0x1b;
    static constexpr u16 kDs = 0x23;

    UserGuest()
        : ram_(kRam), state_(kRam >> kPageShift), gdt_(BTVM_GDT_ENTRIES),
          context_(std::make_unique<btvm_switch_context>()), tables_(std::make_unique<btvm_user_tables>()),
          world_(std::make_unique<World>()) {
        GuestMemory& memory = world_->host.memory;
        memory.slots[0].size = kRam;
        memory.slots[0].memory = ram_.data();
        memory.slots[0].state = state_.data();
        memory.slot_count = 1;
        world_->host.context = context_.get();
        world_->host.user_tables = tables_.get();
        context_->world_gdt = gdt_.data();
        tables_->gdt[BTVM_SEL_LAST_CS >> 3] = kOurs;
        reset(cpu());
        cpu().cr0 |= cr0::kPe;
        cpu().gdtr = {.base = kGdt, .limit = 0xfff, .reserved = {}};
        cpu().ldtr = {kLdt, 0xfff, 0x30, AccessRights{0x82}};
        put(kCs, kUserCode);
        put(kDs, kUserData);
        for (Segment& s : cpu().seg)
            s = Descriptor{kUserData}.segment(kDs);
        cpu().seg[Cs] = Descriptor{kUserCode}.segment(kCs);
        cpu().rip = 0x10000;
        cpu().rflags = eflags::kFixed1 | eflags::kIf;
    }

    static constexpr u64 kOurs = 0x00af9b000000ffff;

    World& world() { return *world_; }
    View& view() { return world_->host; }
    CpuState& cpu() { return world_->cpu; }
    btvm_switch_context& context() { return *context_; }
    btvm_user_tables& tables() { return *tables_; }

    /// The guest writes a descriptor.
    void put(u16 selector, u64 descriptor) {
        const u64 base = selector & 4 ? cpu().ldtr.base : cpu().gdtr.base;
        std::memcpy(ram_.data() + base + (selector & 0xfff8), &descriptor, sizeof descriptor);
    }
    void poke(u32 at, u32 value) { std::memcpy(ram_.data() + at, &value, sizeof value); }

    void refresh() { world_->user_tables.refresh(cpu(), view().memory, *tables_); }
    u64 find(u16 selector) { return world_->user_tables.find(cpu(), view().memory, *tables_, selector).raw; }
    /// What the processor would load for user code.
    u64 seen(u16 selector) { return native::UserTables::place(*tables_, selector); }

    /// The register as if loaded from its table.
    void load(SegReg which, u16 selector) {
        const u64 base = selector & 4 ? cpu().ldtr.base : cpu().gdtr.base;
        Descriptor d;
        std::memcpy(&d.raw, ram_.data() + base + (selector & 0xfff8), sizeof d.raw);
        cpu().seg[which] = d.segment(selector);
    }

    [[nodiscard]] bool prepare() { return native::prepare_user(*world_, view()); }
    void enter() { native::enter_user(*world_, view()); }
    void leave() { native::leave_native(*world_, view()); }

private:
    std::vector<u8> ram_, state_;
    std::vector<btvm_u64> gdt_;
    std::unique_ptr<btvm_switch_context> context_;
    std::unique_ptr<btvm_user_tables> tables_;
    std::unique_ptr<World> world_;
};

} // namespace btvm::test
