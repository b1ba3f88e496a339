// Physical memory in a state: a section of pages for each region that the guest can write.
#pragma once

#include "userland/machine/physical_memory.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

/// The name of a region's section: "memory/conventional RAM".
[[nodiscard]] std::string memory_section(const MemoryRegion& region);

/// Throws StateError if the state has other regions than this memory; some may have been written then.
void restore_memory(const StateReader& reader, PhysicalMemory& memory);

} // namespace btvm
