// The commands of btvm-state. Each prints to standard output and throws StateError when a file cannot be
// used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace btvm {

/// What btvm-state exits with. Scripts rely on them: never renumber, only append.
enum class StateExit : int {
    Ok = 0,
    Differ =
        1,     ///< diff: the two differ. check: the file is damaged or holds what this program does not know.
    Usage = 2, ///< Unknown command or option, bad value.
    Trouble = 3, ///< A file cannot be read or written, or is no state.
};

struct MemoryRange {
    std::uint64_t first{};
    std::uint64_t size{};
};

/// What the machine was, what is in the file, how its screen looked.
void state_info(const std::string& path, bool as_json);
/// The fields of the sections named (none: of all), and memory.
void state_dump(const std::string& path, const std::vector<std::string>& sections,
                const std::vector<MemoryRange>& memory, bool as_json);
[[nodiscard]] StateExit state_diff(const std::string& before, const std::string& after, bool as_json);
/// Reads everything. Differ if something is wrong or unknown.
[[nodiscard]] StateExit state_check(const std::string& path);

/// Writes what is wanted to `output`, or to standard output for "-".
void extract_screen(const std::string& path, const std::string& output);
/// Guest-physical memory from address 0 to the end of RAM; holes are FFh.
void extract_memory(const std::string& path, const std::string& output);
/// An ELF core file of the guest as its kernel sees it: for gdb and crash.
void extract_core(const std::string& path, const std::string& output);
/// A section's payload, decompressed.
void extract_section(const std::string& path, const std::string& section, const std::string& output);

} // namespace btvm
