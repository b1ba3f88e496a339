// From a guest-linear code page to the guest-physical frame behind it, as the decoder needs it.
#pragma once

#include "vmm/cpu/state.hh"
#include "vmm/memory/guest_memory.hh"
#include "vmm/mmu/translation_cache.hh"

namespace btvm {

/// How guest kernel code is fetched. Lives on the stack of whoever decodes; it holds what is only valid in
/// one world.
class CodeTranslation {
public:
    /// As the processor in `cpu` translates at this moment.
    CodeTranslation(const CpuState& cpu, GuestMemory& memory, const TranslationCache* known = nullptr)
        : cpu_(cpu.paging() ? &cpu : nullptr), memory_(&memory), known_(known),
          a20_masked_(cpu.a20_mask_off) {}
    /// Without paging: by identity through address line 20, which is forced to 0 if `a20_masked`.
    constexpr explicit CodeTranslation(bool a20_masked) : a20_masked_(a20_masked) {}

    /// Gives the guest frame number behind linear page number `page`. False: a fetch there would fault.
    /// Leaves no trace in the guest's tables: looking ahead is not fetching.
    [[nodiscard]] bool translate(u64 page, u64& frame) const {
        if (cpu_) return walk(page, frame);
        constexpr u64 kA20Page = u64{1} << (20 - kPageShift);
        frame = a20_masked_ ? page & ~kA20Page : page;
        return true;
    }

private:
    [[nodiscard]] bool walk(u64 page, u64& frame) const;

    const CpuState* cpu_{}; ///< Null: no paging.
    GuestMemory* memory_{};
    const TranslationCache* known_{}; ///< Looked into first, if there is one.
    bool a20_masked_;
};

} // namespace btvm
