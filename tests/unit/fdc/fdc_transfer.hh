// A controller with a 1.44 MB floppy in its first drive, for the tests of transfers.
#pragma once

#include "fdc_driver.hh"

namespace btvm {

struct FdcTransfer : FdcDriver {
    PatternFile file{1440};
    FdcTransfer() {
        fdc.insert(0, FloppyImage::open(file.path()));
        start();
    }
    /// One sector by DMA.
    Bytes read_sector(unsigned c, unsigned h, unsigned r) {
        program_dma(0x46, 0x8000, 512);
        return complete(transfer(0xe6, 0, c, h, r, 18));
    }
};

} // namespace btvm
