#include "userland/tools/ctl_save.hh"

#include <chrono>
#include <filesystem>
#include <future>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <unistd.h>

namespace btvm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr auto kLookAgain = std::chrono::milliseconds(200);
constexpr const char* kClearLine = "\r\033[K";

struct Arguments {
    std::string path;
    bool tree{}, as_json{};
};

/// A line such as "reading memory: 34%"; empty if nothing is saved.
std::string progress_line(const ordered_json& info) {
    const auto saving = info.find("saving");
    if (saving == info.end() || saving->is_null()) return {};
    const std::string phase = saving->at("phase");
    std::string line = phase == "images"   ? "reading images"
                       : phase == "memory" ? "reading memory"
                                           : "writing";
    const auto pages = saving->at("pages").get<std::uint64_t>();
    if (pages)
        line += ": " + std::to_string(100 * saving->at("pages_done").get<std::uint64_t>() / pages) + "%";
    return line;
}

/// Shows on the terminal how far the save is, by another connection, until its reply is there.
void watch(const std::future<ordered_json>& reply, const std::function<ControlClient()>& client) {
    try {
        ControlClient other = client();
        while (reply.wait_for(kLookAgain) != std::future_status::ready)
            std::cerr << kClearLine << progress_line(other.request("info")) << std::flush;
    } catch (const std::exception&) {
        // The machine ends, perhaps: the reply tells.
    }
    std::cerr << kClearLine << std::flush;
}

void print_saved(const ordered_json& reply, const Arguments& arguments) {
    if (arguments.as_json) {
        std::cout << reply.dump(2) << "\n";
        return;
    }
    std::cout << arguments.path << ": " << (reply["bytes"].get<std::uint64_t>() + 1023) / 1024 << " KiB in "
              << std::fixed << std::setprecision(3) << reply["seconds"].get<double>()
              << " s, the guest stood still for " << reply["pause_seconds"].get<double>() << " s\n";
    for (const auto& image : reply["written_images"])
        std::cerr << "btvm-ctl: the guest writes " << image.get<std::string>()
                  << ": the state can be restored as long as that file stays as it is now (a machine "
                     "started with --snapshot keeps its writes in its states)\n";
}

void save(const std::function<ControlClient()>& client, const Arguments& arguments) {
    // btvm-run has another working directory.
    const std::string path = std::filesystem::absolute(arguments.path).lexically_normal();
    ControlClient connection = client();
    auto reply = std::async(std::launch::async, [&] {
        return connection.request("save", {{"path", path}, {"tree", arguments.tree}});
    });
    if (!arguments.as_json && ::isatty(STDERR_FILENO)) watch(reply, client);
    print_saved(reply.get(), arguments);
}

} // namespace

void add_save_command(CLI::App& app, const std::function<ControlClient()>& client, Action& action) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* sub = app.add_subcommand("save", "Save the whole machine to a file while it goes on");
    sub->callback(
        [&action, client, arguments] { action = [client, arguments] { save(client, *arguments); }; });
    sub->add_option("path", arguments->path, "The file; one that is there is replaced")->required();
    sub->add_flag("-t,--tree", arguments->tree, "With all checkpoints, to rewind to after it is restored");
    sub->add_flag("-j,--json", arguments->as_json, "Print JSON");
}

} // namespace btvm
