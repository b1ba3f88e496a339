#include "vmm/cfg/code_translation.hh"

#include "vmm/mmu/guest_walk.hh"

namespace btvm {

bool CodeTranslation::walk(u64 page, u64& frame) const {
    const PageAccess fetch{.write = false, .user = false, .fetch = true};
    GuestPhysical at;
    if (known_ && known_->find(static_cast<u32>(page << kPageShift), fetch, at)) {
        frame = at.frame();
        return true;
    }
    GuestWalk walk;
    if (!guest_walk(*cpu_, *memory_, GuestLinear(page << kPageShift), fetch, WalkMark::No, walk))
        return false;
    frame = walk.address.frame();
    return true;
}

} // namespace btvm
