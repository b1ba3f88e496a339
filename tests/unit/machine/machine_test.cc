// Machines on the hosted engine that run a BIOS of a few instructions.
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "tests/unit/machine/tiny_bios.hh"
#include "userland/machine/hosted_engine.hh"
#include "userland/machine/machine.hh"

namespace btvm {
namespace {

using namespace std::chrono_literals;

/// A device with one port that remembers writes, counts reads, and can ask for things.
class Probe final : public Device {
public:
    using Device::Device;
    [[nodiscard]] std::string_view name() const override { return "probe"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{kPort, 1}}; }
    void reset() override { resets++; }
    std::uint32_t read(std::uint16_t, unsigned) override { return ++reads; }
    void write(std::uint16_t, unsigned, std::uint32_t value) override {
        if (value == 0xee) throw std::runtime_error("the device gave up");
        if (value == 0xfe) platform_.request_reset();
        if (value == 0xa0) platform_.set_a20(false);
        written.push_back(static_cast<std::uint8_t>(value));
        due = platform_.now() + 1ms;
    }
    [[nodiscard]] std::optional<GuestTime> deadline() const override { return due; }
    void run_until(GuestTime now) override {
        runs++;
        early |= now < *due;
        due.reset();
        platform_.set_irq(5, true);
    }
    void drain() override { drains++; }
    void describe(StateArchive&) override {}

    static constexpr std::uint16_t kPort = 0xe0;
    std::vector<std::uint8_t> written;
    std::uint32_t reads{};
    int resets{}, runs{}, drains{};
    bool early{};
    std::optional<GuestTime> due;
};

struct Rig {
    explicit Rig(const std::vector<std::uint8_t>& code, EngineConfig engine_config = {})
        : machine(make(code, engine_config)), probe(*machine) {
        machine->add(probe);
    }
    ~Rig() { stop(); }
    static std::unique_ptr<Machine> make(const std::vector<std::uint8_t>& code, const EngineConfig& config) {
        auto memory = std::make_unique<PhysicalMemory>(MemoryConfig{16, tiny_bios(code), {}, false});
        auto engine = std::make_unique<HostedEngine>(*memory, config);
        return std::make_unique<Machine>(std::move(memory), std::move(engine));
    }
    void start() {
        thread = std::thread([this] { machine->run(); });
    }
    void stop() {
        machine->quit();
        if (thread.joinable()) thread.join();
    }
    /// Whether the state comes within two seconds.
    bool reaches(MachineState state) {
        for (int i = 0; i < 2000 && machine->state() != state; i++)
            std::this_thread::sleep_for(1ms);
        return machine->state() == state;
    }
    std::unique_ptr<Machine> machine;
    Probe probe;
    std::thread thread;
};

// mov al,41h; out E0h,al; in al,E0h; out E0h,al; cli; hlt
const std::vector<std::uint8_t> kTalkAndHalt{0xb0, 0x41, 0xe6, 0xe0, 0xe4, 0xe0, 0xe6, 0xe0, 0xfa, 0xf4};
const std::vector<std::uint8_t> kSpin{0xeb, 0xfe};

TEST(Machine, PortAccessesReachTheDeviceOnceEach) {
    Rig rig(kTalkAndHalt);
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.stop();
    EXPECT_EQ(rig.probe.written, (std::vector<std::uint8_t>{0x41, 0x01}));
    EXPECT_EQ(rig.probe.reads, 1u);
    EXPECT_EQ(rig.probe.resets, 1);
}

TEST(Machine, RepeatedPortAccessesComeInOneExit) {
    // xor ax,ax; mov es,ax; mov ds,ax; mov di,600h; mov cx,5; mov dx,E0h; rep insb;
    // mov si,600h; mov cx,5; rep outsb; cli; hlt
    Rig rig({0x31, 0xc0, 0x8e, 0xc0, 0x8e, 0xd8, 0xbf, 0x00, 0x06, 0xb9, 0x05, 0x00, 0xba, 0xe0,
             0x00, 0xf3, 0x6c, 0xbe, 0x00, 0x06, 0xb9, 0x05, 0x00, 0xf3, 0x6e, 0xfa, 0xf4});
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    EXPECT_EQ(rig.machine->call([&] { return rig.machine->engine().stats().port_userland; }), 2u);
    rig.stop();
    EXPECT_EQ(rig.probe.written, (std::vector<std::uint8_t>{1, 2, 3, 4, 5}));
}

TEST(Machine, WhatDevicesHaveOnItsWayOutArrivesWhenTimeStops) {
    Rig halted(kTalkAndHalt);
    halted.start();
    ASSERT_TRUE(halted.reaches(MachineState::Halted));
    EXPECT_EQ(halted.machine->call([&] { return halted.probe.drains; }), 1);
    Rig off(kSpin);
    off.start();
    off.machine->call([] {});
    EXPECT_EQ(off.probe.drains, 0);
    off.stop();
    EXPECT_EQ(off.probe.drains, 1);
}

TEST(Machine, PostCodesAreKeptForWhoLooks) {
    // mov al,1; out 84h,al; out 84h,al; inc ax; out 84h,al; out 81h,al; mov dx,190h; mov al,FFh; out dx,al;
    // cli; hlt
    Rig rig({0xb0, 0x01, 0xe6, 0x84, 0xe6, 0x84, 0x40, 0xe6, 0x84, 0xe6, 0x81, 0xba, 0x90, 0x01, 0xb0, 0xff,
             0xee, 0xfa, 0xf4});
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    const auto codes = rig.machine->call([&] { return rig.machine->post_codes(); });
    rig.stop();
    EXPECT_EQ(codes, (std::vector<PostCode>{{0x84, 1}, {0x84, 2}, {0x190, 0xff}}));
    EXPECT_EQ(to_string(codes), "84h: 01 02, 190h: FF");
}

TEST(Machine, PostCodesOfPort80hAreKeptIfThatIsWhatItIsFor) {
    for (const bool post_port : {false, true}) {
        EngineConfig config;
        config.post_port = post_port;
        Rig rig({0xb0, 0x07, 0xe6, 0x80, 0xfa, 0xf4}, config); // mov al,7; out 80h,al; cli; hlt
        rig.start();
        ASSERT_TRUE(rig.reaches(MachineState::Halted));
        const auto codes = rig.machine->call([&] { return rig.machine->post_codes(); });
        rig.stop();
        EXPECT_EQ(codes, post_port ? (std::vector<PostCode>{{0x80, 7}}) : std::vector<PostCode>{});
    }
}

TEST(PostCodes, OnlyTheNewestOnesAreKept) {
    PostCodes codes;
    for (unsigned code = 0; code < PostCodes::kKept + 3; code++)
        codes.note(0x84, static_cast<std::uint8_t>(code));
    ASSERT_EQ(codes.recent().size(), PostCodes::kKept);
    EXPECT_EQ(codes.recent().front(), (PostCode{0x84, 3}));
    EXPECT_EQ(codes.recent().back(), (PostCode{0x84, PostCodes::kKept + 2}));
}

TEST(Machine, HaltedMachineStandsStillUntilResetAndCountsIt) {
    Rig rig(kTalkAndHalt);
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    const GuestTime before = rig.machine->call([&] { return rig.machine->now(); });
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(rig.machine->call([&] { return rig.machine->now(); }), before);
    rig.machine->call([&] { rig.machine->reset(); });
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.stop();
    EXPECT_EQ(rig.probe.written.size(), 4u);
    EXPECT_EQ(rig.machine->resets(), 1u);
}

TEST(Machine, NmiWakesAHaltedMachine) {
    // Vector 2 at 0000:0008 leads to F000:0020, which tells that it was there and halts.
    // xor ax,ax; mov ds,ax; mov [8],20h; mov [0Ah],F000h; mov sp,1000h; hlt (with IF = 0)
    std::vector<std::uint8_t> code{0x31, 0xc0, 0x8e, 0xd8, 0xc7, 0x06, 0x08, 0x00, 0x20, 0x00,
                                   0xc7, 0x06, 0x0a, 0x00, 0x00, 0xf0, 0xbc, 0x00, 0x10, 0xf4};
    code.resize(0x20, 0xf4);
    code.insert(code.end(), {0xb0, 0x4e, 0xe6, 0xe0, 0xf4}); // mov al,'N'; out E0h,al; hlt
    Rig rig(code);
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.machine->call([&] { rig.machine->nmi(); });
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.stop();
    EXPECT_EQ(rig.probe.written, (std::vector<std::uint8_t>{0x4e}));
}

TEST(Machine, TripleFaultShutsDown) {
    // lidt cs:[0010h] with limit 0; int 3
    std::vector<std::uint8_t> code{0x2e, 0x0f, 0x01, 0x1e, 0x10, 0x00, 0xcc};
    code.resize(0x18, 0x00);
    Rig rig(code);
    rig.start();
    EXPECT_TRUE(rig.reaches(MachineState::Shutdown));
}

TEST(Machine, DeviceAsksForReset) {
    // mov al,FEh; out E0h,al only while the probe has read less than twice: in al,E0h; cmp al,3; jae halt
    Rig rig({0xe4, 0xe0, 0x3c, 0x03, 0x73, 0x04, 0xb0, 0xfe, 0xe6, 0xe0, 0xfa, 0xf4});
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.stop();
    EXPECT_EQ(rig.machine->resets(), 2u);
    EXPECT_EQ(rig.probe.reads, 3u);
}

TEST(Machine, DeadlinesAreKeptWhileTheGuestSpins) {
    std::vector<std::uint8_t> code{0xe6, 0xe0}; // out E0h,al
    code.insert(code.end(), kSpin.begin(), kSpin.end());
    Rig rig(code);
    rig.start();
    for (int i = 0; i < 2000 && rig.machine->call([&] { return rig.probe.runs; }) == 0; i++)
        std::this_thread::sleep_for(1ms);
    rig.stop();
    EXPECT_EQ(rig.probe.runs, 1);
    EXPECT_FALSE(rig.probe.early);
}

TEST(Machine, InterruptsWakeAHaltedGuest) {
    // Master 8259: ICW1-4 with base 8, all but IRQ 5 masked. Vector 0Dh leads to F000:0060.
    std::vector<std::uint8_t> code{0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x08, 0xe6, 0x21, 0xb0, 0x04,
                                   0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0, 0xdf, 0xe6, 0x21, // PIC
                                   0x31, 0xc0, 0x8e, 0xd8, 0xc7, 0x06, 0x34, 0x00, 0x60, 0x00, // [34h]
                                   0xc7, 0x06, 0x36, 0x00, 0x00, 0xf0, 0xbc, 0x00, 0x10,       // [36h], sp
                                   0xb0, 0x01, 0xe6, 0xe0, 0xfb, 0xf4, 0xeb, 0xfd}; // out, sti, hlt
    code.resize(0x60, 0xf4);
    code.insert(code.end(), {0xb0, 0x49, 0xe6, 0xe0, 0xfa, 0xf4}); // mov al,'I'; out; cli; hlt
    Rig rig(code);
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    rig.stop();
    EXPECT_EQ(rig.probe.written, (std::vector<std::uint8_t>{0x01, 0x49}));
}

TEST(Machine, PauseStopsTimeAndResumeGoesOn) {
    Rig rig(kSpin);
    rig.start();
    rig.machine->call([&] { rig.machine->pause(); });
    EXPECT_EQ(rig.machine->state(), MachineState::Paused);
    const auto look = [&] {
        return rig.machine->call([&] {
            return std::pair(rig.machine->now(), rig.machine->engine().stats().interpreted_instructions);
        });
    };
    const auto before = look();
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(look(), before);
    rig.machine->call([&] { rig.machine->resume(); });
    std::this_thread::sleep_for(5ms);
    const auto after = look();
    EXPECT_GT(after.first, before.first);
    EXPECT_LT(after.first, before.first + 2s); // and did not count the pause
    EXPECT_GT(after.second, before.second);
}

TEST(Machine, ExceptionsOfDevicesEndTheGuestAndAreKept) {
    Rig rig({0xb0, 0xee, 0xe6, 0xe0, 0xf4}); // mov al,EEh; out E0h,al
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Failed));
    EXPECT_NE(rig.machine->failure().find("the device gave up"), std::string::npos);
    // It still answers, but does not go on.
    EXPECT_NO_THROW((void)rig.machine->call([&] { return rig.machine->engine().registers(); }));
    EXPECT_THROW(rig.machine->call([&] { rig.machine->reset(); }), std::runtime_error);
}

TEST(Machine, CommandsAfterTheEndAreRefusedAndPendingOnesDoNotHang) {
    Rig rig(kSpin);
    rig.start();
    std::vector<std::thread> callers;
    std::atomic<int> ended{};
    for (int i = 0; i < 4; i++)
        callers.emplace_back([&] {
            try {
                for (;;)
                    (void)rig.machine->call([&] { return rig.machine->now(); });
            } catch (const MachineStopped&) {
                ended++;
            }
        });
    std::this_thread::sleep_for(10ms);
    rig.stop();
    for (std::thread& caller : callers)
        caller.join();
    EXPECT_EQ(ended, 4);
    EXPECT_EQ(rig.machine->state(), MachineState::PoweredOff);
}

TEST(Machine, A20GateReachesTheProcessor) {
    // Two bytes that A20 tells apart, at 0000:0500 and FFFF:0510; with A20 off both are the first.
    // xor ax,ax; mov ds,ax; dec ax; mov es,ax; mov byte [500h],11h; mov byte es:[510h],22h;
    // mov al,A0h; out E0h,al (A20 off); mov al,es:[510h]; out E0h,al; cli; hlt
    Rig rig({0x31, 0xc0, 0x8e, 0xd8, 0x48, 0x8e, 0xc0, 0xc6, 0x06, 0x00, 0x05, 0x11, 0x26, 0xc6, 0x06,
             0x10, 0x05, 0x22, 0xb0, 0xa0, 0xe6, 0xe0, 0x26, 0xa0, 0x10, 0x05, 0xe6, 0xe0, 0xfa, 0xf4});
    rig.start();
    ASSERT_TRUE(rig.reaches(MachineState::Halted));
    EXPECT_FALSE(rig.machine->call([&] { return rig.machine->a20(); }));
    EXPECT_EQ(rig.probe.written, (std::vector<std::uint8_t>{0xa0, 0x11}));
    rig.machine->call([&] { rig.machine->reset(); });
    EXPECT_TRUE(rig.reaches(MachineState::Halted));
}

TEST(HostedEngine, KeepsATraceOnlyWhenAsked) {
    for (const bool trace : {false, true}) {
        EngineConfig config;
        config.trace = trace;
        Rig rig(kTalkAndHalt, config);
        rig.start();
        ASSERT_TRUE(rig.reaches(MachineState::Halted));
        const auto entries = rig.machine->call([&] { return rig.machine->engine().trace(3); });
        ASSERT_EQ(entries.size(), trace ? 3u : 0u);
        if (!trace) continue;
        EXPECT_EQ(entries.back().kind, __u32{BTVM_TRACE_EXIT});
        EXPECT_EQ(entries.back().a, __u32{BTVM_EXIT_HALTED});
        EXPECT_LT(entries[0].sequence, entries[1].sequence);
    }
}

} // namespace
} // namespace btvm
