// btvm-ctl: talks to a running btvm-run through its control socket.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "userland/control/base64.hh"
#include "userland/control/control_client.hh"
#include "userland/control/runtime_directory.hh"
#include "userland/machine/post_codes.hh"
#include "userland/machine/statistics.hh"
#include "userland/tools/ctl_save.hh"
#include "userland/tools/exit_codes.hh"

namespace btvm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// An error with the exit code that goes with it.
class CtlError : public std::runtime_error {
public:
    CtlError(CtlExit code, const std::string& message) : std::runtime_error(message), code_(code) {}
    [[nodiscard]] CtlExit code() const { return code_; }

private:
    CtlExit code_;
};

std::vector<std::string> running_machines() {
    std::vector<std::string> running;
    for (const std::string& path : list_sockets(runtime_directory()))
        if (is_listening(path)) running.push_back(path);
    return running;
}

/// --socket as given: a path, or the name of a machine in the runtime directory. Without it the only one that
/// runs.
std::string find_socket(const std::string& given) {
    if (!given.empty()) {
        // A file or folder that happens to have the machine's name is not meant: its image's folder, say.
        std::error_code error;
        if (given.find('/') != std::string::npos || std::filesystem::is_socket(given, error)) return given;
        return runtime_directory() + "/" + given + ".sock";
    }
    const std::vector<std::string> running = running_machines();
    if (running.empty())
        throw CtlError(CtlExit::NoMachine, "no running machine found in " + runtime_directory() +
                                               " (start one with btvm-run, or give --socket)");
    if (running.size() > 1) {
        std::string message = "several machines are running; choose one with --socket:";
        for (const std::string& path : running)
            message += "\n  " + path;
        throw CtlError(CtlExit::Ambiguous, message);
    }
    return running.front();
}

struct Arguments {
    std::string socket;
    std::string png_file;
    std::string text, chord;
    bool enter{};
    double timeout{10};
    std::string drive, action, path;
    bool snapshot{}, write_protect{};
    bool discard{};
    bool as_json{};
    unsigned count{100};
};

void write_png(const ordered_json& reply, const std::string& path) {
    const std::vector<std::uint8_t> png = base64_decode(reply.at("png").get<std::string>());
    if (path == "-") {
        std::cout.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
        return;
    }
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
    if (!file.flush()) throw CtlError(CtlExit::Failed, path + ": cannot be written");
}

void print_info(const ordered_json& reply) {
    std::cout << "name      " << reply["name"].get<std::string>() << "\n"
              << "state     " << reply["state"].get<std::string>() << "\n"
              << "engine    " << reply["engine"].get<std::string>() << "\n"
              << "memory    " << reply["memory_mib"] << " MiB\n"
              << "uptime    " << reply["guest_seconds"] << " s of guest time, " << reply["resets"]
              << " resets\n"
              << "pid       " << reply["pid"] << "\n";
    std::vector<PostCode> codes;
    for (const auto& each : reply["post_codes"])
        codes.push_back({each["port"].get<std::uint16_t>(), each["code"].get<std::uint8_t>()});
    if (!codes.empty()) std::cout << "POST      " << to_string(codes) << "\n";
    for (const auto& floppy : reply["floppies"]) {
        const std::string path = floppy["path"];
        std::cout << "floppy " << floppy["drive"].get<std::string>() << "  "
                  << (path.empty() ? "(empty)" : path)
                  << (floppy["write_protected"] ? ", write-protected" : "")
                  << (floppy["snapshot"] ? ", snapshot" : "") << "\n";
    }
    for (const auto& drive : reply["drives"]) {
        const std::string path = drive["path"];
        std::cout << (drive["kind"] == "disk" ? "disk " : "cdrom ") << drive["drive"] << "    "
                  << (path.empty() ? "(empty)" : path) << (drive["snapshot"] ? ", snapshot" : "") << ", "
                  << drive["bytes_read"] << " bytes read, " << drive["bytes_written"] << " written\n";
    }
}

void screen(ControlClient& client, const Arguments& arguments) {
    if (!arguments.png_file.empty())
        write_png(client.request("screen", {{"format", "png"}}), arguments.png_file);
    else if (arguments.as_json)
        std::cout << client.request("screen").dump(2) << "\n";
    else
        std::cout << client.request("screen")["text"].get<std::string>();
}

void stats(ControlClient& client, const Arguments& arguments) {
    const ordered_json reply = client.request("stats");
    if (arguments.as_json)
        std::cout << reply["stats"].dump(2) << "\n";
    else
        std::cout << statistics_text(reply["stats"]);
}

void trace(ControlClient& client, const Arguments& arguments) {
    const ordered_json reply = client.request("trace", {{"count", arguments.count}});
    if (arguments.as_json) {
        std::cout << reply["entries"].dump(2) << "\n";
        return;
    }
    for (const auto& entry : reply["entries"])
        std::cout << entry["text"].get<std::string>() << "\n";
    if (!reply["enabled"]) std::cerr << "btvm-ctl: no trace is kept: start btvm-run with --trace\n";
}

void info(ControlClient& client, const Arguments& arguments) {
    const ordered_json reply = client.request("info");
    if (arguments.as_json)
        std::cout << reply.dump(2) << "\n";
    else
        print_info(reply);
}

void list() {
    for (const std::string& path : running_machines())
        std::cout << path << "\n";
}

using Clock = std::chrono::steady_clock;

double seconds_until(Clock::time_point time) {
    return std::max(0.0, std::chrono::duration<double>(time - Clock::now()).count());
}

/// A connection to a machine that may still be starting: tried again until `deadline`, then the error of the
/// last try.
ControlClient connect_until(const std::string& socket, Clock::time_point deadline) {
    for (;;) {
        try {
            return ControlClient(find_socket(socket));
        } catch (const CtlError& error) {
            if (error.code() != CtlExit::NoMachine || Clock::now() >= deadline) throw;
        } catch (const NobodyListensError&) {
            if (Clock::now() >= deadline) throw;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// The time counts from the start of the command: one limit for the machine and for its text.
void wait_for(const Arguments& arguments) {
    const Clock::time_point deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                          std::chrono::duration<double>(arguments.timeout));
    ControlClient client = connect_until(arguments.socket, deadline);
    client.request("wait-for", {{"text", arguments.text}, {"timeout", seconds_until(deadline)}});
}

/// A path on this side, for a program with another working directory.
std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal(); }

/// Declares the subcommands; each sets `action` to what it does when it is the one.
void add_commands(CLI::App& app, Arguments& arguments, Action& action) {
    const auto client = [&arguments] { return ControlClient(find_socket(arguments.socket)); };
    const auto command = [&](const char* name, const char* help, auto function) {
        CLI::App* sub = app.add_subcommand(name, help);
        sub->callback([&action, function] { action = function; });
        return sub;
    };
    const auto simple = [&](const char* name, const char* help) {
        command(name, help, [client, name] { client().request(name); });
    };
    const auto shown = [&](const char* name, const char* help,
                           void (*show)(ControlClient&, const Arguments&)) {
        CLI::App* sub = command(name, help, [client, show, &arguments] {
            ControlClient connection = client();
            show(connection, arguments);
        });
        sub->add_flag("-j,--json", arguments.as_json, "Print JSON");
        return sub;
    };

    shown("screen", "Print the guest's screen", screen)
        ->add_option("--png", arguments.png_file, "Write a picture to FILE instead (- for standard output)")
        ->option_text("FILE");
    CLI::App* type = command("type", "Type a text", [client, &arguments] {
        client().request("type", {{"text", arguments.text + (arguments.enter ? "\n" : "")}});
    });
    type->add_option("text", arguments.text, "What to type")->required();
    type->add_flag("-e,--enter", arguments.enter, "Press Enter after it");
    command("key", "Press a key or chord, such as ctrl-alt-del",
            [client, &arguments] {
                client().request("key", {{"chord", arguments.chord}});
            })
        ->add_option("chord", arguments.chord, "Keys joined by -")
        ->required();
    CLI::App* wait =
        command("wait-for", "Wait until a text is on the screen, of a machine that may still be starting",
                [&arguments] { wait_for(arguments); });
    wait->add_option("text", arguments.text, "The text, within one line")->required();
    wait->add_option("-t,--timeout", arguments.timeout, "How long to wait (default 10)")
        ->option_text("SECONDS")
        ->check(CLI::Range(0.0, 86400.0));
    simple("pause", "Stop the guest and its time");
    simple("resume", "Go on after pause");
    simple("reset", "Reset the machine");
    simple("nmi", "Raise a non-maskable interrupt");
    CLI::App* floppy = command("floppy", "Insert or eject a floppy", [client, &arguments] {
        if (arguments.action == "insert" && arguments.path.empty())
            throw CtlError(CtlExit::Usage, "floppy insert needs the path of an image");
        json members = {{"drive", arguments.drive}, {"action", arguments.action}};
        if (arguments.action == "insert") {
            members["path"] = absolute(arguments.path);
            members["snapshot"] = arguments.snapshot;
            members["write_protect"] = arguments.write_protect;
        }
        client().request("floppy", members);
    });
    floppy->add_option("drive", arguments.drive, "a or b")
        ->required()
        ->transform(CLI::IsMember({"a", "b"}, CLI::ignore_case));
    floppy->add_option("action", arguments.action, "insert or eject")
        ->required()
        ->check(CLI::IsMember({"insert", "eject"}));
    floppy->add_option("path", arguments.path, "The image to insert");
    floppy->add_flag("-s,--snapshot", arguments.snapshot, "Leave the image file alone");
    floppy->add_flag("-w,--write-protect", arguments.write_protect, "Write-protect it");
    CLI::App* cdrom = command("cdrom", "Change or eject the disc in the CD-ROM drive", [client, &arguments] {
        if (arguments.action == "insert" && arguments.path.empty())
            throw CtlError(CtlExit::Usage, "cdrom insert needs the path of an image");
        json members = {{"action", arguments.action}};
        if (arguments.action == "insert") members["path"] = absolute(arguments.path);
        client().request("cdrom", members);
    });
    cdrom->add_option("action", arguments.action, "insert or eject")
        ->required()
        ->check(CLI::IsMember({"insert", "eject"}));
    cdrom->add_option("path", arguments.path, "The image to insert");
    add_save_command(app, client, action);
    add_checkpoint_commands(app, client, action);
    simple("power-button", "Press the power button: a guest with ACPI shuts down");
    shown("stats", "Print the engine's counters", stats);
    shown("trace", "Print the newest trace entries", trace)
        ->add_option("-n,--count", arguments.count, "How many (default 100)")
        ->check(CLI::Range(1u, 65536u));
    command("registers", "Print the guest's registers",
            [client] { std::cout << client().request("registers")["text"].get<std::string>(); });
    shown("info", "Tell about the machine", info);
    command("list", "List the control sockets of running machines", list);
    command("quit", "End the machine", [client, &arguments] {
        client().request("quit", {{"discard", arguments.discard}});
    })->add_flag("--discard", arguments.discard, "Don't write to the images what checkpoints keep from them");
}

CtlExit run(int argc, char** argv) {
    Arguments arguments;
    Action action;
    CLI::App app("btvm-ctl: controls a running btvm-run", "btvm-ctl");
    app.set_version_flag("-V,--version", "btvm-ctl " BTVM_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.add_option("-S,--socket", arguments.socket,
                   "Control socket, or a machine's name (default: the only one running)")
        ->option_text("SOCKET");
    // Asked for below: the parser's own check would hide an unknown command behind "a subcommand is
    // required".
    app.require_subcommand(0, 1);
    add_commands(app, arguments, action);
    try {
        app.parse(argc, argv);
        if (!action) throw CtlError(CtlExit::Usage, "which command? Try btvm-ctl --help.");
        action();
        return CtlExit::Ok;
    } catch (const CLI::Success& wanted) {
        app.exit(wanted);
        return CtlExit::Ok;
    } catch (const CLI::ParseError& error) {
        std::cerr << "btvm-ctl: " << error.what() << "\nTry btvm-ctl --help.\n";
        return CtlExit::Usage;
    } catch (const CtlError& error) {
        std::cerr << "btvm-ctl: " << error.what() << "\n";
        return error.code();
    } catch (const RefusedError& error) {
        std::cerr << "btvm-ctl: " << error.what() << "\n";
        return error.code() == "timeout" ? CtlExit::Timeout : CtlExit::Failed;
    } catch (const SocketError& error) {
        std::cerr << "btvm-ctl: " << error.what() << "\n";
        return CtlExit::NoMachine;
    } catch (const std::exception& error) {
        std::cerr << "btvm-ctl: " << error.what() << "\n";
        return CtlExit::Failed;
    }
}

} // namespace
} // namespace btvm

int main(int argc, char** argv) { return static_cast<int>(btvm::run(argc, argv)); }
