// The machine's checkpoints as a timeline to go back and forth on, with the screen of the one that is chosen.
#pragma once

#include <chrono>
#include <functional>

#include "userland/frontend/overlay.hh"
#include "userland/machine/pc.hh"

namespace btvm {

class Timeline final : public Overlay {
public:
    struct Actions {
        std::function<CheckpointList()> list;
        std::function<void()> take;
        /// The timeline closes after these; `rename` may open a prompt in its place.
        std::function<void(const std::string&name)> go_back, rename;
        std::function<void(const std::string& name)> remove;
    };
    explicit Timeline(Actions actions) : actions_(std::move(actions)) {}
    void draw(int rows, int columns) override;
    bool handle(const TerminalInput& input) override;

private:
    void refresh();
    [[nodiscard]] std::string line_text(const CheckpointList::Line& line) const;

    Actions actions_;
    CheckpointList list_;
    std::chrono::steady_clock::time_point due_{}; ///< When the list is fetched anew.
    std::uint64_t chosen_{}; ///< Number of the checkpoint, 0: where the machine was last.
    std::size_t first_{};    ///< The first line shown, where not all fit.
    std::size_t name_width_{};
};

/// A size as people read it, at most seven columns: "212 KiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// Guest time: "1:02:03.4".
[[nodiscard]] std::string time_text(GuestTime time);

} // namespace btvm
