// The command set of a hard disk (ATA/ATAPI-6, clause 8, and what older drives knew beside).
#include <algorithm>

#include "userland/devices/ata_disk.hh"

namespace btvm {

namespace {

enum Command : std::uint8_t {
    kNop = 0x00,
    kRecalibrate = 0x10, ///< To 1Fh: the low digit is a step rate.
    kReadSectors = 0x20,
    kReadSectorsNoRetry = 0x21,
    kReadSectorsExt = 0x24,
    kReadDmaExt = 0x25,
    kReadNativeMaxExt = 0x27,
    kReadMultipleExt = 0x29,
    kWriteSectors = 0x30,
    kWriteSectorsNoRetry = 0x31,
    kWriteSectorsExt = 0x34,
    kWriteDmaExt = 0x35,
    kWriteMultipleExt = 0x39,
    kWriteVerify = 0x3c,
    kVerify = 0x40,
    kVerifyNoRetry = 0x41,
    kVerifyExt = 0x42,
    kSeek = 0x70, ///< To 7Fh.
    kInitialiseParameters = 0x91,
    kReadMultiple = 0xc4,
    kWriteMultiple = 0xc5,
    kSetMultiple = 0xc6,
    kReadDma = 0xc8,
    kReadDmaNoRetry = 0xc9,
    kWriteDma = 0xca,
    kWriteDmaNoRetry = 0xcb,
    kFlushCache = 0xe7,
    kFlushCacheExt = 0xea,
    kIdentify = 0xec,
    kSetFeatures = 0xef,
    kReadNativeMax = 0xf8,
};

/// Subcommands of SET FEATURES.
enum Feature : std::uint8_t {
    kWriteCacheOn = 0x02,
    kTransferMode = 0x03,
    kPowerManagementOn = 0x05,
    kLookAheadOff = 0x55,
    kKeepSettings = 0x66, ///< At a software reset, which they survive here in any case.
    kWriteCacheOff = 0x82,
    kPowerManagementOff = 0x85,
    kLookAheadOn = 0xaa,
    kForgetSettings = 0xcc,
};

} // namespace

void AtaDisk::execute() {
    if (execute_transfer()) {
        power_ = Power::Active;
        return;
    }
    if (!execute_power()) execute_other();
}

bool AtaDisk::execute_transfer() {
    const bool blocks = multiple_ != 0;
    switch (command_) {
    case kReadSectors:
    case kReadSectorsNoRetry: start_read(Form::Short, 1); return true;
    case kReadSectorsExt: start_read(Form::Long, 1); return true;
    case kWriteSectors:
    case kWriteSectorsNoRetry:
    case kWriteVerify: start_write(Form::Short, 1); return true;
    case kWriteSectorsExt: start_write(Form::Long, 1); return true;
    case kReadMultiple:
    case kReadMultipleExt:
        if (!blocks) return false;
        start_read(command_ == kReadMultiple ? Form::Short : Form::Long, multiple_);
        return true;
    case kWriteMultiple:
    case kWriteMultipleExt:
        if (!blocks) return false;
        start_write(command_ == kWriteMultiple ? Form::Short : Form::Long, multiple_);
        return true;
    case kReadDma:
    case kReadDmaNoRetry: start_dma_transfer(Form::Short, true); return true;
    case kReadDmaExt: start_dma_transfer(Form::Long, true); return true;
    case kWriteDma:
    case kWriteDmaNoRetry: start_dma_transfer(Form::Short, false); return true;
    case kWriteDmaExt: start_dma_transfer(Form::Long, false); return true;
    case kVerify:
    case kVerifyNoRetry: verify(Form::Short); return true;
    case kVerifyExt: verify(Form::Long); return true;
    default: return false;
    }
}

/// The power management commands, by the numbers of ATA-1 and of ATA-2.
bool AtaDisk::execute_power() {
    switch (command_) {
    case 0x94: // STANDBY IMMEDIATE
    case 0xe0:
    case 0x96: // STANDBY
    case 0xe2:
    case 0x99: // SLEEP
    case 0xe6: power_ = Power::Standby; break;
    case 0x95: // IDLE IMMEDIATE
    case 0xe1:
    case 0x97: // IDLE
    case 0xe3: power_ = Power::Idle; break;
    case 0x98: // CHECK POWER MODE
    case 0xe5: count_.now = static_cast<std::uint8_t>(power_); break;
    default: return false;
    }
    complete();
    return true;
}

void AtaDisk::execute_other() {
    if ((command_ & 0xf0) == kRecalibrate) {
        mid_.now = high_.now = 0;
        return complete();
    }
    if ((command_ & 0xf0) == kSeek) return seek();
    switch (command_) {
    case kIdentify: identify(); break;
    case kInitialiseParameters: initialise_parameters(); break;
    case kSetMultiple: set_multiple(); break;
    case kSetFeatures: set_features(); break;
    case kFlushCache:
    case kFlushCacheExt: flush(); break;
    case kReadNativeMax: read_native_max(Form::Short); break;
    case kReadNativeMaxExt: read_native_max(Form::Long); break;
    case kNop: // always ends so (8.23)
    default: fail(ata_error::kAborted); break;
    }
}

void AtaDisk::identify() {
    fill_identity(std::span(buffer_).first<kDiskSectorSize>());
    identity_ = true;
    offer(kDiskSectorSize);
}

void AtaDisk::read_native_max(Form form) {
    form_ = form;
    const std::uint64_t last = image_->sectors() - 1;
    if (form == Form::Short) device_ |= ata_device::kLba;
    show_address(form == Form::Short ? std::min<std::uint64_t>(last, 0x0fffffff) : last);
    complete();
}

void AtaDisk::set_features() {
    switch (features_.now) {
    case kTransferMode: {
        // PIO default and by number, multiword DMA 0 to 2, Ultra DMA 0 to 5 (table 50).
        const unsigned type = count_.now >> 3;
        const unsigned mode = count_.now & 7;
        const bool known = type == 0   ? mode <= 1
                           : type == 1 ? mode <= 4
                           : type == 4 ? mode <= 2
                           : type == 8 ? mode <= 5
                                       : false;
        if (!known) return fail(ata_error::kAborted);
        transfer_mode_ = count_.now;
        break;
    }
    case kWriteCacheOn: write_cache_ = true; break;
    case kWriteCacheOff:
        // What the cache holds goes to the disk first.
        write_cache_ = false;
        return flush();
    case kLookAheadOn: look_ahead_ = true; break;
    case kLookAheadOff: look_ahead_ = false; break;
    case kPowerManagementOn:
    case kPowerManagementOff:
    case kKeepSettings:
    case kForgetSettings: break;
    default: return fail(ata_error::kAborted);
    }
    complete();
}

void AtaDisk::set_multiple() {
    const unsigned count = count_.now;
    if (count > kMaxMultiple || (count & (count - 1)) != 0) return fail(ata_error::kAborted);
    multiple_ = static_cast<std::uint8_t>(count);
    complete();
}

void AtaDisk::initialise_parameters() {
    if (count_.now == 0) return fail(ata_error::kAborted);
    heads_ = static_cast<std::uint8_t>((device_ & ata_device::kHead) + 1);
    track_ = count_.now;
    complete();
}

} // namespace btvm
