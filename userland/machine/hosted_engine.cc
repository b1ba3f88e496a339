#include "userland/machine/hosted_engine.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <x86intrin.h>

#include "vmm/hypervisor/saved_state.hh"
#include "vmm/memory/dirty_log.hh"

namespace btvm {

HostedEngine::HostedEngine(PhysicalMemory& memory, const EngineConfig& config)
    : clock_(config.slowdown), ports_(pic_, pit_, request_, port_counters_), controllers_(cpu_, pic_, apics_),
      interpreter_(cpu_, memory_, ports_, counters_), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      keep_trace_(config.trace) {
    if (!wake_) throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno));
    if (memory.regions().size() > kMaxMemorySlots) throw std::logic_error("more memory regions than slots");
    for (const MemoryRegion& region : memory.regions()) {
        MemorySlot& slot = memory_.slots[memory_.slot_count++];
        slot.first = region.first;
        slot.size = region.size;
        slot.memory = region.memory;
        slot.read_only = region.read_only;
        slot.state = page_states_.emplace_back(region.size >> kPageShift).data();
    }
    ports_.pm_timer = &pm_timer_;
    interpreter_.translations = &translations_;
    ports_.post_port = config.post_port;
    if (config.apic) {
        cpu_.features.basic |= cpuid_feature::kApic;
        interpreter_.controllers = &controllers_;
    }
    reset();
}

void HostedEngine::reset() {
    btvm::reset(cpu_);
    set_a20(true);
    pic_.reset();
    apics_.reset();
    pit_.reset(static_cast<u64>(clock_.now().count()));
    pm_timer_ = {};
    request_.forget();
    owed_ticks_ = 0;
}

/// Nothing decoded is kept: only the log of written pages wants to know.
void HostedEngine::memory_written(std::uint64_t guest_physical, std::uint64_t size) {
    for (u32 i = 0; i < memory_.slot_count; i++) {
        const MemorySlot& slot = memory_.slots[i];
        const u64 begin = std::max(guest_physical, slot.first);
        const u64 end = std::min(guest_physical + size, slot.first + slot.size);
        for (u64 at = begin & ~kPageMask; at < end; at += kPageSize)
            slot.state[(at - slot.first) >> kPageShift] |= page_state::kDirty;
    }
}

void HostedEngine::take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) {
    btvm::take_dirty(memory_.slots[region], bitmap.data(), [](u64) {});
}

void HostedEngine::tick() {
    const u64 now = static_cast<u64>(clock_.now().count());
    ports_.now_ns = controllers_.now_ns = now;
    interpreter_.tsc = __rdtsc() + cpu_.tsc_offset;
    const auto ticks = controllers_.owe(owed_ticks_, pit_.collect_ticks(now));
    owed_ticks_ = ticks.owed;
    lost_ticks_ += ticks.lost;
    if (owed_ticks_) tick_pit();
    controllers_.follow_pic();
    lost_ticks_ += controllers_.follow_time();
}

void HostedEngine::tick_pit() {
    const PicChip& master = pic_.master();
    const bool to_io_apic = controllers_.ticks_reach_io_apic();
    // The next owed tick waits until the guest has taken the one before.
    if (to_io_apic ? !controllers_.takes_tick() : (master.irr | master.isr) & 1) return;
    controllers_.pulse_irq(0);
    owed_ticks_--;
}

// Never between a port access's answer and the instruction that asked: it would ask, and the device act,
// twice.
bool HostedEngine::between_instructions() const {
    return !cpu_.interrupt_shadow && request_.phase == PortRequest::Phase::Idle;
}

bool HostedEngine::interruptible() const { return (cpu_.rflags & eflags::kIf) && between_instructions(); }

StepStatus HostedEngine::deliver_pending() {
    if (cpu_.nmi_pending && !cpu_.nmi_blocked && between_instructions()) {
        cpu_.nmi_pending = 0;
        note(BTVM_TRACE_EVENT, 2);
        return interpreter_.deliver({Event::Kind::Nmi, 2, false, 0});
    }
    if (interruptible() && controllers_.pending()) {
        const u8 vector = controllers_.acknowledge();
        interrupts_++;
        note(BTVM_TRACE_EVENT, vector);
        return interpreter_.deliver({Event::Kind::External, vector, false, 0});
    }
    return StepStatus::Completed;
}

StepStatus HostedEngine::slice(unsigned instructions) {
    for (u32 done; instructions; instructions -= done) {
        if (const StepStatus status = interpreter_.run(instructions, done); status != StepStatus::Completed)
            return status;
        controllers_.follow_pic();
        if (interruptible() && controllers_.pending()) break;
    }
    return StepStatus::Completed;
}

EngineExit HostedEngine::run(GuestTime deadline) {
    for (;;) {
        if (kicked_.exchange(false)) return {};
        if (auto exit = turn(deadline, kSlice)) return *exit;
    }
}

std::optional<EngineExit> HostedEngine::turn(GuestTime deadline, unsigned instructions) {
    tick();
    if (GuestTime(ports_.now_ns) >= deadline) return leave(EngineExit::Reason::Deadline, BTVM_EXIT_DEADLINE);

    StepStatus status = StepStatus::Shutdown;
    if (cpu_.activity != Activity::Shutdown) status = deliver_pending();
    if (status == StepStatus::Completed) {
        if (cpu_.activity == Activity::Halted) {
            if (!(cpu_.rflags & eflags::kIf)) return leave(EngineExit::Reason::Halted, BTVM_EXIT_HALTED);
            sleep_until(deadline);
            return std::nullopt;
        }
        status = slice(instructions);
    }
    switch (status) {
    case StepStatus::Completed:
    case StepStatus::NeedsFpu: break; // the latter is never asked for
    case StepStatus::Halted: halts_++; break;
    case StepStatus::Io: return io_exit();
    case StepStatus::Shutdown: return leave(EngineExit::Reason::Shutdown, BTVM_EXIT_SHUTDOWN);
    }
    return std::nullopt;
}

void HostedEngine::sleep_until(GuestTime deadline) {
    const u64 now = ports_.now_ns;
    u64 until = std::min({deadline == kNever ? ~u64{0} : static_cast<u64>(deadline.count()),
                          pit_.next_irq_ns(now), controllers_.next_timer_ns()});
    // With ticks owed the interrupt is in service or masked: look again soon.
    if (owed_ticks_) until = std::min(until, now + 1'000'000);
    timespec wait{3600, 0};
    if (until != ~u64{0}) {
        const u64 left = until > now ? (until - now) * clock_.slowdown() : 0;
        wait = {static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
    }
    pollfd poll{wake_.get(), POLLIN, 0};
    ::ppoll(&poll, 1, &wait, nullptr);
    std::uint64_t drained = 0;
    if (::read(wake_.get(), &drained, sizeof drained) < 0 && errno != EAGAIN)
        throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno));
}

EngineExit HostedEngine::io_exit() {
    note(BTVM_TRACE_EXIT, BTVM_EXIT_IO);
    // Before the next run() the machine will have seen a write, and answered a read.
    request_.phase = PortRequest::Phase::Answered;
    return {EngineExit::Reason::Io,
            {request_.write != 0, request_.size, request_.port, {request_.data, request_.bytes()}},
            {}};
}

void HostedEngine::kick() {
    kicked_ = true;
    const std::uint64_t one = 1;
    // The counter cannot overflow: sleep_until() drains it. Nothing else can fail here.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

EngineExit HostedEngine::leave(EngineExit::Reason reason, std::uint32_t trace_code) {
    note(BTVM_TRACE_EXIT, trace_code);
    return {reason, {}, {}};
}

void HostedEngine::note(std::uint32_t kind, std::uint32_t a, std::uint64_t b, std::uint64_t c) {
    if (!keep_trace_) return;
    if (trace_.size() == kTraceEntries) trace_.pop_front();
    trace_.push_back({++trace_sequence_, __rdtsc(), kind, a, cpu_.seg[Cs].base + cpu_.rip, b, c});
}

std::vector<btvm_trace_entry> HostedEngine::trace(unsigned count) const {
    const std::size_t have = std::min<std::size_t>(count, trace_.size());
    return {trace_.end() - static_cast<std::ptrdiff_t>(have), trace_.end()};
}

btvm_stats HostedEngine::stats() const {
    btvm_stats stats{};
    stats.size = sizeof stats;
    stats.interpreted_instructions = counters_.instructions;
    stats.exceptions_delivered = counters_.exceptions;
    stats.interrupts_delivered = interrupts_;
    stats.port_in_core = port_counters_.in_core;
    stats.port_userland = port_counters_.userland;
    stats.halts = halts_;
    stats.lost_timer_ticks = lost_ticks_;
    return stats;
}

btvm_state HostedEngine::state() const {
    btvm_state state;
    get_state({cpu_, pic_, apics_, pit_, pm_timer_, request_, owed_ticks_}, __rdtsc(), state);
    return state;
}

bool HostedEngine::set_state(const btvm_state& state, GuestTime time) {
    const bool apics = cpu_.features.apic();
    CpuFeatures all;
    if (apics) all.basic |= cpuid_feature::kApic;
    if (!possible(state, all) || has_apics(state) != apics) return false;
    put_state({cpu_, pic_, apics_, pit_, pm_timer_, request_, owed_ticks_}, __rdtsc(), state);
    translations_.flush();
    clock_.freeze_at(time);
    return true;
}

Registers HostedEngine::registers() const {
    Registers out;
    get_regs(cpu_, out.general);
    get_sregs(cpu_, out.system);
    return out;
}

} // namespace btvm
