#include "userland/state/compression.hh"

#include <memory>
#include <zstd.h>

#include "userland/devices/state_section.hh"

namespace btvm {

namespace {

/// Saving waits for this: the fastest level takes a third of the time of the next, for some percent more
/// bytes.
constexpr int kLevel = 1;

} // namespace

std::vector<std::uint8_t> compress(std::span<const std::uint8_t> bytes) {
    // One context for all: making one costs more than a page's worth of work.
    thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                    &ZSTD_freeCCtx);
    std::vector<std::uint8_t> out(ZSTD_compressBound(bytes.size()));
    const std::size_t size =
        context ? ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), kLevel)
                : static_cast<std::size_t>(-1);
    if (ZSTD_isError(size)) throw StateError(std::string("cannot compress: ") + ZSTD_getErrorName(size));
    out.resize(size);
    return out;
}

std::vector<std::uint8_t> decompress(std::span<const std::uint8_t> frame, std::uint64_t size,
                                     const std::string& what) {
    // The frame must say itself how much it holds: then nothing has to be believed that is not checked twice.
    if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != size)
        throw StateError(what + ": the compressed data does not hold what is said of it");
    std::vector<std::uint8_t> out(size);
    const std::size_t got = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
    if (ZSTD_isError(got)) throw StateError(what + ": cannot be decompressed: " + ZSTD_getErrorName(got));
    if (got != size) throw StateError(what + ": the compressed data ends early");
    return out;
}

} // namespace btvm
