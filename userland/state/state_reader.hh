// Reads a state file. Opening it checks its structure: every header, every length, the end. A section's
// payload is read, and its checksum compared, when it is asked for.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userland/devices/state_section.hh"
#include "userland/state/state_format.hh"

namespace btvm {

/// Where the bytes come from.
class StateSource {
public:
    virtual ~StateSource() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// All of `out`, which lies within the size. Throws StateError.
    virtual void read(std::uint64_t at, std::span<std::uint8_t> out) const = 0;
};

/// A regular file. Throws StateError if it cannot be opened.
[[nodiscard]] std::unique_ptr<StateSource> open_state_file(const std::string& path);
/// Bytes in memory.
[[nodiscard]] std::unique_ptr<StateSource> state_in_memory(std::vector<std::uint8_t> bytes);

struct StateEntry {
    std::string name;
    state_format::Type type{}; ///< May be one that nobody here knows.
    std::uint8_t flags{};      ///< May have such.
    std::uint64_t offset{};    ///< Of the payload.
    std::uint64_t stored{};    ///< Its bytes in the file...
    std::uint64_t raw{};       ///< ... and what they stand for.
    std::uint32_t crc{};

    [[nodiscard]] bool required() const { return flags & state_format::kRequired; }
    /// Its type and its flags are known here.
    [[nodiscard]] bool known() const;
};

/// Throws StateError throughout. The messages do not name the file.
class StateReader {
public:
    explicit StateReader(std::unique_ptr<StateSource> source);

    [[nodiscard]] const std::vector<StateEntry>& entries() const { return entries_; }
    [[nodiscard]] const std::array<std::uint8_t, 16>& id() const { return id_; }
    [[nodiscard]] std::uint64_t size() const { return source_->size(); }
    /// The section of that name, or null.
    [[nodiscard]] const StateEntry* find(std::string_view name) const;
    /// The same, and of that type; throws if it is not there.
    [[nodiscard]] const StateEntry& get(std::string_view name, state_format::Type type) const;

    /// The payload, decompressed.
    [[nodiscard]] std::vector<std::uint8_t> payload(const StateEntry& entry) const;
    [[nodiscard]] StateSection fields(const StateEntry& entry) const;
    [[nodiscard]] std::string text(const StateEntry& entry) const;

private:
    void read_header();
    void read_sections();
    [[nodiscard]] StateEntry read_section(std::uint64_t& at, std::uint64_t end);

    std::unique_ptr<StateSource> source_;
    std::array<std::uint8_t, 16> id_{};
    std::vector<StateEntry> entries_;
};

} // namespace btvm
