#include "userland/machine/machine.hh"

#include <algorithm>

namespace btvm {

const char* to_string(MachineState state) {
    switch (state) {
    case MachineState::Running: return "running";
    case MachineState::Paused: return "paused";
    case MachineState::Halted: return "halted";
    case MachineState::Shutdown: return "shutdown";
    case MachineState::Failed: return "failed";
    case MachineState::PoweredOff: return "off";
    }
    return "?";
}

Machine::Machine(std::unique_ptr<PhysicalMemory> memory, std::unique_ptr<Engine> engine)
    : memory_(std::move(memory)), engine_(std::move(engine)) {}

Machine::~Machine() { close_queue(); }

void Machine::add(Device& device) {
    ports_.add(device);
    devices_.push_back(&device);
}

bool Machine::enqueue(std::function<void()> command) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        commands_.push_back(std::move(command));
    }
    wake_.notify_one();
    engine_->kick();
    return true;
}

void Machine::post(std::function<void()> command) { enqueue(std::move(command)); }

void Machine::run_and_wait(std::function<void()> command) {
    auto task = std::make_shared<std::packaged_task<void()>>(std::move(command));
    auto done = task->get_future();
    // The queue's is the only reference: a dropped command breaks its promise.
    if (!enqueue([task = std::move(task)] { (*task)(); })) throw MachineStopped();
    try {
        done.get();
    } catch (const std::future_error&) {
        throw MachineStopped(); // the command was dropped with the queue
    }
}

void Machine::quit() {
    enqueue([this] { quit_ = true; });
}

std::string Machine::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

void Machine::run_commands() {
    std::unique_lock lock(mutex_);
    while (!commands_.empty()) {
        const std::function<void()> command = std::move(commands_.front());
        commands_.pop_front();
        lock.unlock();
        command();
        lock.lock();
    }
}

void Machine::wait_for_command() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !commands_.empty(); });
}

void Machine::close_queue() {
    std::deque<std::function<void()>> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(commands_); // waiting callers get MachineStopped
}

void Machine::set_state(MachineState state) {
    if (state == MachineState::Running)
        engine_->thaw_time();
    else
        engine_->freeze_time();
    state_ = state;
}

void Machine::come_to_rest(MachineState state) {
    for (Device* device : devices_)
        device->drain();
    set_state(state);
}

void Machine::fail(const std::string& report) {
    {
        const std::lock_guard lock(mutex_);
        failure_ = report;
    }
    engine_->freeze_time();
    state_ = MachineState::Failed;
}

void Machine::run() {
    try {
        if (!goes_on_as_)
            for (Device* device : devices_)
                device->reset();
        set_state(goes_on_as_.value_or(MachineState::Running));
    } catch (const std::exception& error) {
        fail(std::string(error.what()) + "\n");
    }
    // A failed machine still answers commands: its screen, registers and trace are what a user wants to see
    // then.
    while (!quit_) {
        try {
            run_commands();
            if (quit_) break;
            if (state_ == MachineState::Running)
                run_guest();
            else
                wait_for_command();
        } catch (const std::exception& error) {
            fail(std::string(error.what()) + "\n");
        }
    }
    if (state_ != MachineState::Failed) {
        try {
            come_to_rest(MachineState::PoweredOff);
        } catch (const std::exception& error) {
            fail(std::string(error.what()) + "\n");
        }
    }
    close_queue();
}

GuestTime Machine::next_deadline() const {
    GuestTime first = period_.count() ? work_due_ : Engine::kNever;
    for (const Device* device : devices_)
        if (const auto deadline = device->deadline()) first = std::min(first, *deadline);
    return first;
}

void Machine::run_devices() {
    const GuestTime now = engine_->now();
    for (Device* device : devices_)
        if (const auto deadline = device->deadline(); deadline && *deadline <= now) device->run_until(now);
}

void Machine::every(GuestTime period, std::function<void()> work) {
    period_ = period;
    if (!period.count()) return; // perhaps asked for by the work itself
    work_ = std::move(work);
    work_due_ = engine_->now() + period;
}

void Machine::do_work() {
    const GuestTime now = engine_->now();
    // After a rewind the time is long to come.
    work_due_ = std::min(work_due_, now + period_);
    if (now < work_due_) return;
    work_due_ = now + period_;
    work_();
}

void Machine::run_guest() {
    run_devices();
    if (period_.count()) do_work();
    if (!reset_requested_) {
        EngineExit exit = engine_->run(next_deadline());
        switch (exit.reason) {
        case EngineExit::Reason::Io: handle_io(exit.io); break;
        case EngineExit::Reason::Deadline:
        case EngineExit::Reason::Kicked: break;
        case EngineExit::Reason::Halted: come_to_rest(MachineState::Halted); break;
        case EngineExit::Reason::Shutdown: come_to_rest(MachineState::Shutdown); break;
        case EngineExit::Reason::Failed: fail(exit.report); break;
        }
    }
    if (reset_requested_) reset();
}

void Machine::handle_io(PortAccess access) {
    if (access.write) {
        if (access.size == 1)
            for (const std::uint8_t byte : access.data)
                post_codes_.note(access.port, byte);
        ports_.write_block(access.port, access.size, access.data);
    } else
        ports_.read_block(access.port, access.size, access.data);
}

void Machine::restored(bool paused, std::uint64_t resets) {
    goes_on_as_ = paused ? MachineState::Paused : MachineState::Running;
    resets_ = resets;
    reset_requested_ = false;
}

void Machine::rewound(std::uint64_t resets) {
    resets_ = resets;
    reset_requested_ = false;
    set_state(state_ == MachineState::Paused ? MachineState::Paused : MachineState::Running);
}

void Machine::pause() {
    if (state_ == MachineState::Running) set_state(MachineState::Paused);
}

void Machine::resume() {
    if (state_ == MachineState::Paused) set_state(MachineState::Running);
}

void Machine::reset() {
    reset_requested_ = false;
    if (state_ == MachineState::Failed) throw std::runtime_error("the engine has failed: only quit is left");
    resets_++;
    if (memory_->restore_firmware())
        for (const MemoryRegion& region : memory_->regions())
            if (!region.read_only && region.first == PhysicalMemory::kVideoRomBase)
                engine_->memory_written(region.first, region.size);
    engine_->reset();
    for (Device* device : devices_)
        device->reset();
    // A reset that a device asked for in its own reset would go round for ever.
    reset_requested_ = false;
    if (state_ != MachineState::Paused) set_state(MachineState::Running);
}

void Machine::nmi() {
    engine_->nmi();
    if (state_ == MachineState::Halted) set_state(MachineState::Running);
}

void Machine::power_off() { quit_ = true; }

void Machine::dma_write(std::uint64_t at, std::span<const std::uint8_t> in) {
    memory_->write(at, in);
    if (!in.empty()) engine_->memory_written(at, in.size());
}

} // namespace btvm
