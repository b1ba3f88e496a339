#include "userland/tools/state_files.hh"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "userland/state/atomic_file.hh"

namespace btvm {

StateReader open_state(const std::string& path) {
    try {
        return StateReader(open_state_file(path));
    } catch (const StateError& error) {
        throw StateError(path + ": " + error.what());
    }
}

std::optional<MachineDescription> machine_of(const StateReader& reader) {
    const StateEntry* const entry = reader.find(kMachineSection);
    if (!entry || entry->type != state_format::Type::Fields || !entry->known()) return std::nullopt;
    try {
        MachineDescription description;
        load_state(description, reader.fields(*entry));
        return description;
    } catch (const StateError&) {
        return std::nullopt; // of another version: its fields can still be printed one by one
    }
}

nlohmann::ordered_json to_json_value(const StateSection& section) {
    return nlohmann::ordered_json::parse(to_json(section));
}

void write_output(const std::string& output, std::span<const std::uint8_t> bytes) {
    if (output == "-") {
        std::cout.write(reinterpret_cast<const char*>(bytes.data()),
                        static_cast<std::streamsize>(bytes.size()));
        return;
    }
    AtomicFile file(output);
    file.write(bytes);
    file.commit();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%llxh", static_cast<unsigned long long>(value));
    return text;
}

std::string hex_dump(std::uint64_t address, std::span<const std::uint8_t> bytes) {
    constexpr std::size_t kLine = 16;
    std::string out;
    bool starred = false;
    for (std::size_t at = 0; at < bytes.size(); at += kLine) {
        const auto line = bytes.subspan(at, std::min(kLine, bytes.size() - at));
        const bool last = at + kLine >= bytes.size();
        if (at && !last &&
            std::equal(line.begin(), line.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at - kLine))) {
            if (!starred) out += "*\n";
            starred = true;
            continue;
        }
        starred = false;
        char text[16];
        std::snprintf(text, sizeof text, "%08llx ", static_cast<unsigned long long>(address + at));
        out += text;
        std::string characters;
        for (std::size_t i = 0; i < kLine; i++) {
            if (i % 8 == 0) out += ' ';
            if (i >= line.size()) {
                out += "   ";
                continue;
            }
            std::snprintf(text, sizeof text, "%02x ", line[i]);
            out += text;
            characters += line[i] >= 0x20 && line[i] < 0x7f ? static_cast<char>(line[i]) : '.';
        }
        out += " |" + characters + "|\n";
    }
    return out;
}

} // namespace btvm
