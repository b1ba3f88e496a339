#include "userland/frontend/frontend.hh"

#include <cctype>
#include <csignal>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "userland/frontend/curses.hh"
#include "userland/frontend/status_line.hh"
#include "userland/frontend/timeline.hh"
#include "userland/machine/statistics.hh"

namespace btvm {

namespace {

/// Time between two looks at the guest's screen, in milliseconds.
constexpr int kFrame = 33;
constexpr auto kMessageTime = std::chrono::seconds(6);

} // namespace

Frontend::Frontend(Pc& pc, const FrontendConfig& config, int signal_fd)
    : pc_(pc), config_(config), signal_fd_(signal_fd) {}

void Frontend::run() {
    while (!done_) {
        fetch();
        apply_policies();
        if (done_) break;
        draw();
        pollfd polls[2] = {{STDIN_FILENO, POLLIN, 0}, {signal_fd_, POLLIN, 0}};
        ::poll(polls, 2, kFrame);
        if (polls[1].revents) handle_signals();
        // The terminal is gone (its other end was closed) and nobody is left to ask.
        if ((polls[0].revents & (POLLHUP | POLLERR)) && !(polls[0].revents & POLLIN)) done_ = true;
        while (!done_) {
            const auto input = next_input();
            if (!input) break;
            handle_input(*input);
        }
    }
}

void Frontend::handle_signals() {
    signalfd_siginfo info{};
    while (!done_ && ::read(signal_fd_, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGWINCH)
            terminal_.resized();
        else
            done_ = true;
    }
}

void Frontend::fetch() {
    try {
        status_ = pc_.status();
        screen_ = pc_.screen();
        for (std::string& message : pc_.take_messages())
            show(std::move(message));
    } catch (const MachineStopped&) {
        done_ = true;
    }
}

void Frontend::apply_policies() {
    const auto apply = [&](MachineState state, GuestEndPolicy policy) {
        if (status_.state != state || policy == GuestEndPolicy::Stop) return;
        if (policy == GuestEndPolicy::Reset)
            attempt([&] { pc_.reset(); });
        else
            done_ = true;
    };
    apply(MachineState::Shutdown, config_.on_shutdown);
    apply(MachineState::Halted, config_.on_halt);
    // The caller prints the report, once the terminal is back.
    if (status_.state == MachineState::Failed || status_.state == MachineState::PoweredOff) done_ = true;
}

void Frontend::draw() {
    const int rows = terminal_.rows() - 1, columns = terminal_.columns();
    if (rows > 0) view_.draw(screen_, rows, columns);
    std::string message = message_;
    if (Clock::now() >= message_until_) {
        message.clear();
        if (!view_.fits())
            message =
                "showing a part of " + std::to_string(screen_.columns) + "x" + std::to_string(screen_.rows);
    }
    draw_status_line(rows, columns, {pc_.config().name, pc_.engine_name(), escape_name(), message}, status_);
    if (overlay_)
        overlay_->draw(rows, columns);
    else
        view_.place_cursor(screen_);
    ::refresh();
}

void Frontend::handle_input(const TerminalInput& input) {
    if (input.is_code && input.value == KEY_RESIZE) return;
    if (overlay_) {
        const bool goes_on = overlay_->handle(input);
        if (!goes_on) overlay_ = std::move(next_overlay_);
        return;
    }
    if (!input.is_code && !input.alt && input.value == escape_code()) {
        open_menu();
        return;
    }
    const std::vector<KeyEvent> events = keys_for_input(input);
    if (!events.empty()) attempt([&] { pc_.send_keys(events); });
}

void Frontend::show(std::string message) {
    message_ = std::move(message);
    message_until_ = Clock::now() + kMessageTime;
}

void Frontend::attempt(const std::function<void()>& action) {
    try {
        action();
    } catch (const MachineStopped&) {
        done_ = true;
    } catch (const std::exception& error) {
        show(error.what());
    }
}

void Frontend::choose_floppy(unsigned drive) {
    const std::string title = std::string("Floppy image for drive ") + static_cast<char>('A' + drive);
    next_overlay_ =
        std::make_unique<Prompt>(title, Prompt::Wants::Path, [this, drive](const std::string& path) {
            attempt([&] {
                pc_.insert_floppy(drive, {path, false, false});
                show("drive " + std::string(1, static_cast<char>('A' + drive)) + ": " + path);
            });
        });
}

void Frontend::take_checkpoint() {
    const CheckpointReport report = pc_.checkpoint({});
    show("checkpoint " + report.name + ": " + size_text(report.bytes));
}

void Frontend::go_back(const std::string& name) {
    const CheckpointReport report = pc_.rewind(name);
    show("back at " + report.name + ", " + time_text(report.guest_time));
}

void Frontend::open_timeline() {
    Timeline::Actions actions;
    actions.list = [this] {
        CheckpointList list;
        attempt([&] { list = pc_.checkpoints(); });
        return list;
    };
    actions.take = [this] { attempt([this] { take_checkpoint(); }); };
    actions.go_back = [this](const std::string& name) { attempt([&] { go_back(name); }); };
    actions.remove = [this](const std::string& name) { attempt([&] { pc_.delete_checkpoint(name); }); };
    actions.rename = [this](const std::string& name) {
        next_overlay_ = std::make_unique<Prompt>(
            "New name of checkpoint " + name, Prompt::Wants::Text,
            [this, name](const std::string& to) { attempt([&] { pc_.rename_checkpoint(name, to); }); });
    };
    next_overlay_ = std::make_unique<Timeline>(std::move(actions));
}

/// Asks what is to become of writes that checkpoints keep from the images, if there are any.
void Frontend::quit() {
    std::uint64_t kept = 0;
    for (const DriveStatus& drive : status_.drives)
        if (!drive.snapshot) kept += drive.overlay_bytes;
    for (const FloppyStatus& floppy : status_.floppies)
        if (!floppy.snapshot) kept += floppy.overlay_bytes;
    if (!kept) {
        done_ = true;
        return;
    }
    std::vector<Menu::Item> items;
    items.push_back({'y', "Yes: write it to the images", [this] {
                         attempt([this] {
                             (void)pc_.commit(); // if it fails, the user can still do something
                             done_ = true;
                         });
                     }});
    items.push_back(
        {'n', "No: the images stay as at the first checkpoint", [this] { done_ = discards_ = true; }});
    items.push_back({'c', "Cancel: don't quit", [] {}});
    next_overlay_ =
        std::make_unique<Menu>("Keep the " + size_text(kept) + " the guest has written?", std::move(items));
}

void Frontend::open_menu() {
    std::vector<Menu::Item> items;
    const auto add = [&](char letter, std::string text, std::function<void()> action) {
        items.push_back({letter, std::move(text), std::move(action)});
    };
    const auto add_attempt = [&](char letter, std::string text, std::function<void()> action) {
        add(letter, std::move(text), [this, action = std::move(action)] { attempt(action); });
    };
    if (status_.state == MachineState::Paused)
        add_attempt('p', "Resume", [this] { pc_.resume(); });
    else
        add_attempt('p', "Pause", [this] { pc_.pause(); });
    add_attempt('c', "Send Ctrl-Alt-Del", [this] { pc_.press_chord("ctrl-alt-delete"); });
    add_attempt('k', "Send " + escape_name(), [this] {
        pc_.press_chord(std::string("ctrl-") + static_cast<char>(std::tolower(config_.escape_key)));
    });
    for (unsigned drive = 0; drive < kFloppyDrives; drive++) {
        if (!status_.floppies[drive].present) continue;
        const char name = static_cast<char>('A' + drive);
        add(static_cast<char>('a' + drive), std::string("Change floppy ") + name,
            [this, drive] { choose_floppy(drive); });
        if (!status_.floppies[drive].path.empty())
            add_attempt(drive ? 'f' : 'e', std::string("Eject floppy ") + name,
                        [this, drive] { pc_.eject_floppy(drive); });
    }
    add_attempt('x', "Take a checkpoint", [this] { take_checkpoint(); });
    add_attempt('z', "Go back to the last checkpoint", [this] { go_back({}); });
    add('t', "Timeline of checkpoints", [this] { open_timeline(); });
    add_attempt('r', "Reset", [this] { pc_.reset(); });
    add('s', "Statistics", [this] {
        next_overlay_ = std::make_unique<TextPage>("Statistics", [this] {
            std::string text;
            attempt([&] { text = statistics_text(statistics_json(pc_.stats())); });
            return text;
        });
    });
    add('q', "Quit", [this] { quit(); });
    overlay_ = std::make_unique<Menu>("btvm", std::move(items));
}

} // namespace btvm
