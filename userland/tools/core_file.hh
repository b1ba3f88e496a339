// A saved guest as an ELF core file.
#pragma once

#include <vector>

#include "btvm/btvm.h"
#include "userland/state/sparse_pages.hh"

namespace btvm {

/// An ELF32 core of the guest: a NT_PRSTATUS note with the processor's registers, and a segment for each run
/// of linear addresses that its page tables map (with paging off: of memory), which also says where in
/// physical memory it is. Linear addresses are what gdb uses, physical ones what crash does. Throws
/// StateError if the page tables lead to more segments than ELF can count.
[[nodiscard]] std::vector<std::uint8_t> core_file(const SavedMemory& memory, const btvm_state& cpu);

} // namespace btvm
