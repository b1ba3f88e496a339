// The media of a saved machine: which images they are, and what the guest has written to snapshots of them.
#include <filesystem>

#include "userland/machine/pc_board.hh"

namespace btvm {

using state_format::Type;

namespace {

std::string section_of(const char* slot) { return std::string("media/") + slot; }

std::string absolute(const std::string& path) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    return error ? path : whole.lexically_normal().string();
}

template <class Image>
void save_image(StateWriter& writer, const char* slot, const Image& image) {
    if (!image.keeps_writes()) return;
    PageEncoder encoder({0, image.bytes(), Image::kChangeUnit, PageBase::Image});
    image.for_each_change(
        [&](std::uint64_t place, std::span<const std::uint8_t> unit) { encoder.add(place, unit); });
    writer.pages(section_of(slot), std::move(encoder), StateWriter::Need::Required);
}

template <class Image>
void restore_image(const SavedMachine& saved, const char* slot, Image& image) {
    const MediumDescription* const was = saved.description().medium(slot);
    if (!was || !was->snapshot) return;
    const StateReader& reader = saved.reader();
    const std::string name = section_of(slot);
    const std::vector<std::uint8_t> payload = reader.payload(reader.get(name, Type::Pages));
    const PageSet set = page_set(payload, name);
    if (set != PageSet{0, image.bytes(), Image::kChangeUnit, PageBase::Image})
        throw StateError(name + ": does not fit the image");
    if (!image.keeps_writes()) throw StateError(name + ": the image is not used as a snapshot");
    image.clear_changes();
    decode_pages(payload, name, [&](std::uint64_t place, std::span<const std::uint8_t> units) {
        for (; !units.empty(); units = units.subspan(set.unit))
            image.set_change(place++, units.first(set.unit));
    });
}

} // namespace

template <class Image>
MediumDescription Pc::Board::describe_medium(const char* slot, const Image& image) {
    MediumDescription medium;
    medium.slot = slot;
    medium.path = absolute(image.path());
    medium.snapshot = image.keeps_writes();
    medium.bytes = image.bytes();
    KnownDigest& known = digests_[slot];
    if (known.path != image.path() || known.file_writes != image.file_writes() || known.digest == Digest{})
        known = {image.path(), image.file_writes(),
                 image_digest(image.bytes(), [&image](std::uint64_t at, std::span<std::uint8_t> out) {
                     image.read_file(at, out);
                 })};
    medium.digest = known.digest;
    return medium;
}

std::vector<MediumDescription> Pc::Board::describe_media() {
    std::vector<MediumDescription> media;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (const FloppyImage* const image = fdc.medium(drive)) {
            media.push_back(describe_medium(kFloppySlots[drive], *image));
            media.back().kind = "floppy";
            media.back().write_protect = floppies[drive].write_protect;
        }
    for (unsigned number = 0; number < kAtaDrives; number++) {
        const char* const slot = kIdeSlots[number];
        if (AtaDisk* const each = disk(number)) {
            media.push_back(describe_medium(slot, each->image()));
            media.back().kind = "disk";
        } else if (AtapiCdrom* const drive = cdrom(number); drive && drive->medium()) {
            media.push_back(describe_medium(slot, *drive->medium()));
            media.back().kind = "cdrom";
        }
    }
    return media;
}

void Pc::Board::save_changes(StateWriter& writer) {
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (const FloppyImage* const image = fdc.medium(drive))
            save_image(writer, kFloppySlots[drive], *image);
    for (unsigned number = 0; number < kAtaDrives; number++)
        if (AtaDisk* const each = disk(number)) save_image(writer, kIdeSlots[number], each->image());
}

void Pc::Board::check_media(const MachineDescription& was) {
    for (const MediumDescription& here : describe_media()) {
        const MediumDescription* const before = was.medium(here.slot);
        if (!before) throw StateError(here.path + ": drive " + here.slot + " was empty in the saved machine");
        if (before->bytes != here.bytes)
            throw StateError(here.path + ": has " + std::to_string(here.bytes) +
                             " bytes, and the image that the "
                             "state was made with (" +
                             before->path + ") had " + std::to_string(before->bytes));
        if (before->digest != here.digest)
            throw StateError(here.path + ": is not what was in drive " + here.slot +
                             " when the state was made" +
                             (before->path != here.path ? " (" + before->path + ")"
                              : before->snapshot        ? ": it has been changed since"
                                                 : ": it has been written since (a machine started with "
                                                   "--snapshot keeps its writes in its states)"));
    }
}

void Pc::Board::restore_changes(const SavedMachine& saved) {
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (FloppyImage* const image = fdc.medium(drive)) restore_image(saved, kFloppySlots[drive], *image);
    for (unsigned number = 0; number < kAtaDrives; number++)
        if (AtaDisk* const each = disk(number)) restore_image(saved, kIdeSlots[number], each->image());
}

} // namespace btvm
