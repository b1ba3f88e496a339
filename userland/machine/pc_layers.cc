// Media under checkpoints: what the guest writes is kept in layers over the images, which stay as they are
// until somebody commits.
#include <algorithm>

#include "userland/machine/layer_commit.hh"
#include "userland/machine/pc_board.hh"

namespace btvm {

namespace {

template <class Changes>
std::uint64_t differing_units(const Changes& a, const Changes& b) {
    std::uint64_t count = 0;
    Changes::for_each_difference(a, b, [&count](std::uint64_t, const auto*, const auto*) { count++; });
    return count;
}

} // namespace

std::uint64_t differing_bytes(const MediaSnapshot& a, const MediaSnapshot& b) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < a.disks.size(); i++)
        bytes += differing_units(a.disks[i], b.disks[i]) * DiskImage::kChangeUnit;
    const FloppyImage::Changes none;
    for (const auto& medium : b.floppies) {
        const auto before = std::find_if(a.floppies.begin(), a.floppies.end(),
                                         [&medium](const auto& each) { return each.image == medium.image; });
        bytes += differing_units(before == a.floppies.end() ? none : before->changes, medium.changes) *
                 FloppyImage::kChangeUnit;
    }
    return bytes;
}

void Pc::Board::begin_layers() {
    if (layered) return;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (FloppyImage* const image = fdc.medium(drive)) image->begin_layer();
    for (unsigned number = 0; number < kAtaDrives; number++)
        if (AtaDisk* const each = disk(number)) each->image().begin_layer();
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        if (auto image = fdc.share_medium(drive)) shelf.push_back(std::move(image));
    layered = true;
}

std::shared_ptr<FloppyImage> Pc::Board::open_floppy(const FloppyConfig& floppy) {
    const auto open = [this, &floppy] {
        return told(
            FloppyImage::open(floppy.path, {.read_only = floppy.write_protect, .snapshot = floppy.snapshot}));
    };
    if (!layered) return open();
    // Its file is still locked by the one on the shelf, which has what the guest wrote to it.
    for (const auto& image : shelf) {
        if (!image->is_in(floppy.path)) continue;
        if (image->snapshot() == floppy.snapshot && image->read_only() == floppy.write_protect) return image;
        throw FloppyError(floppy.path +
                          ": checkpoints know it with other options (snapshot, write protection)");
    }
    std::shared_ptr<FloppyImage> image = open();
    image->begin_layer();
    shelf.push_back(image);
    return image;
}

MediaSnapshot Pc::Board::take_media() {
    MediaSnapshot snapshot;
    for (const auto& image : shelf)
        snapshot.floppies.push_back({image, image->changes()});
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        snapshot.in_drive[drive] = fdc.share_medium(drive);
    snapshot.configs = floppies;
    for (unsigned number = 0; number < kAtaDrives; number++) {
        if (AtaDisk* const each = disk(number)) snapshot.disks[number] = each->image().changes();
        if (AtapiCdrom* const drive = cdrom(number)) snapshot.discs[number] = drive->share_medium();
    }
    return snapshot;
}

void Pc::Board::put_media(const MediaSnapshot& snapshot) {
    // A floppy that was not there then lies on the shelf as it was when it came: its file is as it was,
    // unless a commit has failed in the middle: then all that is kept is needed to make it whole.
    for (const auto& image : shelf) {
        const auto then = std::find_if(snapshot.floppies.begin(), snapshot.floppies.end(),
                                       [&image](const auto& medium) { return medium.image == image; });
        if (then != snapshot.floppies.end())
            image->set_changes(then->changes);
        else if (!CommitJournal(image->descriptor(), image->path()).is_there())
            image->clear_changes();
    }
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        fdc.put_medium(drive, snapshot.in_drive[drive]);
    floppies = snapshot.configs;
    for (unsigned number = 0; number < kAtaDrives; number++) {
        if (AtaDisk* const each = disk(number)) each->image().set_changes(snapshot.disks[number]);
        if (AtapiCdrom* const drive = cdrom(number)) drive->put_medium(snapshot.discs[number]);
    }
}

std::vector<CommittedImage> Pc::Board::commit(std::span<MediaSnapshot* const> snapshots) {
    std::vector<CommittedImage> done;
    const auto note = [&](const std::string& path, const LayerCommit& commit) {
        done.push_back({path, commit.bytes, commit.atomic});
        for (CommittedImage& image : committed)
            if (image.path == path) {
                image.bytes += commit.bytes;
                image.atomic &= commit.atomic;
                return;
            }
        committed.push_back(done.back());
    };
    for (const auto& image : shelf) {
        std::vector<FloppyImage::Changes*> others;
        for (MediaSnapshot* const snapshot : snapshots)
            for (auto& medium : snapshot->floppies)
                if (medium.image == image) others.push_back(&medium.changes);
        if (const LayerCommit commit = commit_layer(*image, others); commit.bytes)
            note(image->path(), commit);
    }
    for (unsigned number = 0; number < kAtaDrives; number++) {
        AtaDisk* const each = disk(number);
        if (!each) continue;
        std::vector<DiskImage::Changes*> others;
        for (MediaSnapshot* const snapshot : snapshots)
            others.push_back(&snapshot->disks[number]);
        if (const LayerCommit commit = commit_layer(each->image(), others); commit.bytes)
            note(each->image().path(), commit);
    }
    return done;
}

} // namespace btvm
