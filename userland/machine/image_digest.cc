#include "userland/machine/image_digest.hh"

#include <algorithm>

namespace btvm {

void ImageDigest::update(WriteLog& log, std::uint64_t bytes, const Read& read,
                         const std::atomic<bool>& give_up) {
    static const std::vector<std::uint8_t> zeros(WriteLog::kPiece);
    static const Digest zero_digest = sha256(zeros);
    if (log_id_ != log.id()) {
        log.all_written();
        pieces_.assign(static_cast<std::size_t>(log.pieces()), {});
        log_id_ = log.id();
    }
    std::vector<std::uint8_t> piece(WriteLog::kPiece);
    for (std::uint64_t number = 0; number < log.pieces() && !give_up; number++) {
        if (!log.take(number)) continue;
        const std::uint64_t at = number * WriteLog::kPiece;
        const auto part = std::span(piece).first(std::min(WriteLog::kPiece, bytes - at));
        try {
            read(at, part);
        } catch (...) {
            log.wrote(at, part.size());
            throw;
        }
        // Most of a disk is empty, and comparing takes a tenth of the time.
        pieces_[number] = part.size() == WriteLog::kPiece && piece == zeros ? zero_digest : sha256(part);
    }
}

Digest ImageDigest::get() const {
    Sha256 whole;
    for (const Digest& piece : pieces_)
        whole.add(piece);
    return whole.finish();
}

} // namespace btvm
