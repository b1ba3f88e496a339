// Which pieces of an image's file have been written since somebody looked: so that what was reckoned from the
// file, its digest, is reckoned anew only where it has changed. One thread writes the file; another may read
// it and look at the log meanwhile: what is written after a piece was taken from the log is in it again.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace btvm {

class WriteLog {
public:
    static constexpr std::uint64_t kPiece = 1u << 20; ///< Bytes.

    /// For a file of so many bytes, of which nothing has been looked at.
    explicit WriteLog(std::uint64_t bytes) : bytes_(bytes), written_((pieces() + 63) / 64) { all_written(); }

    /// No other log has it.
    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] std::uint64_t pieces() const { return (bytes_ + kPiece - 1) / kPiece; }
    /// Call it when the write is done: before, a reader could take the piece and read what was there.
    void wrote(std::uint64_t at, std::uint64_t size) {
        for (std::uint64_t piece = at / kPiece; size && piece <= (at + size - 1) / kPiece; piece++)
            if (piece < pieces()) word(piece).fetch_or(bit(piece));
    }
    void all_written() {
        for (auto& each : written_)
            each = ~std::uint64_t{0};
    }
    /// Whether the piece was written since it was last taken.
    [[nodiscard]] bool take(std::uint64_t piece) { return word(piece).fetch_and(~bit(piece)) & bit(piece); }

private:
    [[nodiscard]] std::atomic<std::uint64_t>& word(std::uint64_t piece) { return written_[piece / 64]; }
    [[nodiscard]] static std::uint64_t bit(std::uint64_t piece) { return std::uint64_t{1} << piece % 64; }

    inline static std::atomic<std::uint64_t> last_id_{};
    std::uint64_t id_{++last_id_};
    std::uint64_t bytes_;
    std::vector<std::atomic<std::uint64_t>> written_;
};

} // namespace btvm
