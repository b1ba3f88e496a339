// State files from anywhere. Random bytes hardly ever have right checksums, so the input is not the file but
// what it is made of: a list of edits to a good state, or sections of its own, all sealed as a hostile writer
// would. Whatever comes of it, the reader throws StateError or gives what can be printed, compared and
// loaded.
#include <algorithm>
#include <cstdlib>

#include "userland/machine/engine_state.hh"
#include "userland/machine/machine_description.hh"
#include "userland/machine/saved_tree.hh"
#include "userland/state/checksum.hh"
#include "userland/state/little_endian.hh"
#include "userland/state/sparse_pages.hh"
#include "userland/state/state_reader.hh"

namespace {

using namespace btvm;
using Bytes = std::vector<std::uint8_t>;

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint64_t number(std::size_t size) {
        const std::uint64_t value = get_number(rest_.first(std::min(size, rest_.size())));
        rest_ = rest_.subspan(std::min(size, rest_.size()));
        return value;
    }
    Bytes bytes(std::size_t size) {
        const auto part = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(part.size());
        return {part.begin(), part.end()};
    }

private:
    std::span<const std::uint8_t> rest_;
};

struct Part {
    std::string name;
    std::uint8_t type{};
    std::uint8_t flags{};
    Bytes payload;
    std::uint64_t raw{};
};

Part fields_part(const StateSection& section) {
    Part part{section.name, 1, 1, {}, 0};
    append_bytes(section, part.payload);
    part.raw = part.payload.size();
    return part;
}

/// The sections of a small machine.
std::vector<Part> make_good_parts() {
    std::vector<Part> parts;
    MachineDescription machine;
    machine.name = "fuzz";
    machine.ram_mib = 1;
    machine.media.push_back({"fda", "floppy", "/x.img", true, false, 1474560, {}});
    parts.push_back(fields_part(save_state(kMachineSection, machine)));
    EngineState engine;
    for (btvm_pit_channel& channel : engine.core.pit) {
        channel.count = 0x10000;
        channel.access = 3;
    }
    for (const StateSection& section : save_engine(engine))
        parts.push_back(fields_part(section));
    PageEncoder memory({0, 640 * 1024, 4096, PageBase::Zero});
    memory.add(3, Bytes(8192, 0x33));
    parts.push_back({"memory/conventional RAM", 2, 1, std::move(memory).finish(), 0});
    parts.back().raw = parts.back().payload.size();
    parts.push_back({"screen", 3, 0, {'h', 'i'}, 2});
    // Two checkpoints, which differ in a page and in a floppy's sector.
    SavedTree tree;
    tree.ids = {1, 2};
    tree.present = tree.last_id = 2;
    tree.floppies.push_back({{"", "floppy", "/y.img", true, false, 1474560, {}}, {{7}, {1}}});
    parts.push_back(fields_part(save_state(kTreeSection, tree)));
    for (const std::uint64_t id : tree.ids) {
        SavedCheckpoint checkpoint;
        checkpoint.node.id = id;
        checkpoint.node.parent = id - 1;
        checkpoint.node.name = std::to_string(id);
        checkpoint.memory = {{3, 4}, {static_cast<std::uint32_t>(id), 0}};
        checkpoint.floppy_changes.push_back({0, {{7, 8}, {1, 0}}});
        checkpoint.parts = {save_engine(engine).back()};
        parts.push_back(fields_part(save_checkpoint(checkpoint)));
    }
    for (const auto& [name, unit] :
         {std::pair<std::string, std::uint32_t>{kTreePages, 4096}, {tree_blocks_section("floppy0"), 512}}) {
        PageEncoder pool({0, 2 * unit, unit, PageBase::Zero});
        pool.add(0, Bytes(2 * unit, 0x44));
        parts.push_back({name, 2, 0, std::move(pool).finish(), 0});
        parts.back().raw = parts.back().payload.size();
    }
    return parts;
}

const std::vector<Part>& good_parts() {
    static const std::vector<Part> parts = make_good_parts();
    return parts;
}

Bytes seal(const std::vector<Part>& parts) {
    Bytes out(state_format::kMagic.begin(), state_format::kMagic.end());
    put_number(out, 1, 4);
    out.resize(32);
    put_number(out, crc32(out), 4);
    std::uint32_t sum = 0;
    for (const Part& part : parts) {
        Bytes header{'S', 'E', 'C', 'T', part.type, part.flags};
        put_number(header, part.name.size(), 2);
        put_number(header, part.payload.size(), 8);
        put_number(header, part.raw, 8);
        header.insert(header.end(), part.name.begin(), part.name.end());
        put_number(header, crc32(header), 4);
        out.insert(out.end(), header.begin(), header.end());
        out.insert(out.end(), part.payload.begin(), part.payload.end());
        Bytes crc;
        put_number(crc, crc32(part.payload), 4);
        sum = crc32(crc, sum);
        out.insert(out.end(), crc.begin(), crc.end());
        for (const char c : {'D', 'O', 'N', 'E'})
            out.push_back(static_cast<std::uint8_t>(c));
    }
    Bytes end{'F', 'E', 'N', 'D'};
    put_number(end, parts.size(), 4);
    put_number(end, out.size(), 8);
    put_number(end, sum, 4);
    put_number(end, crc32(end), 4);
    out.insert(out.end(), end.begin(), end.end());
    return out;
}

void edit(std::vector<Part>& parts, Input& input) {
    Part& part = parts[input.number(1) % parts.size()];
    switch (input.number(1) % 8) {
    case 0: // bytes of the payload
    case 1:
    case 2: {
        const std::size_t at = input.number(2);
        const Bytes bytes = input.bytes(1 + input.number(1) % 8);
        for (std::size_t i = 0; i < bytes.size() && at + i < part.payload.size(); i++)
            part.payload[at + i] = bytes[i];
        break;
    }
    case 3: // its end
        part.payload.resize(part.payload.size() - input.number(2) % (part.payload.size() + 1));
        part.raw = part.payload.size();
        break;
    case 4: part.raw = input.number(8); break;
    case 5: part.type = static_cast<std::uint8_t>(input.number(1)); break;
    case 6: part.flags = static_cast<std::uint8_t>(input.number(1)); break;
    default: { // a section of one's own
        const Bytes name = input.bytes(1 + input.number(1) % 40);
        Part own{{name.begin(), name.end()}, static_cast<std::uint8_t>(1 + input.number(1) % 4), 0, {}, 0};
        own.payload = input.bytes(input.number(1));
        own.raw = own.payload.size();
        parts.push_back(own);
        break;
    }
    }
}

/// Everything that is done with a state's sections.
void use(const StateReader& reader) {
    for (const StateEntry& entry : reader.entries())
        try {
            if (!entry.known()) continue;
            if (entry.type == state_format::Type::Fields) {
                const StateSection section = reader.fields(entry);
                (void)to_text(section);
                (void)to_json(section);
                (void)differences(section, StateSection{});
            } else if (entry.type == state_format::Type::Pages) {
                (void)load_pages(reader, entry);
            } else {
                (void)reader.payload(entry);
            }
        } catch (const StateError&) {
        }
    try {
        MachineDescription machine;
        load_state(machine, reader.fields(reader.get(kMachineSection, state_format::Type::Fields)));
    } catch (const StateError&) {
    }
    try {
        std::vector<StateSection> sections;
        for (const char* const name : kEngineSections)
            sections.push_back(reader.fields(reader.get(name, state_format::Type::Fields)));
        // What is taken must be what a state is made of again.
        const EngineState engine = load_engine(sections);
        if (load_engine(save_engine(engine)).time != engine.time) std::abort();
    } catch (const StateError&) {
    }
    try {
        if (const auto tree = load_tree(reader)) (void)tree->tree.lines();
    } catch (const StateError&) {
    }
    try {
        Bytes some(100);
        SavedMemory(reader).read(0x3ff0, some);
    } catch (const StateError&) {
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const bool plain = input.number(1) % 4 == 0;
    Bytes file;
    if (plain) {
        file = input.bytes(size);
        // Bytes of no kind at all, or such over a good file.
        if (file.size() % 2) {
            Bytes good = seal(good_parts());
            for (std::size_t i = 0; i + 2 < file.size(); i += 3)
                good[(file[i] | std::size_t{file[i + 1]} << 8) % good.size()] = file[i + 2];
            file = good;
        }
    } else {
        std::vector<Part> parts = good_parts();
        while (!input.empty() && parts.size() < 40)
            edit(parts, input);
        file = seal(parts);
    }
    try {
        use(StateReader(state_in_memory(file)));
    } catch (const StateError&) {
    }
    return 0;
}
