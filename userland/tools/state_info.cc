// btvm-state info and check.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>

#include "userland/machine/saved_tree.hh"
#include "userland/machine/utf8.hh"
#include "userland/state/page_runs.hh"
#include "userland/tools/state_files.hh"
#include "userland/tools/state_tool.hh"

namespace btvm {

using nlohmann::ordered_json;
using state_format::Type;

namespace {

std::string wall_time(std::uint64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    char text[40] = "?";
    if (::gmtime_r(&time, &parts)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

double seconds(GuestTime time) { return std::chrono::duration<double>(time).count(); }

void print_machine(const MachineDescription& machine) {
    std::cout << "machine    " << plain(machine.name) << ", " << machine.ram_mib << " MiB, on the "
              << plain(machine.engine) << " engine" << (machine.paused ? ", paused" : "") << "\n"
              << "saved      " << wall_time(machine.saved_at) << " by " << plain(machine.program) << "\n"
              << "guest time " << seconds(machine.guest_time) << " s, " << machine.resets << " resets\n";
    for (const MediumDescription& medium : machine.media)
        std::cout << plain(medium.slot) << "        " << plain(medium.kind) << " " << plain(medium.path)
                  << ", " << medium.bytes << " bytes"
                  << (medium.snapshot          ? ", snapshot: what the guest wrote is in the state"
                      : medium.write_protect   ? ", write-protected"
                      : medium.kind == "cdrom" ? ""
                                               : ", written by the guest")
                  << "\n           content " << to_hex(medium.digest) << "\n";
    if (!machine.parent.empty()) std::cout << "made from  " << to_hex(machine.parent) << "\n";
}

/// A line a checkpoint, as btvm-ctl tree has them.
void print_tree(const StateReader& reader) try {
    const std::optional<SavedTree> saved = load_tree(reader);
    if (!saved) return;
    std::cout << "\ncheckpoints (* where the machine was last), and the pages that differ:\n";
    for (const CheckpointTree::Line& line : saved->tree.lines()) {
        const auto at = std::find(saved->ids.begin(), saved->ids.end(), line.node->id) - saved->ids.begin();
        std::cout << (line.node->id == saved->present ? "* " : "  ") << line.graph << plain(line.node->name)
                  << "  " << seconds(line.node->guest_time) << " s  "
                  << saved->checkpoints[static_cast<std::size_t>(at)].memory.places.size() << " pages\n";
    }
} catch (const StateError& error) {
    std::cout << "\ncheckpoints: " << plain(error.what()) << "\n";
}

ordered_json tree_json(const StateReader& reader) {
    ordered_json out = ordered_json::array();
    const std::optional<SavedTree> saved = load_tree(reader);
    if (!saved) return out;
    for (const SavedCheckpoint& each : saved->checkpoints) {
        const CheckpointNode& node = each.node;
        const auto parent = saved->tree.nodes().find(node.parent);
        out.push_back({{"id", node.id},
                       {"name", node.name},
                       {"parent", node.parent ? ordered_json(parent->second.name) : ordered_json()},
                       {"present", node.id == saved->present},
                       {"guest_seconds", seconds(node.guest_time)},
                       {"taken_at", node.taken_at},
                       {"pages", each.memory.places.size()},
                       {"screen", node.screen}});
    }
    return out;
}

/// What pages are there, for the table of sections.
std::string pages_note(const StateReader& reader, const StateEntry& entry) {
    const std::vector<std::uint8_t> payload = reader.payload(entry);
    const PageSet set = page_set(payload, entry.name);
    std::uint64_t units = 0;
    decode_pages(payload, entry.name,
                 [&](std::uint64_t, std::span<const std::uint8_t> data) { units += data.size() / set.unit; });
    const char* const base = set.base == PageBase::Zero    ? "not zero"
                             : set.base == PageBase::Image ? "not as in the image"
                                                           : "not as in the parent";
    return std::to_string(units) + " of " + std::to_string(set.units()) + " " +
           (set.unit == 512 ? "sectors " : "pages ") + base;
}

std::string note(const StateReader& reader, const StateEntry& entry) {
    if (!entry.known())
        return entry.required() ? "not known to this program" : "not known to this program, optional";
    try {
        if (entry.type == Type::Pages) return pages_note(reader, entry);
        if (entry.type == Type::Fields) {
            const StateSection section = reader.fields(entry);
            return "version " + std::to_string(section.version) + ", " +
                   std::to_string(section.fields.size()) + " fields";
        }
        return "";
    } catch (const StateError& error) {
        return plain(error.what());
    }
}

ordered_json info_json(const StateReader& reader) {
    ordered_json sections = ordered_json::array();
    for (const StateEntry& entry : reader.entries())
        sections.push_back({{"name", entry.name},
                            {"type", state_format::type_name(entry.type)},
                            {"required", entry.required()},
                            {"known", entry.known()},
                            {"stored", entry.stored},
                            {"raw", entry.raw},
                            {"crc32", entry.crc},
                            {"note", note(reader, entry)}});
    ordered_json out{
        {"format", state_format::kVersion}, {"id", to_hex(reader.id())}, {"bytes", reader.size()}};
    if (const StateEntry* const machine = reader.find(kMachineSection);
        machine && machine->type == Type::Fields)
        out["machine"] = to_json_value(reader.fields(*machine))["fields"];
    try {
        out["checkpoints"] = tree_json(reader);
    } catch (const StateError& error) {
        out["checkpoints"] = error.what();
    }
    out["sections"] = std::move(sections);
    return out;
}

} // namespace

void state_info(const std::string& path, bool as_json) {
    const StateReader reader = open_state(path);
    if (as_json) {
        std::cout << info_json(reader).dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
        return;
    }
    std::cout << "state      " << to_hex(reader.id()) << ", " << (reader.size() + 1023) / 1024 << " KiB\n";
    if (const auto machine = machine_of(reader))
        print_machine(*machine);
    else
        std::cout << "machine    described in a way that this program does not know: see btvm-state dump\n";
    std::printf("\n%-28s %-7s %10s %10s\n", "section", "type", "bytes", "unpacked");
    for (const StateEntry& entry : reader.entries())
        std::printf("%-28s %-7s %10llu %10llu  %s\n", entry.name.c_str(),
                    state_format::type_name(entry.type).c_str(),
                    static_cast<unsigned long long>(entry.stored), static_cast<unsigned long long>(entry.raw),
                    note(reader, entry).c_str());
    std::fflush(stdout);
    print_tree(reader);
    if (const StateEntry* const screen = reader.find("screen"); screen && screen->type == Type::Text) {
        std::cout << "\n";
        std::vector<std::string> rows = lines_of(reader.text(*screen));
        while (!rows.empty() && rows.back().empty()) // they tell nothing
            rows.pop_back();
        for (const std::string& row : rows)
            std::cout << plain(row) << "\n";
    }
}

StateExit state_check(const std::string& path) {
    bool good = true;
    const auto complain = [&](const std::string& what) {
        std::cout << path << ": " << plain(what) << "\n";
        good = false;
    };
    std::optional<StateReader> reader;
    try {
        reader.emplace(open_state_file(path));
    } catch (const StateError& error) {
        complain(error.what());
        return StateExit::Differ;
    }
    for (const StateEntry& entry : reader->entries()) {
        if (!entry.known()) {
            if (entry.required())
                complain("section \"" + entry.name + "\" is needed, and this program does not know it");
            continue;
        }
        try {
            switch (entry.type) {
            case Type::Fields: (void)reader->fields(entry); break;
            case Type::Pages: (void)pages_note(*reader, entry); break;
            default: (void)reader->payload(entry); break;
            }
        } catch (const StateError& error) {
            complain(error.what());
        }
    }
    try {
        (void)load_tree(*reader);
    } catch (const StateError& error) {
        complain(error.what());
    }
    if (!reader->find(kMachineSection)) complain("does not say what machine it is of");
    if (good)
        std::cout << path << ": whole, " << reader->entries().size() << " sections, " << reader->size()
                  << " bytes\n";
    return good ? StateExit::Ok : StateExit::Differ;
}

} // namespace btvm
