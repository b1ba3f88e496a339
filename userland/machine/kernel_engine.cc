#include "userland/machine/kernel_engine.hh"

#include <csignal>
#include <stdexcept>

#include "userland/machine/failure_report.hh"

namespace btvm {

namespace {

/// Interrupts BTVM_RUN. Its handler does nothing: that the signal came is all that counts.
constexpr int kKickSignal = SIGUSR1;

void install_kick_handler() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigemptyset(&action.sa_mask);
    ::sigaction(kKickSignal, &action, nullptr); // without SA_RESTART, so that the call returns
}

bool execute_only(const abi::System& system, const EngineConfig& config) {
    switch (config.provider) {
    case EngineConfig::Provider::ExecuteOnly: return true;
    case EngineConfig::Provider::Auto: return system.check(BTVM_CAP_EXECUTE_ONLY) > 0;
    default: return false;
    }
}

btvm_config make_config(const abi::System& system, const EngineConfig& config) {
    btvm_config out{};
    out.breakpoints = config.breakpoints;
    out.slowdown = config.slowdown;
    out.flags = config.test_flags;
    if (!config.monitor) out.flags |= BTVM_CONFIG_MONITOR_OFF;
    if (config.verify) out.flags |= BTVM_CONFIG_VERIFY;
    if (!config.plan_cache) out.flags |= BTVM_CONFIG_PLAN_CACHE_OFF;
    if (config.trace) out.flags |= BTVM_CONFIG_TRACE;
    if (config.interpret) out.flags |= BTVM_CONFIG_INTERPRET;
    if (config.lookahead) out.flags |= BTVM_CONFIG_LOOKAHEAD;
    if (!config.table_tracking) out.flags |= BTVM_CONFIG_TRACKING_OFF;
    if (!config.table_compare) out.flags |= BTVM_CONFIG_COMPARE_OFF;
    if (config.apic) out.flags |= BTVM_CONFIG_APIC;
    if (config.post_port) out.flags |= BTVM_CONFIG_POST_PORT;
    if (execute_only(system, config)) out.flags |= BTVM_CONFIG_EXECUTE_ONLY;
    return out;
}

void check_capabilities(const abi::System& system, const PhysicalMemory& memory, const EngineConfig& config) {
    const auto refuse = [](const std::string& why) { throw abi::AbiError(abi::AbiError::Kind::Call, why); };
    const int slots = system.check(BTVM_CAP_MEMORY_SLOTS);
    if (static_cast<std::size_t>(slots) < memory.regions().size())
        refuse("the module offers " + std::to_string(slots) + " memory slots, this machine needs " +
               std::to_string(memory.regions().size()));
    const int ram = system.check(BTVM_CAP_MAX_GUEST_RAM);
    if (static_cast<unsigned>(ram) < memory.ram_mib())
        refuse("the module allows " + std::to_string(ram) + " MiB of guest memory at most: use --memory " +
               std::to_string(ram));
    const int breakpoints = system.check(BTVM_CAP_DEBUG_BREAKPOINTS);
    if (static_cast<unsigned>(breakpoints) < config.breakpoints)
        refuse("the module offers " + std::to_string(breakpoints) + " breakpoints: use --breakpoints " +
               std::to_string(breakpoints));
    if (config.verify && !system.check(BTVM_CAP_VERIFY))
        refuse("the module cannot verify: leave --verify out");
    if (config.provider == EngineConfig::Provider::ExecuteOnly && system.check(BTVM_CAP_EXECUTE_ONLY) <= 0)
        refuse("--provider execute-only needs a processor with protection keys (PKU), which this one does "
               "not have: "
               "use --provider auto");
}

} // namespace

KernelEngine::KernelEngine(PhysicalMemory& memory, const EngineConfig& config, const std::string& device)
    : system_(device), vm_(system_.create_vm()), clock_(config.slowdown) {
    check_capabilities(system_, memory, config);
    std::uint32_t slot = 0;
    for (const MemoryRegion& region : memory.regions())
        vm_.set_memory({slot++, region.read_only ? BTVM_MEM_READONLY : 0u, region.first, region.size,
                        reinterpret_cast<std::uintptr_t>(region.memory)});
    vm_.configure(make_config(system_, config));
    vcpu_ = vm_.create_vcpu();
    install_kick_handler();
}

EngineExit KernelEngine::run(GuestTime deadline) {
    btvm_run& shared = vcpu_->shared();
    shared.deadline_ns = deadline == kNever ? ~0ull : static_cast<std::uint64_t>(deadline.count());
    // kick() sets immediate_exit before it looks at in_run_, so either BTVM_RUN sees the flag or the signal
    // ends it.
    runner_ = ::pthread_self();
    in_run_ = true;
    const bool exited = vcpu_->run();
    in_run_ = false;
    if (!exited) {
        std::atomic_ref(shared.immediate_exit).store(0);
        return {};
    }
    switch (shared.exit_reason) {
    case BTVM_EXIT_IO: return port_exit();
    case BTVM_EXIT_HALTED: return {EngineExit::Reason::Halted};
    case BTVM_EXIT_SHUTDOWN: return {EngineExit::Reason::Shutdown};
    case BTVM_EXIT_DEADLINE: return {EngineExit::Reason::Deadline};
    case BTVM_EXIT_INTERNAL_ERROR: return failure();
    default:
        return {EngineExit::Reason::Failed,
                {},
                "the module reported the unknown exit reason " + std::to_string(shared.exit_reason) + "\n"};
    }
}

EngineExit KernelEngine::port_exit() {
    const auto& io = vcpu_->shared().io;
    if ((io.size != 1 && io.size != 2 && io.size != 4) || !io.count)
        return {EngineExit::Reason::Failed, {}, "the module reported a port access of an impossible size\n"};
    const std::size_t bytes = std::size_t{io.count} * io.size;
    return {
        EngineExit::Reason::Io,
        {io.direction == BTVM_EXIT_IO_OUT, io.size, io.port, {vcpu_->io_data(io.data_offset, bytes), bytes}},
        {}};
}

EngineExit KernelEngine::failure() {
    return {EngineExit::Reason::Failed, {}, describe_internal_error(vcpu_->shared())};
}

void KernelEngine::kick() {
    std::atomic_ref(vcpu_->shared().immediate_exit).store(1);
    if (in_run_) ::pthread_kill(runner_, kKickSignal);
}

void KernelEngine::set_irq(unsigned line, bool level) {
    const auto bit = static_cast<std::uint16_t>(1u << line);
    if (((irq_levels_ & bit) != 0) == level) return;
    vm_.irq_line(line, level);
    irq_levels_ = static_cast<std::uint16_t>(level ? irq_levels_ | bit : irq_levels_ & ~bit);
}

void KernelEngine::nmi() { vcpu_->nmi(); }

void KernelEngine::set_a20(bool enabled) {
    if (enabled == a20_) return;
    vcpu_->set_a20(enabled);
    a20_ = enabled;
}

void KernelEngine::set_pm_timer(std::uint16_t port) {
    if (port == pm_timer_) return;
    vcpu_->set_pm_timer(port);
    pm_timer_ = port;
}

void KernelEngine::reset() {
    vcpu_->reset();
    pm_timer_ = 0;
    // The controllers forget their inputs; devices that still drive a line do so again in their own reset.
    for (unsigned line = 0; line < 16; line++)
        vm_.irq_line(line, false);
    irq_levels_ = 0;
    vcpu_->set_a20(true);
    a20_ = true;
}

void KernelEngine::memory_written(std::uint64_t guest_physical, std::uint64_t size) {
    vm_.memory_written(guest_physical, size);
}

void KernelEngine::take_dirty(std::size_t region, std::span<std::uint64_t> bitmap) {
    vm_.take_dirty(static_cast<std::uint32_t>(region), bitmap.data());
}

void KernelEngine::freeze_time() { clock_.freeze(); }

void KernelEngine::thaw_time() {
    if (clock_.running()) return;
    vm_.set_clock(static_cast<std::uint64_t>(clock_.now().count()));
    const btvm_clock both = vm_.clock();
    clock_.start(GuestTime(both.guest_ns), GuestTime(both.monotonic_ns));
}

btvm_state KernelEngine::state() const { return vcpu_->state(); }

bool KernelEngine::set_state(const btvm_state& state, GuestTime time) {
    if (!vcpu_->set_state(state)) return false;
    irq_levels_ = static_cast<std::uint16_t>(state.pic[0].lines | state.pic[1].lines << 8);
    a20_ = state.sregs.a20_enabled != 0;
    pm_timer_ = state.pm_timer;
    clock_.freeze_at(time);
    return true;
}

Registers KernelEngine::registers() const { return {vcpu_->regs(), vcpu_->sregs()}; }

btvm_stats KernelEngine::stats() const { return vcpu_->stats(); }

std::vector<btvm_trace_entry> KernelEngine::trace(unsigned count) const { return vcpu_->trace(count); }

} // namespace btvm
