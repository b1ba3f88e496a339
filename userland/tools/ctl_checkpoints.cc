#include "userland/tools/ctl_checkpoints.hh"

#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>

namespace btvm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct Arguments {
    std::string name, to;
    bool verify{}, set_clock{}, as_json{};
};

std::string kib(const ordered_json& bytes) {
    return std::to_string((bytes.get<std::uint64_t>() + 1023) / 1024) + " KiB";
}

void print_report(const ordered_json& reply, const Arguments& arguments) {
    if (arguments.as_json) {
        std::cout << reply.dump(2) << "\n";
        return;
    }
    std::cout << reply["name"].get<std::string>() << ": " << reply["pages"] << " pages";
    if (reply.contains("bytes")) std::cout << ", " << kib(reply["bytes"]);
    std::cout << ", the guest stood still for " << std::fixed << std::setprecision(6)
              << reply["pause_seconds"].get<double>() << " s\n";
}

/// The last row of a screen that has something on it: the likeliest to tell states apart.
std::string last_row(const std::string& screen) {
    std::istringstream rows(screen);
    std::string last;
    for (std::string row; std::getline(rows, row);)
        if (!row.empty()) last = row;
    return last;
}

void tree(ControlClient& client, const Arguments& arguments) {
    const ordered_json reply = client.request("tree");
    if (arguments.as_json) {
        std::cout << reply.dump(2) << "\n";
        return;
    }
    for (const auto& each : reply["checkpoints"]) {
        std::cout << (each["present"].get<bool>() ? "* " : "  ") << each["graph"].get<std::string>()
                  << each["name"].get<std::string>() << "  " << std::fixed << std::setprecision(3)
                  << each["guest_seconds"].get<double>() << " s  " << kib(each["bytes"]) << "  "
                  << last_row(each["screen"]) << "\n";
    }
    if (reply["checkpoints"].empty()) std::cerr << "btvm-ctl: no checkpoints have been taken\n";
}

void commit(ControlClient& client, const Arguments& arguments) {
    const ordered_json reply = client.request("commit");
    if (arguments.as_json) {
        std::cout << reply.dump(2) << "\n";
        return;
    }
    for (const auto& image : reply["images"])
        std::cout << image["path"].get<std::string>() << ": " << kib(image["bytes"])
                  << (image["atomic"].get<bool>() ? " written\n" : " written in place, without a journal\n");
    if (reply["images"].empty())
        std::cerr << "btvm-ctl: nothing to write: no image has writes that checkpoints keep from it\n";
}

} // namespace

void add_checkpoint_commands(CLI::App& app, const std::function<ControlClient()>& client, Action& action) {
    const auto arguments = std::make_shared<Arguments>();
    const auto command = [&app, &action](const char* name, const char* help, auto function) {
        CLI::App* sub = app.add_subcommand(name, help);
        sub->callback([&action, function] { action = function; });
        return sub;
    };
    const auto shown = [&](const char* name, const char* help,
                           void (*show)(ControlClient&, const Arguments&)) {
        CLI::App* sub = command(name, help, [client, show, arguments] {
            ControlClient connection = client();
            show(connection, *arguments);
        });
        sub->add_flag("-j,--json", arguments->as_json, "Print JSON");
    };
    const auto reported = [&](const char* name, const char* help, const char* which) {
        CLI::App* sub = command(name, help, [client, name, arguments] {
            json members = json::object();
            if (!arguments->name.empty()) members["name"] = arguments->name;
            if (arguments->verify) members["verify"] = true;
            if (arguments->set_clock) members["set_clock"] = true;
            print_report(client().request(name, members), *arguments);
        });
        sub->add_option("name", arguments->name, which);
        sub->add_flag("-j,--json", arguments->as_json, "Print JSON");
        return sub;
    };
    reported("checkpoint", "Keep the machine's present state, to rewind to", "Its name (default: a number)")
        ->add_flag("--verify", arguments->verify, "For tests: look whether a written page has been missed");
    reported("rewind", "Take the machine back to a checkpoint", "Which (default: the last one)")
        ->add_flag("--set-clock", arguments->set_clock, "Set the guest's clock as at power-on");
    shown("tree", "Show the checkpoints", tree);
    command("delete", "Delete a checkpoint; those taken after it stay",
            [client, arguments] {
                client().request("delete", {{"name", arguments->name}});
            })
        ->add_option("name", arguments->name, "Which")
        ->required();
    CLI::App* rename = command("rename", "Give a checkpoint another name", [client, arguments] {
        client().request("rename", {{"name", arguments->name}, {"to", arguments->to}});
    });
    rename->add_option("name", arguments->name, "Which")->required();
    rename->add_option("to", arguments->to, "Its new name")->required();
    shown("commit", "Write into the images what the guest has written since the first checkpoint", commit);
}

} // namespace btvm
