#include "userland/tools/core_file.hh"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <memory>

#include "vmm/hypervisor/saved_state.hh"
#include "vmm/memory/guest_memory.hh"
#include "vmm/mmu/guest_walk.hh"

namespace btvm {

namespace {

constexpr std::uint64_t k4Gib = std::uint64_t{1} << 32;
constexpr std::uint64_t kPage = 4096;

/// elf_prstatus of i386 Linux, as gdb reads it from a core: 144 bytes, the registers at 72.
constexpr std::size_t kPrstatusSize = 144;
constexpr std::size_t kPidAt = 24;
constexpr std::size_t kRegistersAt = 72;

struct Mapping {
    std::uint64_t linear{};
    std::uint64_t physical{};
    std::uint64_t size{};
    bool writable{}, executable{};
};

/// RAM up to the highest address, in one piece, for the core's own page walker.
struct FlatMemory {
    explicit FlatMemory(const SavedMemory& saved) {
        for (const SparsePages& region : saved.regions())
            bytes.resize(std::max<std::uint64_t>(bytes.size(), region.set.first + region.set.size));
        saved.read(0, bytes);
        MemorySlot& slot = memory->slots[memory->slot_count++];
        slot.size = bytes.size();
        slot.memory = bytes.data();
    }
    std::vector<std::uint8_t> bytes;
    std::unique_ptr<GuestMemory> memory = std::make_unique<GuestMemory>();
};

std::vector<Mapping> mappings(const btvm_state& state, FlatMemory& flat) {
    std::vector<Mapping> out;
    if (!(state.sregs.cr0 & cr0::kPg)) {
        out.push_back({0, 0, flat.bytes.size(), true, true});
        return out;
    }
    const auto cpu = std::make_unique<CpuState>();
    put_sregs(*cpu, state.sregs);
    std::copy(std::begin(state.pdpte), std::end(state.pdpte), std::begin(cpu->pae_pdpte));
    const PageAccess look{.write = false, .user = false, .fetch = false};
    for (std::uint64_t linear = 0; linear < k4Gib;) {
        GuestWalk walk;
        if (!guest_walk(*cpu, *flat.memory, GuestLinear(linear), look, WalkMark::No, walk)) {
            // Nothing below a directory entry that is not there.
            const std::uint64_t step = walk.levels >= 2         ? kPage
                                       : (cpu->cr4 & cr4::kPae) ? std::uint64_t{2} << 20
                                                                : std::uint64_t{4} << 20;
            linear = (linear / step + 1) * step;
            continue;
        }
        const std::uint64_t size = walk.page_size;
        const std::uint64_t physical = walk.address.value & ~(size - 1);
        linear &= ~(size - 1);
        if (physical < flat.bytes.size()) {
            const std::uint64_t there = std::min(size, flat.bytes.size() - physical);
            Mapping* const last = out.empty() ? nullptr : &out.back();
            if (last && last->linear + last->size == linear && last->physical + last->size == physical &&
                last->writable == walk.writable && last->executable == walk.executable)
                last->size += there;
            else
                out.push_back({linear, physical, there, walk.writable, walk.executable});
        }
        linear += size;
    }
    return out;
}

/// pt_regs of i386: how Linux lays out the registers in a core.
std::array<std::uint32_t, 17> registers(const btvm_state& state) {
    const auto general = [&](unsigned i) { return static_cast<std::uint32_t>(state.regs.gpr[i]); };
    const auto selector = [&](unsigned i) { return std::uint32_t{state.sregs.segment[i].selector}; };
    return {general(Rbx),
            general(Rcx),
            general(Rdx),
            general(Rsi),
            general(Rdi),
            general(Rbp),
            general(Rax),
            selector(Ds),
            selector(Es),
            selector(Fs),
            selector(Gs),
            general(Rax),
            static_cast<std::uint32_t>(state.regs.rip),
            selector(Cs),
            static_cast<std::uint32_t>(state.regs.rflags),
            general(Rsp),
            selector(Ss)};
}

template <class T>
void append(std::vector<std::uint8_t>& out, const T& value) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

std::vector<std::uint8_t> note(const btvm_state& state) {
    std::vector<std::uint8_t> out;
    const Elf32_Nhdr header{5, kPrstatusSize, NT_PRSTATUS};
    append(out, header);
    for (const char c : {'C', 'O', 'R', 'E', '\0', '\0', '\0', '\0'})
        out.push_back(static_cast<std::uint8_t>(c));
    std::array<std::uint8_t, kPrstatusSize> status{};
    status[kPidAt] = 1;
    const auto values = registers(state);
    static_assert(kRegistersAt + sizeof values <= kPrstatusSize);
    std::memcpy(&status[kRegistersAt], values.data(), sizeof values);
    append(out, status);
    return out;
}

} // namespace

std::vector<std::uint8_t> core_file(const SavedMemory& memory, const btvm_state& cpu) {
    FlatMemory flat(memory);
    const std::vector<Mapping> maps = mappings(cpu, flat);
    const std::vector<std::uint8_t> notes = note(cpu);
    if (maps.size() >= PN_XNUM - 1)
        throw StateError("the guest's page tables map more pieces than ELF can count");
    Elf32_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = EM_386;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf32_Phdr);
    header.e_phnum = static_cast<Elf32_Half>(maps.size() + 1);
    const std::uint64_t notes_at = sizeof header + header.e_phnum * sizeof(Elf32_Phdr);
    const std::uint64_t memory_at = (notes_at + notes.size() + kPage - 1) / kPage * kPage;
    if (memory_at + flat.bytes.size() >= k4Gib)
        throw StateError("the guest has more memory than fits a core file");

    std::vector<std::uint8_t> out;
    append(out, header);
    Elf32_Phdr notes_header{};
    notes_header.p_type = PT_NOTE;
    notes_header.p_offset = static_cast<Elf32_Off>(notes_at);
    notes_header.p_filesz = static_cast<Elf32_Word>(notes.size());
    append(out, notes_header);
    for (const Mapping& map : maps) {
        Elf32_Phdr load{};
        load.p_type = PT_LOAD;
        load.p_offset = static_cast<Elf32_Off>(memory_at + map.physical);
        load.p_vaddr = static_cast<Elf32_Addr>(map.linear);
        load.p_paddr = static_cast<Elf32_Addr>(map.physical);
        load.p_filesz = load.p_memsz = static_cast<Elf32_Word>(map.size);
        load.p_flags = PF_R | (map.writable ? PF_W : 0u) | (map.executable ? PF_X : 0u);
        load.p_align = kPage;
        append(out, load);
    }
    out.insert(out.end(), notes.begin(), notes.end());
    out.resize(memory_at);
    out.insert(out.end(), flat.bytes.begin(), flat.bytes.end());
    return out;
}

} // namespace btvm
