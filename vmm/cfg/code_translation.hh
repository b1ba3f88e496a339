// From a guest-linear code page to the guest-physical frame behind it, as the decoder needs it.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// Lives on the stack of whoever decodes; it may hold what is only valid in one world.
///
/// Guests without paging are translated by identity through address line 20. A guest with paging needs a walk
/// of its tables here; the answer for a page without a present, executable translation is false.
class CodeTranslation {
public:
    /// `a20_masked`: address line 20 is forced to 0 (CpuState::a20_mask_off).
    constexpr explicit CodeTranslation(bool a20_masked) : a20_masked_(a20_masked) {}

    /// Gives the guest frame number behind linear page number `page`. False: a fetch there would fault.
    [[nodiscard]] constexpr bool translate(u64 page, u64& frame) const {
        constexpr u64 kA20Page = u64{1} << (20 - kPageShift);
        frame = a20_masked_ ? page & ~kA20Page : page;
        return true;
    }

private:
    bool a20_masked_;
};

} // namespace btvm
