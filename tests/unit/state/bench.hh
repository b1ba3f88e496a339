// What devices are on while it is tested that saving and restoring them changes nothing: a board, what is
// outside of the machine, and operations that a guest or a person may do. restore_test.cc does the testing;
// subjects.cc says what is tested.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "tests/unit/common/test_board.hh"
#include "userland/devices/state_section.hh"

namespace btvm::test {

/// Numbers that are the same on every machine.
class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    [[nodiscard]] std::uint32_t bits() { return static_cast<std::uint32_t>(engine_()); }
    [[nodiscard]] std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
    /// 0 to limit - 1.
    [[nodiscard]] std::uint32_t below(std::uint32_t limit) { return bits() % limit; }
    /// True once in `times`.
    [[nodiscard]] bool once_in(unsigned times) { return below(times) == 0; }
    template <class T, std::size_t N>
    [[nodiscard]] T one_of(const T (&choice)[N]) {
        return choice[below(N)];
    }
    /// Up to `most`, now and then much less, now and then nothing.
    [[nodiscard]] GuestTime time(GuestTime most);

private:
    std::mt19937 engine_;
};

/// What the guest, or somebody outside, has seen during one operation.
class Seen {
public:
    void add(std::uint64_t value) { values_.push_back(value); }
    void add(std::span<const std::uint8_t> bytes);
    void add(std::string_view text);
    void clear() { values_.clear(); }
    [[nodiscard]] std::uint64_t digest() const;
    [[nodiscard]] const std::vector<std::uint64_t>& values() const { return values_; }

private:
    std::vector<std::uint64_t> values_;
};

/// A board that knows where its devices' ports are and remembers all that they do to it.
class BenchBoard final : public TestBoard {
public:
    void dma_write(std::uint64_t at, std::span<const std::uint8_t> in) override;
    void set_pm_timer(std::uint16_t port) override { pm_timer = port; }
    void ports_changed(Device& device) override;
    void map(Device& device) { ports_[&device] = device.ports(); }
    void unmap_all() { ports_.clear(); }
    [[nodiscard]] Device* at(std::uint16_t port) const;
    /// Back to an earlier moment, but for what devices say themselves when they are loaded: where their ports
    /// are.
    void take_back(const BenchBoard& earlier);
    void watch(Seen& seen) const;

    std::uint64_t written{}; ///< A digest of what has been written to memory by DMA.
    std::uint16_t pm_timer{};

private:
    std::map<Device*, std::vector<PortRange>> ports_;
};

using Sections = std::vector<StateSection>;

/// Devices on a board. The board and what is outside live through a restore, the devices do not.
class Bench {
public:
    Bench() = default;
    virtual ~Bench() = default;
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// One operation that a guest or a person may do: draws from `random` only, and notes what the answer
    /// was.
    virtual void operate(Random& random, Seen& seen) = 0;
    /// What shows without an operation. Looked at after each.
    virtual void watch(Seen& seen);
    /// What is looked at when a sequence has ended: files, and all registers.
    virtual void inspect(Seen&) {}

    /// Makes the devices. Call once, before anything else.
    void start();
    /// A section for each device, or that of one.
    [[nodiscard]] virtual Sections save(std::string_view only = {});
    /// New devices in place of the old ones, with this state, as where a machine is restored. Throws
    /// StateError.
    void replace(const Sections& sections);
    /// Lets the same devices go on with `what`, and then takes the machine back to where it is now, with all
    /// that is outside. Throws StateError.
    void there_and_back(const std::function<void()>& what);

    BenchBoard board;

protected:
    /// Makes the devices anew, after taking away those that are there; gives them in the order in which a
    /// machine restores them.
    virtual std::vector<Device*> build() = 0;
    /// What is outside of devices and board, as it is now: gives what puts it back.
    [[nodiscard]] virtual std::function<void()> remember() {
        return [] {};
    }
    /// At power-on, not where a state is loaded next.
    virtual void power_on() {}

    /// Into what build() has made. Throws StateError.
    virtual void load(const Sections& sections);
    /// Accesses as a guest does them: where nobody answers, all ones.
    std::uint32_t in(std::uint16_t port, unsigned size = 1);
    void out(std::uint16_t port, std::uint32_t value, unsigned size = 1);
    /// Turns the clock by `by`, stopping wherever a device asked to be run.
    void advance(GuestTime by);

private:
    std::vector<Device*> devices_;
};

} // namespace btvm::test
