// btvm-state extract.
#include <unistd.h>

#include "userland/machine/engine_state.hh"
#include "userland/state/sparse_pages.hh"
#include "userland/tools/core_file.hh"
#include "userland/tools/state_files.hh"
#include "userland/tools/state_tool.hh"

namespace btvm {

using state_format::Type;

namespace {

constexpr std::uint64_t kFirmwareAt4Gib = 0xf0000000; ///< Above this there is no RAM.

template <class F>
void in_state(const std::string& path, F&& function) {
    const StateReader reader = open_state(path);
    try {
        function(reader);
    } catch (const StateError& error) {
        throw StateError(path + ": " + error.what());
    }
}

} // namespace

void extract_screen(const std::string& path, const std::string& output) {
    in_state(path, [&](const StateReader& reader) {
        write_output(output, reader.payload(reader.get("screen", Type::Text)));
    });
}

void extract_section(const std::string& path, const std::string& section, const std::string& output) {
    in_state(path, [&](const StateReader& reader) {
        const StateEntry* const entry = reader.find(section);
        if (!entry) throw StateError("there is no section \"" + section + "\"");
        write_output(output, reader.payload(*entry));
    });
}

void extract_memory(const std::string& path, const std::string& output) {
    in_state(path, [&](const StateReader& reader) {
        const SavedMemory memory(reader);
        std::uint64_t end = 0;
        for (const SparsePages& region : memory.regions())
            if (region.set.first < kFirmwareAt4Gib) end = region.set.first + region.set.size;
        std::vector<std::uint8_t> bytes(end);
        memory.read(0, bytes);
        write_output(output, bytes);
    });
}

void extract_core(const std::string& path, const std::string& output) {
    if (output == "-" && ::isatty(STDOUT_FILENO))
        throw StateError("a core file is nothing for a terminal: name a file");
    in_state(path, [&](const StateReader& reader) {
        std::vector<StateSection> sections;
        for (const char* const name : kEngineSections)
            sections.push_back(reader.fields(reader.get(name, Type::Fields)));
        const EngineState engine = load_engine(sections);
        write_output(output, core_file(SavedMemory(reader), engine.core));
    });
}

} // namespace btvm
