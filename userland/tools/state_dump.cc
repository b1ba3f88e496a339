// btvm-state dump.
#include <algorithm>
#include <iostream>

#include "userland/state/sparse_pages.hh"
#include "userland/tools/state_files.hh"
#include "userland/tools/state_tool.hh"

namespace btvm {

using nlohmann::ordered_json;
using state_format::Type;

namespace {

bool wanted(const std::vector<std::string>& sections, const StateEntry& entry) {
    return sections.empty() || std::find(sections.begin(), sections.end(), entry.name) != sections.end();
}

std::vector<std::uint8_t> read_memory(const SavedMemory& memory, const MemoryRange& range) {
    std::vector<std::uint8_t> bytes(range.size);
    memory.read(range.first, bytes);
    return bytes;
}

void dump_json(const StateReader& reader, const std::vector<std::string>& sections,
               const std::vector<MemoryRange>& ranges) {
    ordered_json out = ordered_json::object();
    if (ranges.empty() || !sections.empty())
        for (const StateEntry& entry : reader.entries()) {
            if (!wanted(sections, entry) || !entry.known()) continue;
            if (entry.type == Type::Fields)
                out[entry.name] = to_json_value(reader.fields(entry));
            else if (entry.type == Type::Text)
                out[entry.name] = reader.text(entry);
        }
    if (!ranges.empty()) {
        const SavedMemory memory(reader);
        for (const MemoryRange& range : ranges)
            out["memory"].push_back(
                {{"address", range.first}, {"bytes", to_hex(read_memory(memory, range))}});
    }
    std::cout << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

} // namespace

void state_dump(const std::string& path, const std::vector<std::string>& sections,
                const std::vector<MemoryRange>& ranges, bool as_json) {
    const StateReader reader = open_state(path);
    for (const std::string& name : sections)
        if (!reader.find(name)) throw StateError(path + ": there is no section \"" + name + "\"");
    if (as_json) return dump_json(reader, sections, ranges);
    if (ranges.empty() || !sections.empty())
        for (const StateEntry& entry : reader.entries()) {
            if (!wanted(sections, entry)) continue;
            if (!entry.known())
                std::cout << entry.name << ": " << entry.stored
                          << " bytes of a kind that is not known here\n";
            else if (entry.type == Type::Fields)
                std::cout << to_text(reader.fields(entry));
            else if (!sections.empty() && entry.type != Type::Pages)
                std::cout << hex_dump(0, reader.payload(entry));
            else
                std::cout << entry.name << ": " << entry.raw << " bytes (btvm-state extract section)\n";
        }
    if (ranges.empty()) return;
    const SavedMemory memory(reader);
    for (const MemoryRange& range : ranges)
        std::cout << hex_dump(range.first, read_memory(memory, range));
}

} // namespace btvm
