#include "userland/devices/serial.hh"

#include <algorithm>
#include <utility>

#include "userland/devices/guest_time.hh"
#include "userland/devices/state.hh"

namespace btvm {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kCrystalHz = 1'843'200;

// Interrupt enable register, and what pending_interrupt() finds.
constexpr std::uint8_t kReceiveIrq = 0x01;
constexpr std::uint8_t kSendIrq = 0x02;
constexpr std::uint8_t kLineIrq = 0x04;
constexpr std::uint8_t kModemIrq = 0x08;
// Interrupt identification, highest priority first.
constexpr std::uint8_t kIdLine = 0x06;
constexpr std::uint8_t kIdData = 0x04;
constexpr std::uint8_t kIdTimeout = 0x0C;
constexpr std::uint8_t kIdSend = 0x02;
constexpr std::uint8_t kIdModem = 0x00;
constexpr std::uint8_t kIdNone = 0x01;
// Line status.
constexpr std::uint8_t kDataReady = 0x01;
constexpr std::uint8_t kOverrun = 0x02;
constexpr std::uint8_t kBreak = 0x10;
constexpr std::uint8_t kSendEmpty = 0x20;
constexpr std::uint8_t kShiftEmpty = 0x40;
constexpr std::uint8_t kFifoError = 0x80;
// Line control.
constexpr std::uint8_t kSendBreak = 0x40;
// Modem control.
constexpr std::uint8_t kDtr = 0x01;
constexpr std::uint8_t kRts = 0x02;
constexpr std::uint8_t kOut1 = 0x04;
constexpr std::uint8_t kOut2 = 0x08;
// Modem status.
constexpr std::uint8_t kCts = 0x10;
constexpr std::uint8_t kDsr = 0x20;
constexpr std::uint8_t kRing = 0x40;
constexpr std::uint8_t kDcd = 0x80;
constexpr std::uint8_t kRingEnded = 0x04;

// How long input may lie at the host unseen by a guest that waits for its interrupt.
constexpr GuestTime kPollInterval = 5ms;

} // namespace

Serial::Serial(Platform& platform, unsigned index, SerialLocation location,
               std::unique_ptr<SerialBackend> backend)
    : Device(platform), base_(location.base), irq_(location.irq), name_("serial" + std::to_string(index)),
      backend_(std::move(backend)) {
    reset();
}

std::vector<PortRange> Serial::ports() const { return {{base_, 8}}; }

void Serial::reset() {
    interrupt_enable_ = fifo_control_ = line_control_ = modem_control_ = 0;
    line_errors_ = modem_lines_ = modem_deltas_ = 0;
    receive_count_ = send_count_ = 0;
    shifting_ = timed_out_ = holding_empty_irq_ = false;
    // Divisor and scratch survive a reset on the chip, but no program can have meant what they hold.
    divisor_ = 12;
    scratch_ = 0;
    last_received_ = shift_ = 0;
    next_receive_ = platform_.now();
    timeout_at_ = {};
    update_modem_lines();
    modem_deltas_ = 0;
    update_irq();
}

GuestTime Serial::character_time() const {
    const unsigned data = 5 + (line_control_ & 0x03);
    const unsigned parity = (line_control_ & 0x08) != 0 ? 2 : 0;
    // In half bits: with 5 data bits the second stop bit is half a bit.
    const unsigned stop = (line_control_ & 0x04) == 0 ? 2 : data == 5 ? 3 : 4;
    const std::uint64_t half_bits = 2 + 2 * data + parity + stop;
    const std::uint64_t divisor = divisor_ == 0 ? 65536 : divisor_;
    return GuestTime(static_cast<std::int64_t>(half_bits * divisor * 8 * 1'000'000'000 / kCrystalHz));
}

unsigned Serial::receive_trigger() const {
    if (!fifo_on()) return 1;
    constexpr unsigned levels[] = {1, 4, 8, 14};
    return levels[fifo_control_ >> 6];
}

std::uint32_t Serial::read(std::uint16_t port, unsigned /*size*/) {
    const GuestTime now = platform_.now();
    run_until(now);
    switch (port - base_) {
    case 0: return divisor_access() ? divisor_ & 0xFF : read_data(now);
    case 1: return divisor_access() ? divisor_ >> 8 : interrupt_enable_;
    case 2: return read_interrupt_id();
    case 3: return line_control_;
    case 4: return modem_control_;
    case 5: return read_line_status();
    case 6: return read_modem_status();
    default: return scratch_;
    }
}

void Serial::write(std::uint16_t port, unsigned /*size*/, std::uint32_t wide) {
    const auto value = static_cast<std::uint8_t>(wide);
    const GuestTime now = platform_.now();
    run_until(now);
    switch (port - base_) {
    case 0:
        if (divisor_access())
            divisor_ = static_cast<std::uint16_t>((divisor_ & 0xFF00) | value);
        else
            write_data(value, now);
        break;
    case 1:
        if (divisor_access()) {
            divisor_ = static_cast<std::uint16_t>((divisor_ & 0x00FF) | value << 8);
            break;
        }
        // Turning the transmitter interrupt on while the transmitter is empty raises it.
        if ((value & ~interrupt_enable_ & kSendIrq) != 0 && send_count_ == 0) holding_empty_irq_ = true;
        interrupt_enable_ = value & 0x0F;
        break;
    case 2: write_fifo_control(value); break;
    case 3: write_line_control(value, now); break;
    case 4:
        modem_control_ = value & 0x1F;
        update_modem_lines();
        break;
    case 7: scratch_ = value; break;
    default: break; // line and modem status are read-only
    }
    update_irq();
}

std::uint8_t Serial::read_data(GuestTime now) {
    if (receive_count_ == 0) return last_received_;
    last_received_ = receive_[0];
    --receive_count_;
    std::copy_n(receive_.begin() + 1, receive_count_, receive_.begin());
    std::copy_n(receive_errors_.begin() + 1, receive_count_, receive_errors_.begin());
    note_error();
    timed_out_ = false;
    timeout_at_ = now + 4 * character_time();
    update_irq();
    return last_received_;
}

std::uint8_t Serial::read_interrupt_id() {
    const std::uint8_t id = pending_interrupt();
    if (id == kIdSend) {
        holding_empty_irq_ = false;
        update_irq();
    }
    return id | (fifo_on() ? 0xC0 : 0x00);
}

std::uint8_t Serial::read_line_status() {
    std::uint8_t status = line_errors_;
    if (receive_count_ != 0) status |= kDataReady;
    if (send_count_ == 0) status |= kSendEmpty | (shifting_ ? 0 : kShiftEmpty);
    const auto end = receive_errors_.begin() + receive_count_;
    if (fifo_on() && std::any_of(receive_errors_.begin(), end, [](std::uint8_t e) { return e != 0; }))
        status |= kFifoError;
    line_errors_ = 0;
    if (receive_count_ != 0) receive_errors_[0] = 0;
    update_irq();
    return status;
}

std::uint8_t Serial::read_modem_status() {
    update_modem_lines();
    const std::uint8_t status = modem_lines_ | modem_deltas_;
    modem_deltas_ = 0;
    update_irq();
    return status;
}

void Serial::write_data(std::uint8_t value, GuestTime now) {
    holding_empty_irq_ = false;
    if (send_count_ == capacity() && !loopback()) hurry(now);
    if (send_count_ < capacity())
        send_[send_count_++] = value;
    else if (!fifo_on())
        send_[0] = value; // the holding register takes the new character, the old one is lost
    start_sending(now);
}

/// A guest that does not wait for the transmitter loses characters at the speed of a line. Here is none: what
/// is on its way arrives early instead.
void Serial::hurry(GuestTime now) {
    if (std::exchange(shifting_, false)) backend_->send(shift_);
    start_sending(now);
}

void Serial::start_sending(GuestTime now) {
    if (shifting_ || send_count_ == 0) return;
    shift_ = send_[0];
    --send_count_;
    std::copy_n(send_.begin() + 1, send_count_, send_.begin());
    shifting_ = true;
    shifted_at_ = now + character_time();
    if (send_count_ == 0) holding_empty_irq_ = true;
}

void Serial::write_fifo_control(std::uint8_t value) {
    const bool switched = ((value ^ fifo_control_) & 0x01) != 0;
    if (switched || (value & 0x02) != 0) clear_receiver();
    if (switched || (value & 0x04) != 0) {
        if (send_count_ != 0) holding_empty_irq_ = true;
        send_count_ = 0;
    }
    // The other bits count only while bit 0 is written 1; the two reset bits clear themselves.
    fifo_control_ = (value & 0x01) != 0 ? value & 0xC9 : 0;
}

void Serial::write_line_control(std::uint8_t value, GuestTime now) {
    const bool break_starts = (value & ~line_control_ & kSendBreak) != 0;
    line_control_ = value;
    if (break_starts && loopback()) arrive(0x00, kBreak, now);
}

void Serial::clear_receiver() {
    receive_count_ = 0;
    timed_out_ = false;
}

// An error shows in the line status when its character comes to the top of the FIFO.
void Serial::note_error() {
    if (receive_count_ != 0) line_errors_ |= receive_errors_[0];
}

void Serial::arrive(std::uint8_t byte, std::uint8_t errors, GuestTime now) {
    if (receive_count_ == capacity()) {
        line_errors_ |= kOverrun;
        if (fifo_on()) return; // the character in the shift register is lost
        receive_count_ = 0;
    }
    receive_[receive_count_] = byte;
    receive_errors_[receive_count_] = errors;
    ++receive_count_;
    if (receive_count_ == 1) note_error();
    timed_out_ = false;
    timeout_at_ = now + 4 * character_time();
}

void Serial::update_modem_lines() {
    std::uint8_t lines = 0;
    if (loopback()) {
        lines = static_cast<std::uint8_t>(
            ((modem_control_ & kRts) != 0 ? kCts : 0) | ((modem_control_ & kDtr) != 0 ? kDsr : 0) |
            ((modem_control_ & kOut1) != 0 ? kRing : 0) | ((modem_control_ & kOut2) != 0 ? kDcd : 0));
    } else if (backend_->connected()) {
        lines = kCts | kDsr | kDcd;
    }
    const auto changed = static_cast<std::uint8_t>(lines ^ modem_lines_);
    modem_deltas_ |= static_cast<std::uint8_t>((changed & (kCts | kDsr | kDcd)) >> 4);
    if ((changed & kRing) != 0 && (lines & kRing) == 0) modem_deltas_ |= kRingEnded;
    modem_lines_ = lines;
}

std::uint8_t Serial::pending_interrupt() const {
    if ((interrupt_enable_ & kLineIrq) != 0 && line_errors_ != 0) return kIdLine;
    if ((interrupt_enable_ & kReceiveIrq) != 0) {
        if (receive_count_ >= receive_trigger()) return kIdData;
        if (fifo_on() && receive_count_ != 0 && timed_out_) return kIdTimeout;
    }
    if ((interrupt_enable_ & kSendIrq) != 0 && holding_empty_irq_) return kIdSend;
    if ((interrupt_enable_ & kModemIrq) != 0 && modem_deltas_ != 0) return kIdModem;
    return kIdNone;
}

void Serial::update_irq(bool always) {
    // On the cards OUT2 gates it to the bus. Not here, as in other emulators: xv6 never sets it, nor do
    // systems that took its driver over. Loopback takes the pin off.
    const bool raised = !loopback() && pending_interrupt() != kIdNone;
    if (line_ == raised && !always) return;
    line_ = raised;
    platform_.set_irq(irq_, line_);
}

void Serial::run_until(GuestTime now) {
    while (shifting_ && now >= shifted_at_) {
        shifting_ = false;
        if (loopback())
            arrive(shift_, 0, shifted_at_);
        else
            backend_->send(shift_);
        start_sending(shifted_at_);
    }
    // A second look at the line at most every character; a full receiver leaves bytes with the backend.
    if (!loopback() && now >= next_receive_ && receive_count_ < capacity()) {
        update_modem_lines();
        if (const auto byte = backend_->receive()) {
            arrive(*byte, 0, now);
            next_receive_ = now + character_time();
        } else {
            next_receive_ = now + std::max(character_time(), kPollInterval);
        }
    }
    if (fifo_on() && receive_count_ != 0 && now >= timeout_at_) timed_out_ = true;
    update_irq();
}

void Serial::drain() {
    while (shifting_ && !loopback())
        hurry(shifted_at_);
    update_irq();
}

std::optional<GuestTime> Serial::deadline() const {
    std::optional<GuestTime> at;
    const auto earlier = [&at](GuestTime other) {
        if (!at || other < *at) at = other;
    };
    if (shifting_) earlier(shifted_at_);
    // Without an enabled interrupt the guest has to look for itself, and its look asks the backend.
    const bool listens = (interrupt_enable_ & (kReceiveIrq | kModemIrq)) != 0;
    if (listens && !loopback() && backend_->can_receive() && receive_count_ < capacity())
        earlier(next_receive_);
    if (listens && fifo_on() && receive_count_ != 0 && !timed_out_) earlier(timeout_at_);
    return at;
}

void Serial::describe(StateArchive& a) {
    a.version(2);
    a.field("interrupt_enable", interrupt_enable_, {.below = 0x10});
    a.field("fifo_control", fifo_control_);
    a.field("line_control", line_control_);
    a.field("modem_control", modem_control_, {.below = 0x20});
    a.field("line_errors", line_errors_, {.below = 0x20});
    a.field("modem_lines", modem_lines_);
    a.field("modem_deltas", modem_deltas_, {.below = 0x10});
    a.field("scratch", scratch_);
    a.field("divisor", divisor_);
    a.field("receive", receive_);
    a.field("receive_errors", receive_errors_, {.below = 0x20});
    a.field("receive_count", receive_count_, {.below = kFifoBytes + 1});
    a.field("send", send_);
    a.field("send_count", send_count_, {.below = kFifoBytes + 1});
    a.field("last_received", last_received_);
    a.field("shift", shift_);
    a.field("shifting", shifting_);
    a.field("shifted_at", shifted_at_);
    a.field("next_receive", next_receive_);
    a.field("timeout_at", timeout_at_);
    a.field("timed_out", timed_out_);
    a.field("holding_empty_irq", holding_empty_irq_);
    std::vector<std::uint8_t> under_way = backend_->under_way();
    a.field("under_way", under_way, {.since = 2, .max_count = SerialBackend::kMostUnderWay});
    a.check(receive_count_ <= capacity() && send_count_ <= capacity(), "more characters than the FIFO holds");
    a.check(plausible_time(shifted_at_) && plausible_time(next_receive_) && plausible_time(timeout_at_),
            "a time is out of range");
    if (!a.loading()) return;
    backend_->set_under_way(under_way);
    update_irq(true);
}

} // namespace btvm
