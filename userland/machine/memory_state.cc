#include "userland/machine/memory_state.hh"

#include <cstring>

#include "userland/state/page_runs.hh"

namespace btvm {

namespace {

constexpr std::uint32_t kPage = 4096;

PageSet set_of(const MemoryRegion& region) { return {region.first, region.size, kPage, PageBase::Zero}; }

/// Makes pages zero. Those that are so already are not written: the host has given no memory for them.
void clear_pages(std::uint8_t* memory, std::uint64_t pages) {
    for (; pages; pages--, memory += kPage)
        if (memory[0] || std::memcmp(memory, memory + 1, kPage - 1) != 0) std::memset(memory, 0, kPage);
}

} // namespace

std::string memory_section(const MemoryRegion& region) { return "memory/" + region.name; }

void restore_memory(const StateReader& reader, PhysicalMemory& memory) {
    for (const MemoryRegion& region : memory.regions()) {
        if (region.read_only) continue;
        const std::string name = memory_section(region);
        const std::vector<std::uint8_t> payload = reader.payload(reader.get(name, state_format::Type::Pages));
        if (page_set(payload, name) != set_of(region))
            throw StateError(name + ": is of another size or place");
        std::uint64_t next = 0;
        decode_pages(payload, name, [&](std::uint64_t index, std::span<const std::uint8_t> pages) {
            clear_pages(region.memory + next * kPage, index - next);
            std::memcpy(region.memory + index * kPage, pages.data(), pages.size());
            next = index + pages.size() / kPage;
        });
        clear_pages(region.memory + next * kPage, region.size / kPage - next);
    }
}

} // namespace btvm
