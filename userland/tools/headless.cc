#include "userland/tools/headless.hh"

#include <chrono>
#include <csignal>
#include <iostream>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace btvm {

namespace {

constexpr int kPoll = 50; ///< Milliseconds.
/// How long a halted or crashed guest stays before the program ends: long enough for a script that waits for
/// the last text on the screen to look at it, and for an NMI or reset on its way.
constexpr auto kGrace = std::chrono::seconds(1);

bool is_signalled(int signal_fd) {
    pollfd poll{signal_fd, POLLIN, 0};
    if (::poll(&poll, 1, kPoll) <= 0) return false;
    signalfd_siginfo info{};
    return ::read(signal_fd, &info, sizeof info) == sizeof info && info.ssi_signo != SIGWINCH;
}

} // namespace

void run_headless(Pc& pc, const FrontendConfig& policies, int signal_fd,
                  const std::atomic<bool>& quit_requested) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point ended{}; // the clock's zero: not ended
    while (!quit_requested && !is_signalled(signal_fd)) {
        for (const std::string& message : pc.take_messages())
            std::cerr << "btvm-run: " << message << "\n";
        const MachineState state = pc.state();
        if (state == MachineState::Failed || state == MachineState::PoweredOff) return;
        GuestEndPolicy policy = GuestEndPolicy::Stop;
        if (state == MachineState::Shutdown) policy = policies.on_shutdown;
        if (state == MachineState::Halted) policy = policies.on_halt;
        if (policy == GuestEndPolicy::Reset) {
            pc.reset();
        } else if (policy == GuestEndPolicy::Exit) {
            if (ended == Clock::time_point{}) ended = Clock::now();
            if (Clock::now() - ended >= kGrace) return;
            continue;
        }
        ended = {};
    }
}

} // namespace btvm
