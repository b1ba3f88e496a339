#include "userland/devices/ata_disk.hh"

#include <algorithm>
#include <array>

#include "userland/devices/state.hh"

namespace btvm {

AtaDisk::AtaDisk(AtaBus& bus, std::unique_ptr<DiskImage> image, unsigned number)
    : AtaDevice(bus), image_(std::move(image)), number_(number) {
    std::array<std::uint8_t, kDiskSectorSize> first{};
    image_->read(0, first);
    geometry_ = disk_geometry(image_->sectors(), first);
    buffer_.resize(std::size_t{kMaxMultiple} * kDiskSectorSize);
}

void AtaDisk::reset_device(bool hardware) {
    flushing_ = {}; // waits for it
    power_ = Power::Active;
    if (!hardware) return; // settings survive a software reset (ATA/ATAPI-6, 9.2)
    heads_ = geometry_.heads;
    track_ = geometry_.sectors;
    multiple_ = kMaxMultiple;
    transfer_mode_ = 0;
    write_cache_ = look_ahead_ = true;
}

void AtaDisk::set_signature() {
    count_ = {1, 0};
    low_ = {1, 0};
    mid_ = high_ = {};
    device_ = 0;
    status_ = ata_status::kReady | ata_status::kSeekDone;
}

// ---- addresses

bool AtaDisk::locate(Form form) {
    form_ = form;
    if (form == Form::Long) {
        const std::uint32_t count = count_.now | std::uint32_t{count_.previous} << 8;
        left_ = count ? count : 0x10000;
        next_ = low_.now | std::uint64_t{mid_.now} << 8 | std::uint64_t{high_.now} << 16 |
                std::uint64_t{low_.previous} << 24 | std::uint64_t{mid_.previous} << 32 |
                std::uint64_t{high_.previous} << 40;
    } else {
        left_ = count_.now ? count_.now : 0x100;
        const std::uint32_t head = device_ & ata_device::kHead;
        if (device_ & ata_device::kLba) {
            next_ = low_.now | std::uint32_t{mid_.now} << 8 | std::uint32_t{high_.now} << 16 | head << 24;
        } else {
            const std::uint32_t cylinder = mid_.now | std::uint32_t{high_.now} << 8;
            if (low_.now == 0 || low_.now > track_ || head >= heads_) {
                fail(ata_error::kNotFound);
                return false;
            }
            next_ = (std::uint64_t{cylinder} * heads_ + head) * track_ + low_.now - 1;
        }
    }
    if (next_ < image_->sectors()) return true;
    fail(ata_error::kNotFound);
    return false;
}

void AtaDisk::show_address(std::uint64_t sector) {
    const auto byte = [](std::uint64_t value, unsigned shift) {
        return static_cast<std::uint8_t>(value >> shift);
    };
    if (form_ == Form::Long) {
        low_ = {byte(sector, 0), byte(sector, 24)};
        mid_ = {byte(sector, 8), byte(sector, 32)};
        high_ = {byte(sector, 16), byte(sector, 40)};
        return;
    }
    const auto put_head = [this](std::uint64_t head) {
        device_ = static_cast<std::uint8_t>((device_ & ~ata_device::kHead) | (head & ata_device::kHead));
    };
    if (device_ & ata_device::kLba) {
        low_.now = byte(sector, 0);
        mid_.now = byte(sector, 8);
        high_.now = byte(sector, 16);
        put_head(sector >> 24);
        return;
    }
    const std::uint64_t cylinder = sector / (std::uint64_t{heads_} * track_);
    low_.now = static_cast<std::uint8_t>(sector % track_ + 1);
    mid_.now = byte(cylinder, 0);
    high_.now = byte(cylinder, 8);
    put_head(sector / track_ % heads_);
}

/// The registers name the last sector then, and count down to zero (ATA-3, 7.20).
void AtaDisk::finish_transfer(bool with_interrupt) {
    if (form_ == Form::Short) {
        show_address(next_ - 1);
        count_.now = 0;
    }
    complete(with_interrupt);
}

// ---- sectors to and from the image; false after fail()

bool AtaDisk::read_sectors(std::span<std::uint8_t> out) {
    const std::uint64_t wanted = out.size() / kDiskSectorSize;
    const std::uint64_t there = std::min(wanted, image_->sectors() - std::min(next_, image_->sectors()));
    try {
        image_->read(next_, out.first(static_cast<std::size_t>(there * kDiskSectorSize)));
    } catch (const DiskError& error) {
        bus_.report(error.what());
        show_address(next_);
        fail(ata_error::kUncorrectable);
        return false;
    }
    sectors_read_ += there;
    next_ += there;
    left_ -= static_cast<std::uint32_t>(std::min<std::uint64_t>(left_, there));
    if (there == wanted) return true;
    show_address(next_); // the first one that is not on the disk
    fail(ata_error::kNotFound);
    return false;
}

bool AtaDisk::write_sectors(std::span<const std::uint8_t> in) {
    const std::uint64_t wanted = in.size() / kDiskSectorSize;
    const std::uint64_t there = std::min(wanted, image_->sectors() - std::min(next_, image_->sectors()));
    try {
        image_->write(next_, in.first(static_cast<std::size_t>(there * kDiskSectorSize)));
    } catch (const DiskError& error) {
        bus_.report(error.what());
        show_address(next_);
        fail(ata_error::kAborted, true);
        return false;
    }
    sectors_written_ += there;
    next_ += there;
    left_ -= static_cast<std::uint32_t>(std::min<std::uint64_t>(left_, there));
    if (there == wanted) return true;
    show_address(next_);
    fail(ata_error::kNotFound);
    return false;
}

// ---- programmed I/O

unsigned AtaDisk::block_now() const { return std::min<std::uint32_t>(block_, left_); }

void AtaDisk::start_read(Form form, unsigned block) {
    if (!locate(form)) return;
    block_ = static_cast<std::uint8_t>(block);
    offer_sectors();
}

void AtaDisk::offer_sectors() {
    const std::size_t bytes = std::size_t{block_now()} * kDiskSectorSize;
    identity_ = false;
    if (read_sectors(std::span(buffer_).first(bytes))) offer(bytes);
}

void AtaDisk::block_read() {
    if (identity_) return complete(false);
    if (left_ == 0) return finish_transfer(false);
    offer_sectors();
}

void AtaDisk::start_write(Form form, unsigned block) {
    if (!locate(form)) return;
    block_ = static_cast<std::uint8_t>(block);
    request_sectors(false);
}

void AtaDisk::request_sectors(bool with_interrupt) {
    request(std::size_t{block_now()} * kDiskSectorSize, with_interrupt);
}

void AtaDisk::block_written() {
    if (!write_sectors(std::span(buffer_).first(std::size_t{block_now()} * kDiskSectorSize))) return;
    if (left_ == 0)
        finish_transfer();
    else
        request_sectors(true);
}

// ---- DMA

void AtaDisk::start_dma_transfer(Form form, bool to_memory) {
    if (locate(form)) start_dma(to_memory, std::uint64_t{left_} * kDiskSectorSize);
}

bool AtaDisk::dma_fill(std::span<std::uint8_t> out) { return read_sectors(out); }

bool AtaDisk::dma_take(std::span<const std::uint8_t> in) { return write_sectors(in); }

void AtaDisk::dma_done() { finish_transfer(); }

// ---- no data

void AtaDisk::verify(Form form) {
    if (!locate(form)) return;
    if (left_ > image_->sectors() - next_) {
        show_address(image_->sectors());
        fail(ata_error::kNotFound);
        return;
    }
    next_ += left_;
    finish_transfer();
}

void AtaDisk::seek() {
    if (locate(Form::Short)) complete();
}

/// fdatasync() can take long: a thread waits for it, and the guest goes on meanwhile.
void AtaDisk::flush() {
    if (!image_->writes_file()) return complete();
    if (!flushing_.valid())
        flushing_ = std::async(std::launch::async, [image = image_.get()] {
            try {
                image->flush_file();
            } catch (const DiskError& error) {
                return std::string(error.what());
            }
            return std::string();
        });
    poll_again();
}

void AtaDisk::poll() {
    if (!flushing_.valid()) return flush(); // a restored state
    if (flushing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return poll_again();
    const std::string error = flushing_.get();
    if (error.empty()) return complete();
    bus_.report(error);
    fail(ata_error::kAborted, true);
}

// ---- state

void AtaDisk::describe(StateArchive& a) {
    AtaDevice::describe(a);
    a.field("heads", heads_, {.below = 17});
    a.field("track", track_);
    a.field("multiple", multiple_, {.below = kMaxMultiple + 1});
    a.field("transfer_mode", transfer_mode_);
    a.field("write_cache", write_cache_);
    a.field("look_ahead", look_ahead_);
    a.field("power", power_);
    a.field("form", form_, {.below = 2});
    a.field("next", next_, {.below = std::uint64_t{1} << 48});
    a.field("left", left_, {.below = 0x10001});
    a.field("block", block_, {.below = kMaxMultiple + 1});
    a.field("identity", identity_);
    a.field("sectors_read", sectors_read_);
    a.field("sectors_written", sectors_written_);
    a.field("image", *image_);
    a.check(heads_ != 0 && track_ != 0, "heads or track: none");
    a.check(block_ != 0, "block: none");
    if (a.loading() && buffer_.size() < std::size_t{kMaxMultiple} * kDiskSectorSize)
        buffer_.resize(std::size_t{kMaxMultiple} * kDiskSectorSize);
}

} // namespace btvm
