// What a guest has written to a disk or floppy whose file stays as it is: the blocks that differ from the
// file.
#pragma once

#include <algorithm>
#include <span>

#include "userland/checkpoint/block_map.hh"

namespace btvm {

template <std::size_t Bytes>
struct MediumUnit final : RefCounted {
    MediumUnit() = default;
    explicit MediumUnit(std::span<const std::uint8_t> from) {
        std::copy_n(from.begin(), Bytes, bytes.begin());
    }

    std::array<std::uint8_t, Bytes> bytes{};
};

/// By number of the unit on the medium.
template <std::size_t Bytes>
class MediumChanges : public BlockMap<MediumUnit<Bytes>> {
public:
    using Unit = MediumUnit<Bytes>;
    using BlockMap<Unit>::BlockMap;
};

} // namespace btvm
