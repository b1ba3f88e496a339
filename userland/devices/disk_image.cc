#include "userland/devices/disk_image.hh"

#include <algorithm>
#include <cstring>
#include <vector>

#include "userland/devices/state.hh"

namespace btvm {

std::unique_ptr<DiskImage> DiskImage::open(const std::string& path, const Options& options) {
    const bool writes_file = !options.read_only && !options.snapshot;
    const auto access = writes_file ? DiskImageFile::Access::Write : DiskImageFile::Access::ReadOnly;
    std::unique_ptr<DiskImage> image(options.size && writes_file ? new DiskImage(options, path, *options.size)
                                                                 : new DiskImage(options, path, access));
    image->check_size();
    return image;
}

void DiskImage::check_size() const {
    const std::uint64_t size = file_.size();
    if (size == 0) throw DiskError(path() + ": the file is empty (a new disk of 512 MiB: --disk-size 512)");
    const std::uint64_t excess = size % options_.sector_size;
    if (excess == 0) return;
    throw DiskError(path() + ": " + std::to_string(size) + " bytes are no whole number of sectors of " +
                    std::to_string(options_.sector_size) + " bytes; pad it: truncate -s " +
                    std::to_string(size - excess + options_.sector_size) + " '" + path() + "'");
}

void DiskImage::check_range(std::uint64_t sector, std::size_t bytes) const {
    const std::uint64_t count = bytes / options_.sector_size;
    if (sector > sectors() || count > sectors() - sector) throw DiskError(path() + ": access beyond the end");
}

void DiskImage::read(std::uint64_t sector, std::span<std::uint8_t> out) const {
    check_range(sector, out.size());
    std::uint64_t at = sector * options_.sector_size;
    if (overlay_.empty()) return file_.read(at, out);
    while (!out.empty()) {
        const std::uint64_t within = at % kBlock;
        const std::span<std::uint8_t> part =
            out.first(std::min<std::size_t>(out.size(), static_cast<std::size_t>(kBlock - within)));
        if (const Block* const kept = overlay_.find(at / kBlock))
            std::memcpy(part.data(), kept->bytes.data() + within, part.size());
        else
            file_.read(at, part);
        at += part.size();
        out = out.subspan(part.size());
    }
}

DiskImage::Block& DiskImage::block_to_write(std::uint64_t number) {
    if (overlay_.find(number)) return overlay_.own(number);
    if (overlay_bytes() + kBlock > options_.overlay_limit)
        throw DiskError(path() + ": the guest's writes fill the " +
                        std::to_string(options_.overlay_limit >> 20) + " MiB there are for them" +
                        (options_.snapshot ? "" : "; btvm-ctl commit puts them into the image"));
    const auto block = make_ref<Block>();
    file_.read(number * kBlock, block->bytes); // the file may end within: zeros then
    overlay_.set(number, block);
    return *block;
}

void DiskImage::begin_layer() {
    if (!writes_file()) return;
    flush();
    layered_ = true;
}

void DiskImage::write_file(std::uint64_t at, std::span<const std::uint8_t> in) {
    try {
        file_.write(at, in);
    } catch (...) {
        write_log_.wrote(at, in.size()); // perhaps a part
        throw;
    }
    write_log_.wrote(at, in.size());
}

void DiskImage::write(std::uint64_t sector, std::span<const std::uint8_t> in) {
    check_range(sector, in.size());
    if (options_.read_only) throw DiskError(path() + ": is read-only");
    std::uint64_t at = sector * options_.sector_size;
    if (!keeps_writes()) return write_file(at, in);
    while (!in.empty()) {
        const std::uint64_t within = at % kBlock;
        const std::size_t part = std::min<std::size_t>(in.size(), static_cast<std::size_t>(kBlock - within));
        std::memcpy(block_to_write(at / kBlock).bytes.data() + within, in.data(), part);
        at += part;
        in = in.subspan(part);
    }
}

void DiskImage::flush() const {
    if (writes_file()) file_.flush();
}

namespace {

struct SavedBlock {
    std::uint64_t place = 0;
    std::array<std::uint8_t, 4096> data{};
    void describe(StateArchive& a) {
        a.field("place", place);
        a.field("data", data);
    }
};

} // namespace

void DiskImage::for_each_change(
    const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& change) const {
    overlay_.for_each([&](std::uint64_t place, const Block& block) { change(place, block.bytes); });
}

void DiskImage::set_change(std::uint64_t place, std::span<const std::uint8_t> unit) {
    if (place >= units() || unit.size() != kBlock) throw DiskError(path() + ": a change beyond the end");
    overlay_.set(place, make_ref<Block>(unit));
}

void DiskImage::describe(StateArchive& a) {
    std::uint64_t count = sectors();
    a.field("sectors", count);
    a.check(count == sectors(), "the disk has another size");
    if (!a.media_inside()) return;
    bool is_snapshot = snapshot();
    a.field("snapshot", is_snapshot);
    a.check(is_snapshot == snapshot(), "the disk was used as a snapshot, or is now");

    std::vector<SavedBlock> blocks;
    if (!a.loading()) {
        overlay_.for_each([&](std::uint64_t place, const Block& block) {
            blocks.push_back({place, block.bytes});
        });
    }
    a.field("overlay", blocks, {.present = is_snapshot, .max_count = options_.overlay_limit / kBlock});
    for (const SavedBlock& b : blocks)
        a.check(b.place < units(), "overlay: a block beyond the end");
    if (!a.loading()) return;
    clear_changes();
    for (const SavedBlock& b : blocks)
        overlay_.set(b.place, make_ref<Block>(b.data));
}

} // namespace btvm
