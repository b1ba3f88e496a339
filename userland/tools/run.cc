// btvm-run: runs a PC guest, on the terminal or headless.
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <sys/signalfd.h>

#include "userland/abi/abi_error.hh"
#include "userland/control/control_server.hh"
#include "userland/control/pc_control.hh"
#include "userland/control/runtime_directory.hh"
#include "userland/devices/disk_image_file.hh"
#include "userland/devices/floppy_image.hh"
#include "userland/frontend/frontend.hh"
#include "userland/machine/failure_report.hh"
#include "userland/machine/post_codes.hh"
#include "userland/tools/headless.hh"
#include "userland/tools/run_end.hh"
#include "userland/tools/run_options.hh"

namespace btvm {
namespace {

constexpr unsigned kReportTraceEntries = 200;

/// Blocks the signals that end the program, for this thread and all it makes, and gives a descriptor to read
/// them from.
FileDescriptor take_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH})
        sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN); // a file-size limit is an error like a full disk, not the guest's death
    FileDescriptor fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) throw std::runtime_error(std::string("signalfd: ") + std::strerror(errno));
    return fd;
}

/// At the given path, or at the default one: NAME.sock in the runtime directory, NAME-2.sock if that machine
/// is there already, and so on.
std::unique_ptr<ControlServer> make_control_server(const RunOptions& options, const std::string& name,
                                                   ControlTarget& target) {
    if (options.control_path == "none") return nullptr;
    if (!options.control_path.empty()) return std::make_unique<ControlServer>(options.control_path, target);
    const std::string directory = runtime_directory();
    make_runtime_directory(directory);
    for (unsigned number = 1;; number++) {
        const std::string suffix = number == 1 ? "" : "-" + std::to_string(number);
        const std::string path = directory + "/" + name + suffix + ".sock";
        if (number < 1000 && is_listening(path)) continue;
        return std::make_unique<ControlServer>(path, target);
    }
}

/// The BIOS refuses such a floppy in its own words; say beforehand what is the matter.
void warn_without_signature(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    char sector[512] = {};
    if (!file.read(sector, sizeof sector)) return;
    if (sector[510] != '\x55' || sector[511] != '\xaa')
        say("warning: " + path +
            " has no boot signature (55 AA at the end of its first sector): the BIOS may refuse "
            "to boot it");
}

void report_failure(Pc& pc, const RunOptions& options) {
    std::string report = "btvm-run: the engine ended the guest\n" + pc.failure();
    try {
        report += describe_registers(pc.registers()) + describe_trace(pc.trace(kReportTraceEntries));
    } catch (const std::exception& error) {
        report += std::string("(no registers or trace: ") + error.what() + ")\n";
    }
    std::cerr << report;
    if (options.trace_file.empty()) return;
    std::ofstream file(options.trace_file);
    if (!(file << report).flush()) say(options.trace_file + ": cannot be written");
}

void tell_discarded(const std::string& path, std::uint64_t bytes, bool snapshot) {
    if (bytes)
        say(path + ": the " + (snapshot ? "snapshot's " : "") + std::to_string((bytes + 1023) / 1024) +
            " KiB of writes " + (snapshot ? "" : "since the first checkpoint ") + "are lost, as wished");
}

void tell_discarded_writes(const PcStatus& status) {
    for (const DriveStatus& drive : status.drives)
        tell_discarded(drive.path, drive.overlay_bytes, drive.snapshot);
    for (const FloppyStatus& floppy : status.floppies)
        if (!floppy.snapshot) tell_discarded(floppy.path, floppy.overlay_bytes, false);
}

/// What the machine took of the host's memory beside the guest's own: known for the kernel engine.
void tell_host_memory(const btvm_stats& stats, unsigned ram_mib) {
    if (!stats.host_memory) return;
    const unsigned long long kib = stats.host_memory / 1024;
    say("host memory beside the guest's " + std::to_string(ram_mib) + " MiB: " + std::to_string(kib) +
        " KiB, from start to end (of its " + std::to_string(stats.shadow_pages_limit) +
        " shadow page tables at most " + std::to_string(stats.shadow_pages_peak) + " were in use at once)");
}

/// What the run came to, with the message that goes with it.
RunExit judge(Pc& pc, const RunOptions& options, MachineState state, bool asked_to_quit) {
    switch (state) {
    case MachineState::Failed: report_failure(pc, options); return RunExit::EngineFailure;
    case MachineState::Shutdown:
        if (asked_to_quit || options.frontend.on_shutdown != GuestEndPolicy::Exit) return RunExit::Ok;
        say("the guest triple-faulted");
        std::cerr << describe_registers(pc.registers());
        return RunExit::TripleFault;
    case MachineState::Halted:
        if (asked_to_quit || options.frontend.on_halt != GuestEndPolicy::Exit) return RunExit::Ok;
        say("the guest halted with interrupts off: nothing but an NMI or a reset could have gone on");
        // A test ROM says by them how far it came.
        if (const auto codes = pc.status().post_codes; !options.bios_path.empty() && !codes.empty())
            say("its last POST codes: " + to_string(codes));
        return RunExit::GuestHalted;
    case MachineState::PoweredOff:
        if (!asked_to_quit) say("the guest powered itself off");
        return RunExit::Ok;
    default: return RunExit::Ok;
    }
}

/// Runs the machine until its end, or until somebody ends it. `discard`: then the guest's writes to its
/// images are not wanted, if checkpoints have kept them.
RunExit drive(Pc& pc, const RunOptions& options, int signals, std::atomic<bool>& discard) {
    std::atomic<bool> quit_requested{false};
    PcControl control(pc, [&](bool keep) {
        discard = !keep;
        quit_requested = true;
        // A terminal front end looks at the machine's state only.
        if (!options.headless) ::kill(::getpid(), SIGTERM);
    });
    std::unique_ptr<ControlServer> server = make_control_server(options, pc.config().name, control);
    if (options.headless) {
        std::cerr << "btvm-run: " << pc.config().name << " on the " << pc.engine_name() << " engine";
        if (server) std::cerr << ", control socket " << server->path();
        std::cerr << "\n";
    }
    std::string last_screen;
    MachineState state{};
    const auto finish = [&] {
        state = pc.state();
        if (state == MachineState::PoweredOff) pc.stop(); // the screen then stays as it was at the end
        if (options.print_screen) last_screen = screen_text(pc.screen());
    };
    pc.start();
    if (options.checkpoint_period.count())
        pc.checkpoint_every(options.checkpoint_period, options.checkpoints_kept);
    if (options.headless) {
        run_headless(pc, options.frontend, signals, quit_requested);
        finish();
    } else {
        Frontend frontend(pc, options.frontend, signals);
        frontend.run();
        if (frontend.discards()) discard = true;
        finish();
    }
    // The terminal is back from here on.
    std::cout << last_screen << std::flush;
    if (const auto saving = pc.saving()) {
        say("waiting until " + saving->path + " is written");
        pc.finish_save();
    }
    return judge(pc, options, state, quit_requested);
}

RunExit run(const RunOptions& options) {
    if (!options.headless)
        if (const auto reason = Terminal::unusable()) {
            say("no terminal for the guest's screen: " + *reason + " (use --headless to run without)");
            return RunExit::NoTerminal;
        }
    const FileDescriptor signals = take_signals();
    PcConfig config = options.pc;
    std::optional<SavedMachine> saved;
    if (options.restore_path.empty()) {
        config.engine.post_port = !options.bios_path.empty(); // which may be a test ROM
        config.firmware = load_firmware(options.bios_path, options.video_bios_path);
    } else {
        saved.emplace(options.restore_path);
        saved->configure(config, options.wishes);
        if (config.serial == "stdio" && !options.headless) {
            say("the saved machine's COM1 is at the terminal, which shows the guest's screen now: use "
                "--headless or another --serial");
            return RunExit::Usage;
        }
    }
    Pc pc(config);
    if (saved) {
        pc.restore(*saved);
        if (options.set_clock) pc.set_clock(config.clock);
        saved.reset();
    } else if (!config.floppies[0].path.empty()) {
        warn_without_signature(config.floppies[0].path);
    }
    std::atomic<bool> discard{false};
    const RunExit exit =
        run_to_the_end(pc, discard, [&] { return drive(pc, options, signals.get(), discard); });
    tell_discarded_writes(pc.status());
    tell_host_memory(pc.stats(), config.ram_mib);
    return exit;
}

RunExit guarded_run(const RunOptions& options) {
    try {
        return run(options);
    } catch (const abi::AbiError& error) {
        say(error.what());
        switch (error.kind()) {
        case abi::AbiError::Kind::NoModule:
            std::cerr << "Without the module, --engine interpreter runs the guest slowly but surely.\n";
            return RunExit::NoModule;
        case abi::AbiError::Kind::Permission: return RunExit::Permission;
        case abi::AbiError::Kind::Mismatch: return RunExit::AbiMismatch;
        case abi::AbiError::Kind::Call: return RunExit::Internal;
        }
        return RunExit::Internal;
    } catch (const FirmwareError& error) {
        say(error.what());
        return RunExit::Image;
    } catch (const FloppyError& error) {
        say(error.what());
        return RunExit::Image;
    } catch (const DiskError& error) {
        say(error.what());
        return RunExit::Image;
    } catch (const StateError& error) {
        say(error.what());
        return RunExit::State;
    } catch (const SocketError& error) {
        say(error.what());
        return RunExit::ControlSocket;
    } catch (const std::invalid_argument& error) {
        say(error.what()); // a serial port's specification
        return RunExit::Usage;
    } catch (const std::exception& error) {
        say(error.what());
        return RunExit::Internal;
    }
}

} // namespace
} // namespace btvm

int main(int argc, char** argv) {
    auto exit = btvm::RunExit::Ok;
    const auto options = btvm::parse_run_options(argc, argv, exit);
    if (options) exit = btvm::guarded_run(*options);
    return static_cast<int>(exit);
}
