// An IDE channel with a disk and a CD-ROM drive, and its bus master.
#include <sys/mman.h>
#include <unistd.h>

#include "device_fuzz.hh"
#include "tests/unit/common/ide_cable.hh"

namespace btvm {
namespace {

/// An image of this size in memory; made once for all inputs, which change a snapshot only.
std::string blank_image(off_t size) {
    const int fd = ::memfd_create("disk", 0);
    BTVM_FUZZ_CHECK(fd >= 0 && ::ftruncate(fd, size) == 0);
    return "/proc/self/fd/" + std::to_string(fd);
}

} // namespace

void make_board(FuzzBoard& board) {
    static const std::string kDisk = blank_image(300 * 512), kDisc = blank_image(40 * 2048);
    board.add<test::IdeCable>(kDisk, kDisc);
}

} // namespace btvm
