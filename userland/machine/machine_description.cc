#include "userland/machine/machine_description.hh"

#include <algorithm>

namespace btvm {

namespace {

constexpr std::size_t kMostText = 4096; ///< As long as a path can be.

} // namespace

void MediumDescription::describe(StateArchive& a) {
    a.field("slot", slot, {.max_count = 16});
    a.field("kind", kind, {.max_count = 16});
    a.field("path", path, {.max_count = kMostText});
    a.field("snapshot", snapshot);
    a.field("write_protect", write_protect);
    a.field("bytes", bytes);
    a.field("digest", digest);
}

void MachineDescription::describe(StateArchive& a) {
    // Without APICs the section is as older programs know it.
    a.version(a.loading() || apic ? 2 : 1);
    a.field("program", program, {.max_count = kMostText});
    a.field("name", name, {.max_count = kMostText});
    a.field("engine", engine, {.max_count = kMostText});
    a.field("saved_at", saved_at);
    a.field("guest_time", guest_time);
    a.field("paused", paused);
    a.field("resets", resets);
    a.field("ram_mib", ram_mib);
    a.field("system_bios", system_bios, {.max_count = kMostText});
    a.field("video_bios", video_bios, {.max_count = kMostText});
    a.field("firmware_writable", firmware_writable);
    a.field("floppy_drives", floppy_drives, {.below = 6});
    a.field("ide_drives", ide_drives, {.below = 3});
    a.field("serial", serial, {.max_count = kMostText});
    a.field("media", media, {.max_count = floppy_drives.size() + ide_drives.size()});
    a.field("parent", parent, {.max_count = 16});
    a.field("apic", apic, {.since = 2, .present = a.version() >= 2});
    a.check(parent.empty() || parent.size() == 16, "parent: no identity of a state");
    a.check(name.find('/') == std::string::npos && !name.empty(), "name: not one of a machine");
}

const MediumDescription* MachineDescription::medium(std::string_view slot) const {
    const auto found =
        std::find_if(media.begin(), media.end(), [slot](const auto& each) { return each.slot == slot; });
    return found == media.end() ? nullptr : &*found;
}

} // namespace btvm
