// Names what is in an image: the SHA-256 of the SHA-256s of its pieces of 1 MiB, the last perhaps shorter.
// Once reckoned, only pieces that were written since are read again.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "userland/devices/write_log.hh"
#include "userland/state/checksum.hh"

namespace btvm {

class ImageDigest {
public:
    /// Fills the span with what is in the file at the offset.
    using Read = std::function<void(std::uint64_t, std::span<std::uint8_t>)>;

    /// Brings it up to what the file of so many bytes holds. With a file that is written meanwhile it comes
    /// near: what was written is in the log again, for the next call. Ends early once `give_up`. Throws what
    /// `read` throws.
    void update(WriteLog& log, std::uint64_t bytes, const Read& read, const std::atomic<bool>& give_up);
    [[nodiscard]] Digest get() const;

private:
    std::uint64_t log_id_{}; ///< Of the file that it is of; 0: of none.
    std::vector<Digest> pieces_;
};

} // namespace btvm
