// The front end in the user's terminal: the guest's screen, a status line, the keyboard, and a menu behind
// the escape key.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "userland/frontend/colours.hh"
#include "userland/frontend/overlay.hh"
#include "userland/frontend/screen_view.hh"
#include "userland/frontend/terminal.hh"
#include "userland/machine/pc.hh"

namespace btvm {

/// What a triple fault or a HLT with interrupts off does to the machine.
enum class GuestEndPolicy {
    Stop, ///< The screen stays; the user decides.
    Reset,
    Exit
};

struct FrontendConfig {
    char escape_key{']'}; ///< With Ctrl it opens the menu: a letter or one of @ [ \ ] ^ _.
    GuestEndPolicy on_shutdown{GuestEndPolicy::Stop};
    GuestEndPolicy on_halt{GuestEndPolicy::Stop};
};

class Frontend {
public:
    /// Takes the terminal. `signal_fd` is a signalfd of SIGINT, SIGTERM, SIGHUP (each ends run()) and
    /// SIGWINCH, which the caller has blocked in all threads. Throws std::runtime_error.
    Frontend(Pc& pc, const FrontendConfig& config, int signal_fd);

    /// Until the user quits, a signal ends it, or the machine goes off or to a state its policy says to leave
    /// at.
    void run();

    /// The user does not want the guest's writes since the first checkpoint in the images.
    [[nodiscard]] bool discards() const { return discards_; }

private:
    using Clock = std::chrono::steady_clock;

    void handle_signals();
    void handle_input(const TerminalInput& input);
    void apply_policies();
    void fetch();
    void draw();
    void open_menu();
    void attempt(const std::function<void()>& action);
    void choose_floppy(unsigned drive);
    void take_checkpoint();
    void go_back(const std::string& name);
    void open_timeline();
    void quit();
    void show(std::string message);
    [[nodiscard]] std::string escape_name() const { return std::string("Ctrl-") + config_.escape_key; }
    [[nodiscard]] unsigned escape_code() const { return static_cast<unsigned>(config_.escape_key) & 0x1f; }

    Pc& pc_;
    FrontendConfig config_;
    int signal_fd_;
    Terminal terminal_;
    Colours colours_;
    ScreenView view_{colours_};
    std::unique_ptr<Overlay> overlay_, next_overlay_;
    TextScreen screen_;
    PcStatus status_;
    std::string message_; ///< In the status line until message_until_.
    Clock::time_point message_until_{};
    bool done_{}, discards_{};
};

} // namespace btvm
