// The APICs with the processor that they interrupt, the lines and the 8259 pair that drive them.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/apic_state.hh"
#include "vmm/interrupts/interrupt_controllers.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

/// What lives in the core, as a device.
class ApicsDevice final : public Device {
public:
    explicit ApicsDevice(Platform& platform) : Device(platform) { reset(); }
    [[nodiscard]] std::string_view name() const override { return "apics"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {}; }
    void reset() override { apics.reset(); }
    std::uint32_t read(std::uint16_t, unsigned) override { return 0; }
    void write(std::uint16_t, unsigned, std::uint32_t) override {}
    void describe(StateArchive& archive) override {
        archive.field("local_apic", apics.local);
        archive.field("io_apic", apics.io);
    }

    Apics apics;
};

class ApicBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        board.time += random.once_in(4) ? random.time(2ms) : random.time(40us);
        InterruptControllers wired = controllers();
        seen.add(wired.follow_time());
        switch (random.below(22)) {
        case 0:
        case 1:
        case 2: wired.set_irq(random.below(16), !random.once_in(3)); break;
        case 3:
        case 4:
        case 5:
        case 6:
            if (wired.pending()) seen.add(wired.acknowledge());
            break;
        case 7:
        case 8: local(0xb0, 0); break;
        case 9: // a pin: any interrupt, edge or level
            local(0x350 + 0x10 * random.below(2), (random.once_in(3) ? 0x400 : 0) | vector(random) |
                                                      (random.bits() & 0x8000) | masked(random));
            if (random.once_in(2)) local(0x350, 0x700);
            break;
        case 10: // an entry, one half of it or both
            select(0x11 + 2 * random.below(16));
            if (random.once_in(3)) window(random.once_in(3) ? random.bits() : 0);
            select(0x10 + 2 * random.below(16));
            window(vector(random) | (random.bits() & 0xa100) | masked(random) |
                   (random.once_in(6) ? 0x700 : 0) | (random.once_in(6) ? 0x800 : 0));
            break;
        case 11: window(random.once_in(2) ? random.bits() : 0x8000u | vector(random)); break;
        case 12: select(random.below(3) ? random.below(0x40) : random.below(3)); break;
        case 13: // an IPI
            if (random.once_in(2)) local(0x310, random.once_in(2) ? 0 : random.bits());
            local(0x300, vector(random) | (random.bits() & 0xc0900) | (random.once_in(9) ? 0x400 : 0));
            break;
        case 14: local(0x80, random.once_in(2) ? 0 : random.below(0x80)); break;
        case 15: // who it is
            local(0x20, random.once_in(3) ? random.bits() : 0);
            local(0xd0, random.bits());
            local(0xe0, random.once_in(2) ? 0xffffffff : random.bits());
            break;
        case 16: local(0xf0, random.once_in(5) ? random.bits() : 0x1ff); break;
        case 17: // the timer
            local(0x320, vector(random) | (random.bits() & 0x20000) | masked(random));
            if (random.once_in(2)) local(0x3e0, random.bits());
            local(0x380, random.below(random.once_in(3) ? 50 : 200000));
            break;
        case 18:
            local(0x370, vector(random) | masked(random));
            if (random.once_in(2)) local(0x280, 0);
            if (random.once_in(3)) seen.add(local(0x40));
            if (random.once_in(3)) local(0x300, 0x40005); // no vector
            break;
        case 19: wired.pulse_nmi(); break;
        case 20: seen.add(window()); break;
        default: seen.add(local(0x10 * random.below(0x40))); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        InterruptControllers wired = controllers();
        seen.add(wired.pending() | wired.requested() << 1 | wired.takes_tick() << 2 |
                 (cpu_.nmi_pending ? 8 : 0));
        seen.add(wired.next_timer_ns());
        cpu_.nmi_pending = 0;
    }
    void inspect(Seen& seen) override {
        seen.add(window());
        for (std::uint32_t offset = 0; offset < 0x400; offset += 0x10)
            seen.add(local(offset));
        for (std::uint8_t n = 0; n < 0x40; n++) {
            select(n);
            seen.add(window());
        }
    }

protected:
    std::vector<Device*> build() override {
        device_ = std::make_unique<ApicsDevice>(board);
        return {device_.get()};
    }
    void power_on() override {
        cpu_ = {};
        cpu_.features.basic |= cpuid_feature::kApic;
        btvm::reset(cpu_);
        pic_ = {};
        pic_.reset();
        for (const std::uint8_t value : {0x11, 0x08, 0x04, 0x03, 0x00}) // ends by itself, nothing masked
            pic_.write(value == 0x11 ? 0x20 : 0x21, value);
    }
    [[nodiscard]] std::function<void()> remember() override {
        return [this, cpu = cpu_, pic = pic_] {
            cpu_ = cpu;
            pic_ = pic;
        };
    }

private:
    static constexpr std::uint64_t kLocal = 0xfee00000;

    static std::uint32_t vector(Random& random) { return random.once_in(20) ? 5 : 0x20 + random.below(0x60); }
    static std::uint32_t masked(Random& random) { return random.once_in(4) ? 0x10000 : 0; }

    InterruptControllers controllers() {
        InterruptControllers wired(cpu_, pic_, device_->apics);
        wired.now_ns = static_cast<u64>(board.time.count());
        return wired;
    }
    std::uint32_t get(std::uint64_t address) {
        std::uint32_t value = 0;
        controllers().read(GuestPhysical(address), &value, sizeof value);
        return value;
    }
    void put(std::uint64_t address, std::uint32_t value) {
        controllers().write(GuestPhysical(address), &value, sizeof value);
    }
    std::uint32_t local(std::uint32_t offset) { return get(kLocal + offset); }
    void local(std::uint32_t offset, std::uint32_t value) { put(kLocal + offset, value); }
    void select(std::uint32_t number) { put(InterruptControllers::kIoApicPage, number); }
    std::uint32_t window() { return get(InterruptControllers::kIoApicPage + 0x10); }
    void window(std::uint32_t value) { put(InterruptControllers::kIoApicPage + 0x10, value); }

    CpuState cpu_;
    Pic pic_;
    std::unique_ptr<ApicsDevice> device_;
};

} // namespace

std::unique_ptr<Bench> make_apic_bench() { return std::make_unique<ApicBench>(); }

} // namespace btvm::test
