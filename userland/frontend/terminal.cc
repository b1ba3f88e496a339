#include "userland/frontend/terminal.hh"

#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <langinfo.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "userland/frontend/curses.hh"

namespace btvm {

namespace {

/// How long ncurses waits after ESC for the rest of a key's sequence, in milliseconds. Short, so that the
/// Escape key is felt at once; a slow serial line may need the environment variable ESCDELAY.
constexpr int kEscapeDelay = 25;
constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/// What the crash handler needs, made ready beforehand: it may call nothing but async-signal-safe functions.
struct RestorePlan {
    termios before{};
    char sequence[256]{};
    std::size_t length{};
};
RestorePlan restore_plan;
volatile std::sig_atomic_t terminal_taken = 0;

int append_to_plan(int c) {
    if (restore_plan.length < sizeof restore_plan.sequence)
        restore_plan.sequence[restore_plan.length++] = static_cast<char>(c);
    return c;
}

void prepare_restore_plan() {
    restore_plan.length = 0;
    // Colours as they were, cursor shown, keypad off, attributes off, back from the alternate screen.
    for (const char* capability : {"oc", "op", "cnorm", "rmkx", "sgr0", "rmcup"}) {
        const char* sequence = ::tigetstr(const_cast<char*>(capability));
        if (sequence && sequence != reinterpret_cast<char*>(-1)) ::tputs(sequence, 1, append_to_plan);
    }
}

void crash_handler(int signal) {
    if (terminal_taken) {
        terminal_taken = 0;
        [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, restore_plan.sequence, restore_plan.length);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &restore_plan.before);
    }
    // SA_RESETHAND put the default action back, and the signal is unblocked on return: it strikes again for
    // good.
    ::raise(signal);
}

void install_crash_handlers() {
    // A stack overflow leaves no stack to handle it on.
    static char stack[65536];
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    ::sigaltstack(&alternate, nullptr);
    struct sigaction action {};
    action.sa_handler = crash_handler;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_ONSTACK);
    sigemptyset(&action.sa_mask);
    for (const int signal : kCrashSignals)
        ::sigaction(signal, &action, nullptr);
}

bool is_utf8() { return std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0; }

/// The guest's screen needs UTF-8. A terminal in a bare environment (no locale set: "C") speaks it nowadays
/// all the same; a user who chose another character set is left with what that can show.
void set_locale() {
    std::setlocale(LC_ALL, "");
    if (is_utf8()) return;
    const char* name = std::setlocale(LC_CTYPE, nullptr);
    if (name && (std::strcmp(name, "C") == 0 || std::strcmp(name, "POSIX") == 0))
        std::setlocale(LC_CTYPE, "C.UTF-8");
}

} // namespace

std::optional<std::string> Terminal::unusable() {
    if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO))
        return "standard input and output are not a terminal";
    const char* term = std::getenv("TERM");
    if (!term || !*term) return "the environment variable TERM is not set";
    int error = 0;
    if (::setupterm(nullptr, STDOUT_FILENO, &error) != OK)
        return "the terminal type \"" + std::string(term) + "\" (TERM) is not known here";
    ::del_curterm(cur_term);
    return std::nullopt;
}

Terminal::Terminal() {
    if (terminal_taken) throw std::logic_error("the terminal is taken already");
    ::tcgetattr(STDIN_FILENO, &restore_plan.before);
    set_locale();
    if (!std::getenv("ESCDELAY")) ::set_escdelay(kEscapeDelay);
    screen_ = ::newterm(nullptr, stdout, stdin);
    if (!screen_) throw std::runtime_error("ncurses cannot use this terminal");
    prepare_restore_plan();
    install_crash_handlers();
    terminal_taken = 1;
    ::raw(); // Ctrl-C and Ctrl-Z are the guest's
    ::noecho();
    ::nonl(); // tell Enter from Ctrl-J
    ::keypad(stdscr, TRUE);
    ::nodelay(stdscr, TRUE);
    ::leaveok(stdscr, FALSE);
    if (::has_colors()) ::start_color();
}

Terminal::~Terminal() {
    ::endwin();
    ::delscreen(screen_);
    terminal_taken = 0;
    for (const int signal : kCrashSignals)
        ::signal(signal, SIG_DFL);
}

void Terminal::resized() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        ::resizeterm(size.ws_row, size.ws_col);
    ::clearok(stdscr, TRUE);
}

int Terminal::rows() const { return getmaxy(stdscr); }
int Terminal::columns() const { return getmaxx(stdscr); }

} // namespace btvm
