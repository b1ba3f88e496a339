// btvm-state: looks into saved machines.
#include <CLI/CLI.hpp>
#include <iostream>

#include "userland/devices/state_section.hh"
#include "userland/machine/utf8.hh"
#include "userland/tools/state_tool.hh"

namespace btvm {
namespace {

struct Arguments {
    std::string file, other, output{"-"}, section;
    std::vector<std::string> sections, ranges;
    bool as_json{};
};

/// "0x7c00", "7c00h", "31744", and with a length: "b8000h+4000".
std::uint64_t parse_number(std::string text) {
    int base = 10;
    if (text.ends_with('h') || text.ends_with('H')) {
        text.pop_back();
        base = 16;
    } else if (text.starts_with("0x") || text.starts_with("0X")) {
        text.erase(0, 2);
        base = 16;
    }
    std::size_t used = 0;
    std::uint64_t value = 0;
    try {
        value = std::stoull(text, &used, base);
    } catch (const std::exception&) {
        used = 0;
    }
    if (!used || used != text.size() || text[0] == '-' || text[0] == '+')
        throw CLI::ValidationError("--memory", "\"" + text + "\" is no number");
    return value;
}

MemoryRange parse_range(const std::string& text) {
    constexpr std::uint64_t kShown = 256;
    constexpr std::uint64_t k4Gib = std::uint64_t{1} << 32;
    const std::size_t plus = text.find('+');
    MemoryRange range{parse_number(text.substr(0, plus)), kShown};
    if (plus != std::string::npos) range.size = parse_number(text.substr(plus + 1));
    if (range.first >= k4Gib || range.size > k4Gib - range.first)
        throw CLI::ValidationError("--memory", text + ": reaches beyond 4 GiB");
    return range;
}

using Action = std::function<StateExit()>;

void add_extract(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* const extract = app.add_subcommand("extract", "Take something out of a state");
    extract->require_subcommand(1);
    const auto part = [&](const char* name, const char* help,
                          void (*write)(const std::string&, const std::string&)) {
        CLI::App* const sub = extract->add_subcommand(name, help);
        sub->add_option("file", a.file, "The state")->required();
        sub->add_option("output", a.output, "Where to write it (default: standard output)");
        sub->callback([&a, &action, write] {
            action = [&a, write] {
                write(a.file, a.output);
                return StateExit::Ok;
            };
        });
    };
    part("screen", "The text screen, UTF-8", extract_screen);
    part("memory", "Physical memory from address 0 on, as it is", extract_memory);
    part("core", "An ELF core file, for gdb and crash", extract_core);
    CLI::App* const section = extract->add_subcommand("section", "What a section holds, decompressed");
    section->add_option("file", a.file, "The state")->required();
    section->add_option("section", a.section, "The section's name")->required();
    section->add_option("output", a.output, "Where to write it (default: standard output)");
    section->callback([&a, &action] {
        action = [&a] {
            extract_section(a.file, a.section, a.output);
            return StateExit::Ok;
        };
    });
}

void add_commands(CLI::App& app, Arguments& a, Action& action) {
    CLI::App* const info = app.add_subcommand("info", "What the machine was, what is in the file");
    info->add_option("file", a.file, "The state")->required();
    info->add_flag("-j,--json", a.as_json, "Print JSON");
    info->callback([&] {
        action = [&a] {
            state_info(a.file, a.as_json);
            return StateExit::Ok;
        };
    });
    CLI::App* const dump = app.add_subcommand("dump", "Every field by name, and memory");
    dump->add_option("file", a.file, "The state")->required();
    dump->add_option("sections", a.sections, "Only these sections");
    dump->add_option("-m,--memory", a.ranges,
                     "Physical memory: ADDRESS, or ADDRESS+LENGTH (in decimal, 0x7c00 or 7c00h)")
        ->option_text("RANGE")
        ->allow_extra_args(false); // one range for each -m: what follows it is the file
    dump->add_flag("-j,--json", a.as_json, "Print JSON");
    dump->callback([&] {
        std::vector<MemoryRange> ranges;
        for (const std::string& range : a.ranges)
            ranges.push_back(parse_range(range));
        action = [&a, ranges] {
            state_dump(a.file, a.sections, ranges, a.as_json);
            return StateExit::Ok;
        };
    });
    CLI::App* const diff = app.add_subcommand("diff", "What changed from one state to another");
    diff->add_option("before", a.file, "The one state")->required();
    diff->add_option("after", a.other, "The other")->required();
    diff->add_flag("-j,--json", a.as_json, "Print JSON");
    diff->callback([&] { action = [&a] { return state_diff(a.file, a.other, a.as_json); }; });
    CLI::App* const check = app.add_subcommand("check", "Whether the file is whole: structure and checksums");
    check->add_option("file", a.file, "The state")->required();
    check->callback([&] { action = [&a] { return state_check(a.file); }; });
    add_extract(app, a, action);
}

StateExit run(int argc, char** argv) {
    Arguments arguments;
    Action action;
    CLI::App app("btvm-state: looks into the states that btvm-ctl save writes", "btvm-state");
    app.set_version_flag("-V,--version", "btvm-state " BTVM_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.require_subcommand(0, 1); // asked for below, as in btvm-ctl
    add_commands(app, arguments, action);
    try {
        app.parse(argc, argv);
        if (!action) {
            std::cerr << "btvm-state: which command? Try btvm-state --help.\n";
            return StateExit::Usage;
        }
        const StateExit exit = action();
        if (!std::cout.flush()) throw StateError("standard output cannot be written");
        return exit;
    } catch (const CLI::Success& wanted) {
        app.exit(wanted);
        return StateExit::Ok;
    } catch (const CLI::ParseError& error) {
        std::cerr << "btvm-state: " << error.what() << "\nTry btvm-state --help.\n";
        return StateExit::Usage;
    } catch (const std::exception& error) {
        std::cerr << "btvm-state: " << plain(error.what()) << "\n"; // it may quote the file
        return StateExit::Trouble;
    }
}

} // namespace
} // namespace btvm

int main(int argc, char** argv) { return static_cast<int>(btvm::run(argc, argv)); }
