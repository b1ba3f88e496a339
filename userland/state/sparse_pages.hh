// A section of pages taken apart: the units that it has, for looking at and comparing.
#pragma once

#include <map>

#include "userland/state/page_runs.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

struct SparsePages {
    std::string name; ///< Of the section.
    PageSet set;
    std::map<std::uint64_t, std::vector<std::uint8_t>> units; ///< By number; without those that are all zeros
                                                              ///< where zeros are the base.

    /// The unit's bytes, or null where the base is.
    [[nodiscard]] const std::vector<std::uint8_t>* find(std::uint64_t unit) const;
};

/// A section that unpacks to more than it may: a page costs next to nothing in the file.
class UnpacksToTooMuch : public StateError {
public:
    using StateError::StateError;
};

/// No guest has more memory, and none may write more to a disk that is not written itself.
inline constexpr std::uint64_t kMostUnpacked = std::uint64_t{2} << 30;

/// Throws StateError; UnpacksToTooMuch beyond so many bytes.
[[nodiscard]] SparsePages load_pages(const StateReader& reader, const StateEntry& entry,
                                     std::uint64_t most = kMostUnpacked);

/// What is in guest-physical memory: all sections "memory/...", in order of their addresses.
class SavedMemory {
public:
    /// Throws StateError; also when they overlap or reach beyond 4 GiB.
    explicit SavedMemory(const StateReader& reader);

    [[nodiscard]] const std::vector<SparsePages>& regions() const { return regions_; }
    /// Fills `out` from a guest-physical address on; where nothing is, with FFh. False if that is all of it.
    bool read(std::uint64_t at, std::span<std::uint8_t> out) const;

private:
    std::vector<SparsePages> regions_;
};

} // namespace btvm
