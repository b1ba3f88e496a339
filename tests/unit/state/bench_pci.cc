// The PCI bus with the functions on it: the host bridge, the ISA bridge, the IDE interface with its bus
// masters, whose drives the bench is; and power management, with its button and the machine's supply.
#include "tests/unit/state/subjects.hh"
#include "userland/devices/acpi_pm.hh"
#include "userland/devices/pci_host.hh"
#include "userland/devices/piix_ide.hh"
#include "userland/devices/piix_isa.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kAddress = 0xCF8, kData = 0xCFC;

class PciBench : public Bench {
public:
    PciBench() {
        // Descriptors for the bus masters, wherever a table may be: short regions below 64 KiB, and few ends.
        for (std::uint32_t at = 0; at < 0x1000; at += 8) {
            const std::uint8_t descriptor[] = {0,
                                               static_cast<std::uint8_t>(0x20 + at / 64),
                                               0,
                                               0,
                                               static_cast<std::uint8_t>(8 + at % 48),
                                               0,
                                               0,
                                               static_cast<std::uint8_t>(at % 40 == 0 ? 0x80 : 0)};
            std::copy(std::begin(descriptor), std::end(descriptor), board.memory.begin() + at);
        }
    }

    void operate(Random& random, Seen& seen) override {
        const unsigned n = random.below(2);
        const auto master = static_cast<std::uint16_t>(0xC000 + 8 * n);
        switch (random.below(16)) {
        case 0: { // a function's register
            constexpr unsigned kFunctions[] = {0x00, 0x08, 0x09, 0x0B, 0x0B, 0x20};
            out(kAddress, 0x80000000u | random.one_of(kFunctions) << 8 | (random.byte() & 0xFC), 4);
            break;
        }
        case 1: seen.add(in(kAddress, 4)); break;
        case 2:
        case 3: out(static_cast<std::uint16_t>(kData + random.below(4)), random.byte()); break;
        case 4: seen.add(in(kData, 4)); break;
        case 5: // the bus masters where the other operations look for them
            put(0x09, 0x20, 0xC001);
            put(0x09, 0x04, random.once_in(5) ? random.byte() & 5 : 5);
            break;
        case 6: out(static_cast<std::uint16_t>(master + 4), random.below(0x100) << 2, 4); break;
        case 7: out(master, random.once_in(4) ? random.byte() : 9); break;
        case 8: out(static_cast<std::uint16_t>(master + 2), random.byte()); break;
        case 9:
        case 10: drive(random, seen, n); break;
        case 11: ide_->bus_master(n).interrupt(); break;
        case 13: // a transfer begins
            out(master, 0);
            out(static_cast<std::uint16_t>(master + 4), random.below(0x80) << 3, 4);
            out(master, 9);
            break;
        case 12: put(0x00, 0x58 + (random.byte() & 4), random.bits()); break; // the host bridge's own
        default: seen.add(in(static_cast<std::uint16_t>(0xC000 + random.below(16)))); break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(ide_->bus_master(0).ready() | ide_->bus_master(1).ready() << 1 | started_ << 2);
    }
    void inspect(Seen& seen) override {
        for (const unsigned function : {0x00u, 0x08u, 0x09u, 0x0Bu})
            for (unsigned reg = 0; reg < 256; reg += 4) {
                out(kAddress, 0x80000000u | function << 8 | reg, 4);
                seen.add(in(kData, 4));
            }
        for (std::uint16_t port = 0xC000; port < 0xC010; port++)
            seen.add(in(port));
    }

protected:
    std::function<void()> remember() override {
        return [this, started = started_] { started_ = started; };
    }
    std::vector<Device*> build() override {
        host_ = std::make_unique<PciHost>(board);
        isa_ = std::make_unique<PiixIsa>(board);
        ide_ = std::make_unique<PiixIde>(board);
        host_->add(1, 0, isa_->function());
        host_->add(1, 1, ide_->function());
        for (unsigned n = 0; n < 2; n++)
            ide_->bus_master(n).on_ready([this] { started_++; });
        return {host_.get(), isa_.get(), ide_.get()};
    }
    void power_on() override {
        host_->reset();
        isa_->reset();
        ide_->reset();
    }
    void put(unsigned function, unsigned reg, std::uint32_t value) {
        out(kAddress, 0x80000000u | function << 8 | reg, 4);
        out(kData, value, 4);
    }

    std::unique_ptr<PciHost> host_;

private:
    /// A drive moves some of its data.
    void drive(Random& random, Seen& seen, unsigned n) {
        std::vector<std::uint8_t> data(2 * (1 + random.below(40)));
        for (std::uint8_t& byte : data)
            byte = random.byte();
        IdeBusMaster& master = ide_->bus_master(n);
        seen.add(random.once_in(2) ? master.to_memory(data) : master.from_memory(data));
        seen.add(data);
    }

    std::unique_ptr<PiixIsa> isa_;
    std::unique_ptr<PiixIde> ide_;
    std::uint64_t started_{};
};

class PowerBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        PciFunction& function = power_->function();
        const auto block = static_cast<std::uint16_t>(function.get16(0x40) & 0xFFC0);
        const auto smbus = static_cast<std::uint16_t>(function.get16(0x90) & 0xFFF0);
        const auto at = [](std::uint16_t base, unsigned offset) {
            return static_cast<std::uint16_t>(base + offset);
        };
        switch (random.below(18)) {
        case 0:
        case 1: advance(random.time(3s)); break; // the timer's bit changes every 2.3 seconds
        case 2: // where firmware puts the block, or elsewhere; and whether it is there
            function.write(0x40, 4, random.once_in(4) ? 0xB000 : 0x600);
            function.write(0x80, 1, !random.once_in(5));
            break;
        case 3:
            function.write(0x90, 4, 0x700);
            function.write(0xD2, 1, !random.once_in(5));
            break;
        case 4: function.write(random.byte(), 1, random.byte()); break;
        case 5: seen.add(function.read(random.byte(), 4)); break;
        case 6: power_->press_power_button(); break;
        case 7: // what has happened is cleared
            out(at(block, random.below(2)), random.byte());
            break;
        case 8: // timer and button are waited for
            out(at(block, 2), random.once_in(2) ? 0x01 : random.byte());
            out(at(block, 3), random.byte());
            break;
        case 9: out(0xB2, random.once_in(4) ? random.byte() : 0xF0 + random.below(3)); break;
        case 10: out(0xB3, random.byte()); break;
        case 11: out(at(block, 4 + random.below(2)), random.byte()); break;
        case 12: out(at(0xAFE0, random.below(4)), random.byte()); break;
        case 13: out(at(block, 0x34 + random.below(4)), random.byte()); break;
        case 14: out(at(smbus, random.below(8)), random.byte()); break;
        case 15: seen.add(in(at(smbus, random.below(8)))); break;
        case 16: seen.add(in(at(0xAFE0, random.below(4)))); break;
        default:
            seen.add(random.once_in(4) ? in(at(block, 8), 4) : in(at(block, random.below(0x40))));
            seen.add(in(at(0xB2, random.below(2))));
            break;
        }
    }
    void watch(Seen& seen) override {
        Bench::watch(seen);
        seen.add(offs_ << 1 | power_->power_button_enabled());
    }
    void inspect(Seen& seen) override {
        for (unsigned reg = 0; reg < 256; reg++)
            seen.add(power_->function().read(reg, 1));
    }

protected:
    std::function<void()> remember() override {
        return [this, offs = offs_] { offs_ = offs; };
    }
    std::vector<Device*> build() override {
        power_ = std::make_unique<AcpiPm>(board, [this] { offs_++; });
        return {power_.get()};
    }
    void power_on() override { power_->reset(); }

private:
    std::unique_ptr<AcpiPm> power_;
    std::uint64_t offs_{};
};

} // namespace

std::unique_ptr<Bench> make_pci_bench() { return std::make_unique<PciBench>(); }
std::unique_ptr<Bench> make_power_bench() { return std::make_unique<PowerBench>(); }

} // namespace btvm::test
