// The floppy controller with its DMA controller, a 1.44 MB medium in one drive and a 360 KB medium in the
// other.
#include <sys/mman.h>
#include <unistd.h>

#include "device_fuzz.hh"
#include "userland/devices/fdc.hh"

namespace btvm {
namespace {

/// An image of this size in memory; made once for all inputs, which change a snapshot only.
std::string blank_image(off_t size) {
    const int fd = ::memfd_create("floppy", 0);
    BTVM_FUZZ_CHECK(fd >= 0 && ::ftruncate(fd, size) == 0);
    return "/proc/self/fd/" + std::to_string(fd);
}

} // namespace

void make_board(FuzzBoard& board) {
    static const std::string kHigh = blank_image(1474560), kDouble = blank_image(368640);
    FloppyImage::Options options;
    options.snapshot = true;
    Dma& dma = board.add<Dma>();
    Fdc& fdc = board.add<Fdc>(dma);
    fdc.insert(0, FloppyImage::open(kHigh, options));
    fdc.insert(1, FloppyImage::open(kDouble, options));
    // Where firmware leaves it, so that inputs need not find the way: out of reset, motors on, channel 2
    // ready.
    for (const auto& [port, value] :
         {std::pair{0xd6, 0xc0}, {0xd4, 0x00}, {0x0b, 0x56}, {0x05, 0xff}, {0x05, 0x03}, {0x0a, 0x02}})
        dma.write(static_cast<std::uint16_t>(port), 1, static_cast<std::uint32_t>(value));
    fdc.write(0x3f2, 1, 0x3c);
    fdc.write(0x3f7, 1, 0x00);
}

} // namespace btvm
