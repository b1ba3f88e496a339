// The core's state: nothing of it is lost between the engine, the file's sections and the engine again.
#include <cstddef>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <random>

#include "userland/machine/engine_state.hh"
#include "userland/machine/hosted_engine.hh"
#include "vmm/hypervisor/saved_state.hh"

namespace btvm {
namespace {

constexpr CpuFeatures kAll{.basic = ~0u, .extended = ~0u, .mxcsr_mask = ~0u, .reserved = 0};

bool same(const btvm_state& a, const btvm_state& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void fill_apics(btvm_state& s, std::mt19937& random) {
    btvm_local_apic& a = s.local_apic;
    btvm_io_apic& io = s.io_apic;
    std::memset(a.padding, 0, sizeof a.padding);
    std::memset(io.padding, 0, sizeof io.padding);
    if (!(s.features_basic & cpuid_feature::kApic)) {
        a = {};
        io = {};
        return;
    }
    s.apic_base = 0xfee00900;
    for (auto* set : {a.isr, a.tmr, a.irr})
        set[0] &= 0xffff0000;
    constexpr __u32 kEntries[] = {0x300ff, 0x107ff, 0x107ff, 0x1e7ff, 0x1e7ff, 0x100ff};
    for (unsigned i = 0; i < 6; i++)
        a.lvt[i] &= kEntries[i];
    a.spurious &= 0x3ff;
    a.icr_low &= 0xccfff;
    a.owed_ticks %= 129;
    a.destination_format %= 16;
    a.errors &= 0xe0;
    a.new_errors &= 0xe0;
    a.pins %= 4;
    a.external %= 2;
    a.timer_divide &= 0xb;
    a.timer_running = static_cast<__u8>(random() % 2);
    a.timer_initial |= 1;
    for (auto& entry : io.entry) {
        entry &= 0xff0000000001afff & ~0x1000ull;
        if (random() % 2) entry = (entry & ~0x700ull) | 0xc000; // a level that waits for its end
    }
    io.lines &= 0xffffff;
    io.id %= 16;
}

/// A state that a machine can be in, with every field that it can choose filled at random.
std::unique_ptr<btvm_state> random_state(std::mt19937& random) {
    auto state = std::make_unique<btvm_state>();
    auto* const bytes = reinterpret_cast<std::uint8_t*>(state.get());
    for (std::size_t i = 0; i < sizeof *state; i++)
        bytes[i] = static_cast<std::uint8_t>(random());
    btvm_state& s = *state;
    const auto bit = [&] { return static_cast<__u8>(random() % 2); };
    s.sregs.cr0 = 0x11 | (s.sregs.cr0 & 0x80000000);
    s.sregs.cr3 &= 0xffffffff;
    s.sregs.cr4 &= 0xffffffff;
    s.sregs.cr2 &= 0xffffffff;
    s.sregs.efer &= 0x800;
    for (unsigned i = 0; i < 16; i++)
        s.regs.gpr[i] = i < 8 ? s.regs.gpr[i] & 0xffffffff : 0;
    s.regs.rip &= 0xffffffff;
    s.regs.rflags = (s.regs.rflags & eflags::kAll) | eflags::kFixed1;
    for (auto& dr : s.sregs.dr)
        dr &= 0xffffffff;
    const auto segment = [](btvm_segment& x) {
        x.base &= 0xffffffff;
        x.access &= 0xf0ff;
    };
    for (auto& x : s.sregs.segment)
        segment(x);
    segment(s.sregs.ldtr);
    segment(s.sregs.tr);
    for (btvm_dtable* t : {&s.sregs.gdtr, &s.sregs.idtr}) {
        t->base &= 0xffffffff;
        std::memset(t->padding, 0, sizeof t->padding);
    }
    s.sregs.a20_enabled = bit();
    s.sregs.activity %= 3;
    s.sregs.interrupt_shadow = bit() ? 3 : bit();
    std::memset(s.sregs.padding, 0, sizeof s.sregs.padding);
    s.sysenter_cs &= 0xffff;
    s.sysenter_esp &= 0xffffffff;
    s.sysenter_eip &= 0xffffffff;
    for (auto& e : s.pdpte)
        e &= 0x1fffff000;
    for (auto& e : s.pdpte)
        e |= 1;
    s.mxcsr_mask = 0xffffffff; // nothing of the image is masked off
    s.nmi_blocked = bit();
    s.nmi_pending = bit();
    s.debug_pending %= 16;
    s.padding1 = s.padding2 = 0;
    s.padding3 = 0;
    for (auto& p : s.pic) {
        p.vector_base &= 0xf8;
        p.next_icw = static_cast<__u8>(random() % 4 ? 2 + random() % 3 : 0);
        p.lowest %= 8;
        p.special_mask = bit();
        p.read_isr = bit();
        p.poll = bit();
        p.rotate_aeoi = bit();
        p.padding = 0;
    }
    s.ferr = bit();
    s.ignne = bit();
    for (auto& c : s.pit) {
        c.count = 1 + random() % 0x10000;
        c.next_count = 1 + random() % 0x10000;
        c.run %= 4;
        c.mode %= 6;
        c.access = static_cast<__u8>(1 + random() % 3);
        c.count_latched %= 3;
        for (__u8* x : {&c.next_waits, &c.bcd, &c.gate, &c.out_before, &c.rises_at_load, &c.write_high,
                        &c.read_high, &c.status_latched})
            *x = bit();
        std::memset(c.padding, 0, sizeof c.padding);
    }
    s.pit_port61 %= 16;
    s.pm_timer %= 0xfff0;
    fill_apics(s, random);
    btvm_port_access& port = s.port;
    port.padding1 = 0;
    port.padding2 = 0;
    port.padding3 = 0;
    port.phase = static_cast<__u8>(random() % 3);
    if (port.phase == 0) {
        port = {};
    } else {
        port.write = bit();
        port.size = static_cast<__u8>(1u << random() % 3);
        port.count = 1 + random() % (3584 / port.size);
        std::memset(port.data + port.count * port.size, 0, sizeof port.data - port.count * port.size);
    }
    return state;
}

TEST(EngineState, NothingIsLostInTheFile) {
    std::mt19937 random(11);
    for (int i = 0; i < 200; i++) {
        const auto state = random_state(random);
        ASSERT_TRUE(possible(*state, kAll)) << i;
        const EngineState saved{*state, GuestTime(random())};
        std::vector<StateSection> sections;
        for (const StateSection& section : save_engine(saved)) { // through the byte form
            std::vector<std::uint8_t> bytes;
            append_bytes(section, bytes);
            std::span<const std::uint8_t> rest = bytes;
            sections.push_back(take_section(rest));
        }
        const EngineState loaded = load_engine(sections);
        ASSERT_EQ(loaded.time, saved.time);
        ASSERT_TRUE(same(loaded.core, saved.core)) << i;
    }
}

// The same the other way round: whatever differs between two states is in the sections, so no field is left
// out.
TEST(EngineState, EveryBitOfTheStateShowsInASection) {
    std::mt19937 random(12);
    unsigned seen = 0;
    for (int round = 0; round < 3; round++) {
        const auto state = random_state(random);
        const std::vector<StateSection> before = save_engine({*state, GuestTime{}});
        for (std::size_t at = 0; at < sizeof *state; at++) {
            // The content of a port access is one field: some of its bytes will do.
            if (at > offsetof(btvm_state, port.data) && at % 97) continue;
            btvm_state bent = *state;
            reinterpret_cast<std::uint8_t*>(&bent)[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
            if (!possible(bent, kAll)) continue;
            // What a 32-bit processor does not have is dropped on the way in; all else must show.
            const EngineState kept = load_engine(save_engine({bent, GuestTime{}}));
            if (same(kept.core, *state)) continue;
            EXPECT_NE(save_engine({bent, GuestTime{}}), before) << "byte " << at;
            seen++;
        }
    }
    EXPECT_GT(seen, 1500u);
}

TEST(EngineState, TheEngineTakesAndGivesTheSame) {
    std::mt19937 random(13);
    PhysicalMemory memory(MemoryConfig{1, std::vector<std::uint8_t>(65536), {}, false});
    EngineConfig config;
    HostedEngine without(memory, config);
    config.apic = true;
    HostedEngine with(memory, config);
    unsigned apics = 0;
    for (int i = 0; i < 100; i++) {
        const auto state = random_state(random);
        HostedEngine& engine = has_apics(*state) ? with : without;
        EXPECT_FALSE((has_apics(*state) ? without : with).set_state(*state, GuestTime(i)));
        apics += has_apics(*state);
        CpuFeatures has{};
        has.basic |= cpuid_feature::kApic;
        state->features_basic &= has.basic;
        state->features_extended &= has.extended;
        state->mxcsr_mask = has.mxcsr_mask;
        std::memset(state->fxsave + 24, 0, 4); // MXCSR: what the mask leaves
        ASSERT_TRUE(engine.set_state(*state, GuestTime(i)));
        EXPECT_EQ(engine.now(), GuestTime(i));
        btvm_state after = engine.state();
        EXPECT_GE(after.tsc - state->tsc, 0u);
        EXPECT_LT(after.tsc - state->tsc, 1ull << 40); // it goes on
        after.tsc = state->tsc;
        EXPECT_TRUE(same(after, *state)) << i;
    }
    EXPECT_GT(apics, 20u);
}

// A machine without APICs is saved as it was before there were any: older programs can restore it.
TEST(EngineState, TheSectionsTellOfApicsOnlyWhereThereAreSome) {
    std::mt19937 random(15);
    for (int i = 0; i < 20; i++) {
        const auto state = random_state(random);
        std::vector<StateSection> sections = save_engine({*state, GuestTime{}});
        EXPECT_EQ(sections[3].version, has_apics(*state) ? 2u : 1u);
        EXPECT_EQ(sections[3].fields.size(), has_apics(*state) ? 6u : 4u);
        for (StateNode& node : sections[0].fields)
            if (node.name == "features_basic") node.number ^= cpuid_feature::kApic;
        EXPECT_THROW((void)load_engine(sections), StateError) << "the two do not agree";
    }
}

TEST(EngineState, FeaturesThatAreNotThereAreRefusedAndNothingChanges) {
    PhysicalMemory memory(MemoryConfig{1, std::vector<std::uint8_t>(65536), {}, false});
    HostedEngine engine(memory, {});
    btvm_state state = engine.state();
    state.regs.gpr[0] = 77;
    state.features_basic |= cpuid_feature::kSep;
    EXPECT_FALSE(engine.set_state(state, GuestTime(5)));
    EXPECT_NE(engine.state().regs.gpr[0], 77u);
    EXPECT_EQ(engine.now(), GuestTime{});
}

TEST(EngineState, ImpossibleSectionsAreRefused) {
    std::mt19937 random(14);
    const auto state = random_state(random);
    const std::vector<StateSection> good = save_engine({*state, GuestTime{}});
    const auto refused = [&](std::size_t section, const std::string& field, std::uint64_t value) {
        std::vector<StateSection> bad = good;
        for (StateNode& node : bad[section].fields)
            if (node.name == field) {
                node.number = value;
                try {
                    (void)load_engine(bad);
                } catch (const StateError&) {
                    return true;
                }
                return false;
            }
        ADD_FAILURE() << "no field " << field;
        return false;
    };
    EXPECT_TRUE(refused(0, "cr0", 0x80000000));
    EXPECT_TRUE(refused(0, "cr4", 1ull << 32));
    EXPECT_TRUE(refused(0, "efer", 0x500));
    EXPECT_TRUE(refused(0, "activity", 3));
    EXPECT_TRUE(refused(0, "interrupt_shadow", 2));
    EXPECT_TRUE(refused(0, "debug_pending", 16));
    EXPECT_TRUE(refused(1, "ferr", 2));
    EXPECT_TRUE(refused(2, "port61", 16));
    EXPECT_TRUE(refused(3, "guest_time", static_cast<std::uint64_t>(-1)));
    EXPECT_TRUE(refused(3, "acpi_timer_port", 0xfffe));
    std::vector<StateSection> fewer(good.begin(), good.end() - 1);
    EXPECT_THROW((void)load_engine(fewer), StateError);
}

} // namespace
} // namespace btvm
