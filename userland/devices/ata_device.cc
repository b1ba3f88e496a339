#include "userland/devices/ata_device.hh"

#include <algorithm>
#include <cstring>
#include <utility>

#include "userland/devices/guest_time.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr GuestTime kCommandTime = 20us;
constexpr GuestTime kBlockTime = 5us;
constexpr GuestTime kDmaTime = 10us; ///< Between two chunks.
constexpr GuestTime kResetTime = 500us;

} // namespace

// ---- registers

std::uint8_t AtaDevice::read_register(unsigned reg, bool previous) const {
    const auto pick = [previous](const Register& r) { return previous ? r.previous : r.now; };
    switch (reg) {
    case kAtaError: return error_;
    case kAtaCount: return pick(count_);
    case kAtaLbaLow: return pick(low_);
    case kAtaLbaMid: return pick(mid_);
    case kAtaLbaHigh: return pick(high_);
    case kAtaDevice: return device_ | 0xa0; // two bits that were once fixed
    default: return 0xff;
    }
}

void AtaDevice::write_register(unsigned reg, std::uint8_t value) {
    // A busy device does not listen (ATA/ATAPI-6, 7.1).
    if (status_ & (ata_status::kBusy | ata_status::kDataRequest)) {
        if (reg == kAtaDevice)
            device_ =
                static_cast<std::uint8_t>((device_ & ~ata_device::kSlave) | (value & ata_device::kSlave));
        return;
    }
    switch (reg) {
    case kAtaFeatures: features_.write(value); break;
    case kAtaCount: count_.write(value); break;
    case kAtaLbaLow: low_.write(value); break;
    case kAtaLbaMid: mid_.write(value); break;
    case kAtaLbaHigh: high_.write(value); break;
    case kAtaDevice: device_ = value; break;
    default: break;
    }
}

void AtaDevice::write_command(std::uint8_t command) {
    set_interrupt(false);
    if ((status_ & (ata_status::kBusy | ata_status::kDataRequest)) && !interrupts_busy(command)) return;
    stop();
    command_ = command;
    status_ = ata_status::kBusy;
    schedule(Step::Execute, kCommandTime);
}

void AtaDevice::set_interrupt(bool level) {
    if (interrupt_ == level) return;
    interrupt_ = level;
    bus_.interrupt_changed();
}

// ---- resets

void AtaDevice::hardware_reset() {
    stop();
    features_ = count_ = low_ = mid_ = high_ = Register{};
    reset_device(true);
    error_ = ata_error::kPassed;
    set_signature();
    set_interrupt(false);
}

void AtaDevice::hold_reset() {
    stop();
    status_ = ata_status::kBusy;
    set_interrupt(false);
}

void AtaDevice::release_reset() { schedule(Step::Reset, kResetTime); }

void AtaDevice::diagnose(bool interrupts) {
    stop();
    set_interrupt(false);
    error_ = ata_error::kPassed;
    set_signature();
    if (interrupts) set_interrupt(true);
}

// ---- time

void AtaDevice::schedule(Step step, GuestTime delay) {
    step_ = step;
    due_ = bus_.now() + delay;
}

/// Ends whatever is going on.
void AtaDevice::stop() {
    step_ = Step::None;
    due_.reset();
    phase_ = Phase::None;
    at_ = size_ = 0;
    dma_ = false;
    dma_left_ = 0;
}

void AtaDevice::run_until(GuestTime now) {
    if (!due_ || *due_ > now) return;
    due_.reset();
    run_step(std::exchange(step_, Step::None));
}

void AtaDevice::run_step(Step step) {
    switch (step) {
    case Step::None: break;
    case Step::Execute: execute(); break;
    case Step::BlockRead: block_read(); break;
    case Step::BlockWritten: block_written(); break;
    case Step::Dma: step_dma(); break;
    case Step::Poll: poll(); break;
    case Step::Reset:
        reset_device(false);
        error_ = ata_error::kPassed;
        set_signature();
        break;
    }
}

// ---- protocols

void AtaDevice::complete(bool with_interrupt) {
    stop();
    status_ = ata_status::kReady | ata_status::kSeekDone;
    error_ = 0;
    if (with_interrupt) set_interrupt(true);
}

void AtaDevice::fail(std::uint8_t error, bool fault) {
    stop();
    error_ = error;
    status_ = static_cast<std::uint8_t>(ata_status::kReady | ata_status::kSeekDone | ata_status::kError |
                                        (fault ? ata_status::kFault : 0));
    set_interrupt(true);
}

void AtaDevice::offer(std::size_t bytes) {
    phase_ = Phase::In;
    at_ = 0;
    size_ = static_cast<std::uint32_t>(bytes);
    status_ = ata_status::kReady | ata_status::kSeekDone | ata_status::kDataRequest;
    set_interrupt(true);
}

void AtaDevice::request(std::size_t bytes, bool with_interrupt) {
    phase_ = Phase::Out;
    at_ = 0;
    size_ = static_cast<std::uint32_t>(bytes);
    if (buffer_.size() < bytes) buffer_.resize(bytes);
    status_ = ata_status::kReady | ata_status::kSeekDone | ata_status::kDataRequest;
    if (with_interrupt) set_interrupt(true);
}

void AtaDevice::poll_again() {
    status_ = ata_status::kBusy;
    schedule(Step::Poll, kPoll);
}

// ---- the data register

std::uint32_t AtaDevice::read_data(unsigned size) {
    std::uint8_t bytes[4] = {0xff, 0xff, 0xff, 0xff};
    read_data_block(size, std::span(bytes).first(size));
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= std::uint32_t{bytes[i]} << 8 * i;
    return value;
}

void AtaDevice::write_data(unsigned size, std::uint32_t value) {
    std::uint8_t bytes[4];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = static_cast<std::uint8_t>(value >> 8 * i);
    write_data_block(size, std::span(bytes).first(size));
}

void AtaDevice::read_data_block(unsigned, std::span<std::uint8_t> out) {
    if (phase_ != Phase::In) {
        std::fill(out.begin(), out.end(), std::uint8_t{0xff});
        return;
    }
    const std::size_t part = std::min<std::size_t>(out.size(), size_ - at_);
    std::memcpy(out.data(), buffer_.data() + at_, part);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(part), out.end(), std::uint8_t{0xff});
    advance(part);
}

void AtaDevice::write_data_block(unsigned, std::span<const std::uint8_t> in) {
    // Some drivers (xv6's) write the first block without waiting for DRQ, which comes at once from most
    // drives: a command that has data written to it has been busy for long enough.
    if (step_ == Step::Execute) {
        due_.reset();
        run_step(std::exchange(step_, Step::None));
    }
    if (phase_ != Phase::Out) return;
    const std::size_t part = std::min<std::size_t>(in.size(), size_ - at_);
    std::memcpy(buffer_.data() + at_, in.data(), part);
    advance(part);
}

void AtaDevice::advance(std::size_t bytes) {
    at_ += static_cast<std::uint32_t>(bytes);
    if (at_ < size_) return;
    const Step next = phase_ == Phase::In ? Step::BlockRead : Step::BlockWritten;
    phase_ = Phase::None;
    status_ = ata_status::kBusy;
    schedule(next, kBlockTime);
}

// ---- DMA

void AtaDevice::start_dma(bool to_memory, std::uint64_t bytes) {
    dma_ = true;
    dma_to_memory_ = to_memory;
    dma_left_ = bytes;
    at_ = size_ = 0;
    status_ = ata_status::kReady | ata_status::kSeekDone | ata_status::kDataRequest;
    dma_ready();
}

void AtaDevice::dma_ready() {
    if (dma_ && !due_ && bus_.bus_master().ready()) schedule(Step::Dma, kDmaTime);
}

bool AtaDevice::load_chunk() {
    size_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(dma_left_, kChunk));
    at_ = 0;
    dma_left_ -= size_;
    if (buffer_.size() < size_) buffer_.resize(size_);
    return !dma_to_memory_ || dma_fill(std::span(buffer_).first(size_));
}

bool AtaDevice::store_chunk() { return dma_to_memory_ || dma_take(std::span(buffer_).first(size_)); }

/// Moves up to a chunk. A descriptor table that ends too soon leaves the device waiting, as on hardware: the
/// driver starts the engine again or resets the channel.
void AtaDevice::step_dma() {
    IdeBusMaster& master = bus_.bus_master();
    if (!master.ready()) return;
    if (at_ == size_ && !load_chunk()) return;
    const std::span<std::uint8_t> rest = std::span(buffer_).subspan(at_, size_ - at_);
    at_ += static_cast<std::uint32_t>(dma_to_memory_ ? master.to_memory(rest) : master.from_memory(rest));
    if (at_ == size_) {
        if (!store_chunk()) return;
        if (dma_left_ == 0) return dma_done();
    }
    dma_ready();
}

// ---- state

void AtaDevice::Register::describe(StateArchive& a) {
    a.field("now", now);
    a.field("previous", previous);
}

void AtaDevice::describe(StateArchive& a) {
    a.field("features", features_);
    a.field("count", count_);
    a.field("lba_low", low_);
    a.field("lba_mid", mid_);
    a.field("lba_high", high_);
    a.field("device", device_);
    a.field("error", error_);
    a.field("status", status_);
    a.field("command", command_);
    a.field("interrupt", interrupt_);
    a.field("phase", phase_, {.below = 3});
    a.field("at", at_, {.below = kChunk + 1});
    a.field("size", size_, {.below = kChunk + 1});
    a.field("dma", dma_);
    a.field("dma_to_memory", dma_to_memory_);
    a.field("dma_left", dma_left_, {.below = std::uint64_t{1} << 40});
    a.field("step", step_, {.below = 7});
    a.field("due", due_);
    a.field("buffer", buffer_, {.max_count = kChunk});
    a.check(at_ <= size_ && size_ <= buffer_.size(), "the block ends beyond the buffer");
    a.check(phase_ == Phase::None || at_ < size_, "the block is through");
    a.check(!(dma_ && phase_ != Phase::None), "DMA and programmed I/O at once");
    a.check((step_ == Step::None) == !due_, "a step without its time");
    a.check(!due_ || plausible_time(*due_), "due: beyond any guest's life");
}

} // namespace btvm
