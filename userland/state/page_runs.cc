#include "userland/state/page_runs.hh"

#include <algorithm>
#include <cstring>

#include "userland/devices/state_section.hh"
#include "userland/state/compression.hh"
#include "userland/state/little_endian.hh"

namespace btvm {

namespace {

constexpr std::size_t kSetSize = 24;
constexpr std::size_t kRunSize = 20;
/// Nothing that a machine has is larger: disks end at 2 TiB.
constexpr std::uint64_t kMostSize = std::uint64_t{1} << 42;

enum class Encoding : std::uint8_t { Raw = 0, Zstd = 1 };

bool all_zero(std::span<const std::uint8_t> bytes) {
    return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

} // namespace

PageEncoder::PageEncoder(const PageSet& set) : set_(set) {
    put_number(out_, set.first, 8);
    put_number(out_, set.size, 8);
    put_number(out_, set.unit, 4);
    put_number(out_, static_cast<std::uint8_t>(set.base), 4);
}

void PageEncoder::add(std::uint64_t index, std::span<const std::uint8_t> units) {
    while (!units.empty()) {
        if (!run_.empty() && (index != run_index_ + run_.size() / set_.unit || run_.size() >= kMostRunBytes))
            flush();
        if (run_.empty()) run_index_ = index;
        const std::size_t room = (kMostRunBytes - run_.size()) / set_.unit * set_.unit;
        const std::size_t part = std::min(room, units.size());
        run_.insert(run_.end(), units.begin(), units.begin() + static_cast<std::ptrdiff_t>(part));
        index += part / set_.unit;
        units = units.subspan(part);
    }
}

void PageEncoder::add_all_but_zeros(std::span<const std::uint8_t> memory) {
    for (std::size_t at = 0; at < memory.size(); at += set_.unit) {
        const auto unit = memory.subspan(at, set_.unit);
        if (!all_zero(unit)) add(at / set_.unit, unit);
    }
}

void PageEncoder::flush() {
    if (run_.empty()) return;
    const std::vector<std::uint8_t> packed = compress(run_);
    const bool smaller = packed.size() < run_.size();
    const std::vector<std::uint8_t>& stored = smaller ? packed : run_;
    put_number(out_, run_index_, 8);
    put_number(out_, run_.size() / set_.unit, 4);
    put_number(out_, stored.size(), 4);
    put_number(out_, static_cast<std::uint8_t>(smaller ? Encoding::Zstd : Encoding::Raw), 4);
    out_.insert(out_.end(), stored.begin(), stored.end());
    run_.clear();
}

std::vector<std::uint8_t> PageEncoder::finish() && {
    flush();
    return std::move(out_);
}

PageSet page_set(std::span<const std::uint8_t> payload, const std::string& what) {
    if (payload.size() < kSetSize) throw StateError(what + ": is cut short");
    PageSet set;
    set.first = get_number(payload.subspan(0, 8));
    set.size = get_number(payload.subspan(8, 8));
    set.unit = static_cast<std::uint32_t>(get_number(payload.subspan(16, 4)));
    if (set.unit != 512 && set.unit != 4096) throw StateError(what + ": units of an impossible size");
    if (set.size == 0 || set.size > kMostSize || set.first > kMostSize)
        throw StateError(what + ": an impossible size");
    const std::uint64_t base = get_number(payload.subspan(20, 4));
    if (base > static_cast<std::uint8_t>(PageBase::Parent)) throw StateError(what + ": an unknown base");
    set.base = static_cast<PageBase>(base);
    return set;
}

void decode_pages(std::span<const std::uint8_t> payload, const std::string& what,
                  const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& unit_run) {
    const PageSet set = page_set(payload, what);
    payload = payload.subspan(kSetSize);
    std::uint64_t next = 0; // no run may begin before
    while (!payload.empty()) {
        if (payload.size() < kRunSize) throw StateError(what + ": a run is cut short");
        const std::uint64_t index = get_number(payload.subspan(0, 8));
        const std::uint64_t units = get_number(payload.subspan(8, 4));
        const std::uint64_t stored = get_number(payload.subspan(12, 4));
        const std::uint64_t encoding = get_number(payload.subspan(16, 4));
        payload = payload.subspan(kRunSize);
        if (stored > payload.size()) throw StateError(what + ": a run is cut short");
        if (units == 0 || units > kMostRunBytes / set.unit)
            throw StateError(what + ": a run of an impossible size");
        if (index < next) throw StateError(what + ": runs are out of order");
        if (index >= set.units() || units > set.units() - index)
            throw StateError(what + ": a run reaches beyond the end");
        const auto data = payload.first(static_cast<std::size_t>(stored));
        payload = payload.subspan(static_cast<std::size_t>(stored));
        const std::uint64_t bytes = units * set.unit;
        if (encoding == static_cast<std::uint8_t>(Encoding::Raw)) {
            if (stored != bytes) throw StateError(what + ": a run has another size than it says");
            unit_run(index, data);
        } else if (encoding == static_cast<std::uint8_t>(Encoding::Zstd)) {
            unit_run(index, decompress(data, bytes, what));
        } else {
            throw StateError(what + ": a run is encoded in an unknown way");
        }
        next = index + units;
    }
}

} // namespace btvm
