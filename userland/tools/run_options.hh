// The command line of btvm-run.
#pragma once

#include <optional>
#include <string>

#include "userland/frontend/frontend.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/tools/exit_codes.hh"

namespace btvm {

struct RunOptions {
    PcConfig pc; ///< Firmware not yet loaded: see the paths below.
    std::string bios_path, video_bios_path;
    /// A state to go on from; empty: the machine is turned on. Then `pc` has only what a saved machine does
    /// not say itself.
    std::string restore_path;
    RestoreWishes wishes;
    bool set_clock{}; ///< --rtc was given: with --restore the guest's clock jumps to that time.
    bool headless{};
    std::string control_path;         ///< Empty: the default; "none": no socket.
    std::string trace_file;           ///< Where a failure's report goes too; empty: nowhere else.
    GuestTime checkpoint_period{};    ///< 0: none are taken by the clock.
    std::size_t checkpoints_kept{32}; ///< Of those, at most.
    bool print_screen{};              ///< Print the guest's last screen at the end.
    FrontendConfig frontend;
};

/// Parses the command line. Where the program is to end at once (--help, --version, an error), prints what is
/// to be printed, puts the code into `exit` and gives nothing.
[[nodiscard]] std::optional<RunOptions> parse_run_options(int argc, char** argv, RunExit& exit);

} // namespace btvm
