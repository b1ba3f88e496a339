// The media of a saved machine: which images they are, and what the guest has written to snapshots of them.
#include <algorithm>
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

const char* slot_name(unsigned slot) {
    return slot < kFloppyDrives ? kFloppySlots[slot] : kIdeSlots[slot - kFloppyDrives];
}

template <class Image>
ImageDigest::Read file_of(const Image& image) {
    return [&image](std::uint64_t at, std::span<std::uint8_t> out) { image.read_file(at, out); };
}

template <class Image>
FrozenMachine::Medium freeze_changes(const char* slot, const Image& image) {
    const PageSet set{0, image.bytes(), Image::kChangeUnit, PageBase::Image};
    return {section_of(slot), [set, changes = image.changes()] {
                PageEncoder encoder(set);
                changes.for_each([&encoder](std::uint64_t place, const typename Image::Changes::Unit& unit) {
                    encoder.add(place, unit.bytes);
                });
                return encoder;
            }};
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

template <class F>
void Pc::Board::with_image(unsigned slot, F f) {
    if (slot < kFloppyDrives) {
        if (auto image = fdc.share_medium(slot)) f("floppy", std::move(image));
        return;
    }
    const unsigned number = slot - kFloppyDrives;
    if (AtaDisk* const each = disk(number)) // its image stays as long as the machine
        f("disk", std::shared_ptr<DiskImage>(std::shared_ptr<void>(), &each->image()));
    else if (AtapiCdrom* const drive = cdrom(number); drive && drive->medium())
        f("cdrom", drive->share_medium());
}

template <class Image>
MediumDescription Pc::Board::describe_image(const char* kind, const Image& image) {
    static constexpr std::atomic<bool> kNever{false};
    MediumDescription medium;
    medium.kind = kind;
    medium.path = absolute(image.path());
    medium.snapshot = image.keeps_writes();
    medium.bytes = image.bytes();
    ImageDigest& digest = digests_[image.write_log().id()];
    digest.update(image.write_log(), image.bytes(), file_of(image), kNever);
    medium.digest = digest.get();
    return medium;
}

MediumDescription Pc::Board::describe(const FloppyImage& floppy, bool write_protect) {
    MediumDescription medium = describe_image("floppy", floppy);
    medium.write_protect = write_protect;
    return medium;
}

MediumDescription Pc::Board::describe(const DiskImage& disc) { return describe_image("cdrom", disc); }

std::vector<MediumDescription> Pc::Board::describe_media() {
    std::vector<MediumDescription> media;
    for (unsigned slot = 0; slot < kSlots; slot++)
        with_image(slot, [&](const char* kind, const auto& image) {
            media.push_back(describe_image(kind, *image));
            media.back().slot = slot_name(slot);
            media.back().write_protect = slot < kFloppyDrives && floppies[slot].write_protect;
        });
    return media;
}

template <class Image>
Pc::Board::Reading Pc::Board::read_ahead(std::shared_ptr<Image> image) {
    return [image, &digest = digests_[image->write_log().id()]](const std::atomic<bool>& give_up) {
        digest.update(image->write_log(), image->bytes(), file_of(*image), give_up);
    };
}

template Pc::Board::Reading Pc::Board::read_ahead(std::shared_ptr<FloppyImage> image);
template Pc::Board::Reading Pc::Board::read_ahead(std::shared_ptr<DiskImage> image);

Pc::Board::Reading Pc::Board::read_ahead(unsigned slot) {
    Reading reading;
    with_image(slot, [&](const char*, auto image) { reading = read_ahead(std::move(image)); });
    return reading;
}

void Pc::Board::freeze_media(FrozenMachine& frozen) {
    frozen.description.media = describe_media();
    for (const MediumDescription& medium : frozen.description.media)
        if (!medium.snapshot && medium.kind != "cdrom" && !medium.write_protect)
            frozen.written_images.push_back(medium.path);
    for (unsigned slot = 0; slot < kSlots; slot++)
        with_image(slot, [&](const char*, const auto& image) {
            if (image->keeps_writes())
                frozen.media.push_back(freeze_changes(slot_name(slot), *image));
            else
                frozen.flushes.emplace_back([image] { image->flush(); });
        });
}

void Pc::Board::check_media(const MachineDescription& was) {
    const std::vector<MediumDescription> media = describe_media();
    for (const MediumDescription& before : was.media)
        if (std::none_of(media.begin(), media.end(),
                         [&before](const MediumDescription& here) { return here.slot == before.slot; }))
            throw StateError("drive " + before.slot + ": what was in it is not here");
    for (const MediumDescription& here : media) {
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
