// The processor and what is around it in the core, on the hosted engine: one operation is one instruction of
// a generated program, or one event.
#include <algorithm>

#include "tests/unit/machine/tiny_bios.hh"
#include "tests/unit/state/processor_program.hh"
#include "tests/unit/state/subjects.hh"
#include "userland/machine/engine_state.hh"
#include "userland/machine/hosted_engine.hh"

namespace btvm::test {

namespace {

using namespace std::chrono_literals;

class ProcessorBench final : public Bench {
public:
    void operate(Random& random, Seen& seen) override {
        if (!programmed_) write_program(random);
        outside(random);
        // Time stands still, so this deadline never comes; a guest that waits need not be waited for.
        const auto exit = engine_->turn(engine_->now() + 1ns, 1);
        seen.add(exit ? 1 + static_cast<std::uint64_t>(exit->reason) : 0);
        if (!exit) return;
        if (exit->reason == EngineExit::Reason::Io) answer(exit->io, random, seen);
        if (exit->reason == EngineExit::Reason::Halted && random.once_in(4)) engine_->nmi();
        if (exit->reason == EngineExit::Reason::Shutdown && random.once_in(4)) engine_->reset();
    }

    /// What the guest has shown, and where time and A20 are: not the registers, which are what is tested.
    void watch(Seen& seen) override {
        seen.add(static_cast<std::uint64_t>(engine_->now().count()));
        for (const auto& [at, size] : {std::pair{program::kShown, 0x400u},
                                       {program::kStack - 0x100, 0x100u},
                                       {program::kData, 0x1000u},
                                       {program::kData + 0x3000, 0x1000u}}) {
            std::vector<std::uint8_t> bytes(size);
            memory_.read(at, bytes);
            seen.add(bytes);
        }
    }

    [[nodiscard]] Sections save(std::string_view only = {}) override {
        Sections sections = save_engine({engine_->state(), engine_->now()});
        // The host's counter goes on meanwhile; the program looks at the high bits.
        for (StateNode& field : sections[0].fields)
            if (field.name == "tsc") field.number = (field.number >> 56 << 56) | kTscMiddle;
        if (!only.empty()) std::erase_if(sections, [only](const StateSection& s) { return s.name != only; });
        return sections;
    }

protected:
    std::vector<Device*> build() override {
        engine_ = std::make_unique<HostedEngine>(memory_, EngineConfig{});
        return {};
    }
    void load(const Sections& sections) override {
        const EngineState state = load_engine(sections);
        if (!engine_->set_state(state.core, state.time)) throw StateError("no state of this engine");
    }
    void power_on() override {
        btvm_state state = engine_->state();
        state.tsc = kTscMiddle;
        (void)engine_->set_state(state, {});
    }
    std::function<void()> remember() override {
        std::vector<std::vector<std::uint8_t>> all;
        for (const MemoryRegion& region : memory_.regions())
            all.emplace_back(region.memory, region.memory + region.size);
        return [this, all = std::move(all)] {
            for (std::size_t i = 0; i < all.size(); i++)
                std::copy(all[i].begin(), all[i].end(), memory_.regions()[i].memory);
        };
    }

private:
    static constexpr std::uint64_t kTscMiddle = std::uint64_t{1} << 55; ///< Far from where bit 56 changes.

    void write_program(Random& random) {
        programmed_ = true;
        for (const auto& [at, bytes] : program::make(random, 500))
            memory_.write(at, bytes);
    }
    void outside(Random& random) {
        // Until the program has a stack, it can have no interrupts; and the firmware is above 1 MiB.
        if (engine_->registers().system.segment[Ss].selector == 0 || reads_tsc()) return;
        switch (random.below(60)) {
        case 0: engine_->nmi(); break;
        case 1: engine_->set_a20(random.once_in(2)); break;
        case 2: engine_->set_irq(random.once_in(2) ? 1 : 3, random.once_in(2)); break;
        case 3: engine_->set_pm_timer(random.once_in(3) ? 0 : program::kTimerPort); break;
        case 4:
        case 5: // the clock goes on
            (void)engine_->set_state(engine_->state(), engine_->now() + random.time(5ms));
            break;
        default: break;
        }
    }
    /// The low bits of the host's counter are in EAX and EDX: whoever interrupts shows them.
    [[nodiscard]] bool reads_tsc() const {
        std::array<std::uint8_t, 3> next{};
        memory_.read(engine_->registers().general.rip, next); // the code segment is flat
        return std::ranges::find(program::kAfterRdtsc, next) != std::end(program::kAfterRdtsc);
    }
    static void answer(const PortAccess& io, Random& random, Seen& seen) {
        seen.add(std::uint64_t{io.port} << 16 | std::uint64_t{io.size} << 8 | io.write);
        seen.add(io.data.size());
        if (io.write) return seen.add(std::span<const std::uint8_t>(io.data));
        for (std::uint8_t& byte : io.data)
            byte = random.byte();
    }

    PhysicalMemory memory_{MemoryConfig{2, tiny_bios(program::firmware()), {}, false}};
    std::unique_ptr<HostedEngine> engine_;
    bool programmed_{};
};

} // namespace

std::unique_ptr<Bench> make_processor_bench() { return std::make_unique<ProcessorBench>(); }

} // namespace btvm::test
