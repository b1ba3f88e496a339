// What memory or a medium holds, or how it differs from something else: runs of units (pages, sectors), each
// run compressed by itself, so that neither side needs more than a run at a time.
//
//     pages    first:u64  size:u64  unit:u32  base:u8  reserved:u8[3]  run*          24 bytes
//     run      index:u64  units:u32  stored:u32  encoding:u8  reserved:u8[3]         20 bytes
//              `stored` bytes
//
// `first` is the address of the first byte, `size` how many bytes there are in all, of `unit` bytes each, the
// last perhaps cut off; a run's data are whole units. Runs come in order and do not meet. `base` says what
// the units are that no run has.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace btvm {

enum class PageBase : std::uint8_t {
    Zero = 0,  ///< All zeros.
    Image = 1, ///< As in the image that the state names.
    Parent = 2 ///< As in the state that this one was made from.
};

struct PageSet {
    std::uint64_t first{};
    std::uint64_t size{};
    std::uint32_t unit{};
    PageBase base{PageBase::Zero};

    [[nodiscard]] std::uint64_t units() const { return size / unit + (size % unit ? 1 : 0); }
    bool operator==(const PageSet&) const = default;
};

/// No run holds more bytes, uncompressed.
inline constexpr std::size_t kMostRunBytes = 1u << 20;

class PageEncoder {
public:
    explicit PageEncoder(const PageSet& set);
    /// Adds units from `index` on, in rising order; the span holds whole units.
    void add(std::uint64_t index, std::span<const std::uint8_t> units);
    /// Adds those of all units that are not zero; `memory` holds the whole set.
    void add_all_but_zeros(std::span<const std::uint8_t> memory);
    [[nodiscard]] std::vector<std::uint8_t> finish() &&;

private:
    void flush();

    PageSet set_;
    std::vector<std::uint8_t> out_;
    std::vector<std::uint8_t> run_; ///< What has gathered.
    std::uint64_t run_index_{};
};

/// The set that a payload begins with. Throws StateError: what is wrong is told after `what`.
[[nodiscard]] PageSet page_set(std::span<const std::uint8_t> payload, const std::string& what);
/// Calls `unit_run` for each run in order with the number of its first unit and its data. Strict: runs that
/// are out of order, outside the set or malformed throw StateError, perhaps after some calls.
void decode_pages(std::span<const std::uint8_t> payload, const std::string& what,
                  const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& unit_run);

} // namespace btvm
