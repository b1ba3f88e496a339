// Guest time as an offset from the host's monotonic clock, with the ability to stand still and to run slower.
#pragma once

#include <time.h>

#include "userland/devices/device.hh"

namespace btvm {

/// The host's CLOCK_MONOTONIC.
[[nodiscard]] inline GuestTime monotonic_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

class GuestClock {
public:
    /// `slowdown`: host seconds in a second of the guest.
    explicit GuestClock(unsigned slowdown) : slowdown_(slowdown) {}

    [[nodiscard]] GuestTime now() const {
        return running_ ? (monotonic_now() - offset_) / slowdown_ : frozen_at_;
    }
    [[nodiscard]] unsigned slowdown() const { return slowdown_; }
    [[nodiscard]] bool running() const { return running_; }

    void freeze() {
        frozen_at_ = now();
        running_ = false;
    }
    /// Stands still at that time from now on.
    void freeze_at(GuestTime time) {
        frozen_at_ = time;
        running_ = false;
    }
    void thaw() {
        if (!running_) start(frozen_at_, monotonic_now());
    }
    /// Runs from guest time `guest` at host time `monotonic`.
    void start(GuestTime guest, GuestTime monotonic) {
        offset_ = monotonic - guest * slowdown_;
        running_ = true;
    }

private:
    unsigned slowdown_;
    bool running_{};
    GuestTime frozen_at_{};
    GuestTime offset_{};
};

} // namespace btvm
