#include "userland/machine/frozen_machine.hh"

#include "userland/machine/engine_state.hh"

namespace btvm {

namespace {

constexpr auto kRequired = StateWriter::Need::Required;
constexpr auto kOptional = StateWriter::Need::Optional;

void write_memory(StateWriter& writer, const FrozenMachine& frozen, std::atomic<std::uint64_t>& pages_done) {
    std::vector<PageEncoder> encoders;
    for (const FrozenMachine::Region& region : frozen.regions)
        encoders.emplace_back(PageSet{region.first, region.size, kStoredPage, PageBase::Zero});
    // Pages come by address, and so do regions.
    std::size_t at = 0;
    frozen.machine.memory.for_each([&](std::uint64_t frame, const PageStore::Page& page) {
        while (frame * kStoredPage >= frozen.regions[at].first + frozen.regions[at].size)
            at++;
        encoders[at].add(frame - frozen.regions[at].first / kStoredPage, page.bytes());
        ++pages_done;
    });
    for (at = 0; at < encoders.size(); at++)
        writer.pages(frozen.regions[at].section, std::move(encoders[at]), kRequired);
}

} // namespace

std::uint64_t FrozenMachine::pages() const {
    std::uint64_t count = machine.memory.size();
    if (tree)
        for (const auto& [id, node] : tree->saved.tree.nodes())
            if (node.parent) count += node.changed_pages; // one without differs from the present: who knows
    return count;
}

void write_state(StateWriter& writer, const FrozenMachine& frozen, std::atomic<std::uint64_t>& pages_done) {
    MachineDescription description = frozen.description;
    writer.fields(save_state(kMachineSection, description), kRequired);
    if (frozen.screen) writer.text("screen", *frozen.screen, kOptional);
    for (const StateSection& section : save_engine({frozen.machine.core, frozen.machine.time}))
        writer.fields(section, kRequired);
    for (std::span<const std::uint8_t> device : frozen.machine.devices)
        writer.fields(take_section(device), kRequired);
    writer.bytes("firmware/system", frozen.firmware->system_bios, kRequired);
    if (!frozen.firmware->video_bios.empty())
        writer.bytes("firmware/video", frozen.firmware->video_bios, kRequired);
    for (const FrozenMachine::Medium& medium : frozen.media)
        writer.pages(medium.section, medium.encode(), kRequired);
    write_memory(writer, frozen, pages_done);
    write_tree(writer, frozen, pages_done);
}

} // namespace btvm
