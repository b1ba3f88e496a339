// A live save: the thread that reads the machine ahead while it runs, has it frozen for a moment, and writes
// the file while it runs on. For pc.cc and pc_saving.cc.
#pragma once

#include "userland/machine/pc_checkpoints.hh"

namespace btvm {

class Pc::Saving {
public:
    /// Throws StateError if there can be no such file.
    Saving(Pc& pc, const std::string& path, SaveWishes wishes);
    /// Waits for the end. With the machine off this is where what is left of a frozen machine goes.
    ~Saving() { thread_.join(); }
    Saving(const Saving&) = delete;
    Saving& operator=(const Saving&) = delete;

    [[nodiscard]] std::shared_future<SaveReport> result() const { return result_; }
    [[nodiscard]] bool done() const {
        return result_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
    [[nodiscard]] SaveProgress progress() const;
    /// Read no further ahead: the machine is about to end.
    void hurry() { give_up_ = true; }

private:
    void run();
    /// On the machine's thread: the guest stands still for as long.
    template <class F>
    void on_machine(F function);
    void begin(SaveProgress::Phase phase, std::uint64_t pages);
    void read_images();
    void read_memory();
    SaveReport save();
    void let_go();

    Pc& pc_;
    std::string path_;
    SaveWishes wishes_;
    std::optional<StateWriter> writer_;
    std::promise<SaveReport> promise_;
    std::shared_future<SaveReport> result_;
    std::atomic<bool> give_up_{};
    std::atomic<SaveProgress::Phase> phase_{};
    std::atomic<std::uint64_t> pages_{};    ///< Of the phase.
    std::atomic<std::uint64_t> written_{};  ///< Pages in the file.
    GuestTime longest_{};                   ///< That the guest stood still.
    std::unique_ptr<FrozenMachine> frozen_; ///< Made and let go by the machine's thread.
    std::thread thread_;
};

} // namespace btvm
