// What the commands of btvm-state share.
#pragma once

#include <nlohmann/json.hpp>

#include "userland/machine/machine_description.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

/// Opens a state. Throws StateError, which names the file.
[[nodiscard]] StateReader open_state(const std::string& path);
/// What the state says of its machine, if this program understands it.
[[nodiscard]] std::optional<MachineDescription> machine_of(const StateReader& reader);
/// A section as JSON.
[[nodiscard]] nlohmann::ordered_json to_json_value(const StateSection& section);
/// Writes bytes whole or not at all; "-" is standard output.
void write_output(const std::string& output, std::span<const std::uint8_t> bytes);
/// Without the line ends. They are the file's: plain() before they are printed.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);
/// Lines of 16 bytes, with the address before and the characters after; lines that repeat are left out.
[[nodiscard]] std::string hex_dump(std::uint64_t address, std::span<const std::uint8_t> bytes);
[[nodiscard]] std::string hex(std::uint64_t value);

} // namespace btvm
