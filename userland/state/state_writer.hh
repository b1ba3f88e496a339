// Writes a state file, section by section.
#pragma once

#include <string_view>
#include <vector>

#include "userland/devices/state_section.hh"
#include "userland/state/atomic_file.hh"
#include "userland/state/page_runs.hh"
#include "userland/state/state_format.hh"

namespace btvm {

/// Throws StateError throughout.
class StateWriter {
public:
    enum class Need : bool { Optional, Required };

    explicit StateWriter(std::string path);

    void fields(const StateSection& section, Need need);
    void text(std::string_view name, std::string_view text, Need need);
    void bytes(std::string_view name, std::span<const std::uint8_t> bytes, Need need);
    /// What the encoder has been given.
    void pages(std::string_view name, PageEncoder&& pages, Need need);
    /// Writes the end and puts the file in its place.
    void finish();

    /// Bytes written so far.
    [[nodiscard]] std::uint64_t size() const { return file_.size(); }
    /// Tells this state from any other, for one that is made from it later.
    [[nodiscard]] const std::array<std::uint8_t, 16>& id() const { return id_; }

private:
    void section(state_format::Type type, std::string_view name, Need need,
                 std::span<const std::uint8_t> payload);
    void put(std::string_view name, std::uint8_t type, std::uint8_t flags,
             std::span<const std::uint8_t> stored, std::uint64_t raw);

    AtomicFile file_;
    std::array<std::uint8_t, 16> id_{};
    std::uint32_t sections_{};
    std::uint32_t sections_crc_{};
};

} // namespace btvm
