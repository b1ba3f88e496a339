// The way from segment:offset to guest memory: segment limits and rights, then paging, then the bus.
#include "vmm/interpret/execution.hh"

namespace btvm {

/// Limits hold in every mode; the type of a segment counts only in protected mode. A real-mode program that
/// has been to protected mode keeps the limits it loaded there ("unreal mode"), as the hidden parts are kept.
bool Execution::check_segment(const Segment& s, u32 offset, u32 size, Mode mode, Vector v, u32 error) {
    const AccessRights a = s.access;
    if (!cpu_.real_addressing()) {
        if (s.null()) return fault(v, error);
        // A wrong type is #GP(0) even through SS.
        if (mode == Mode::Write ? !a.writable() : !a.readable()) return general_protection();
    }
    const u32 last = offset + (size - 1);
    if (a.expand_down()) [[unlikely]] {
        const u32 top = a.default_big() ? 0xffffffffu : 0xffffu;
        if (offset <= s.limit || last < offset || last > top) return fault(v, error);
        return true;
    }
    if (last > s.limit || last < offset) return fault(v, error);
    return true;
}

bool Execution::walk(u32 linear, PageAccess access, GuestPhysical& out) {
    GuestWalk walk;
    if (!guest_walk(cpu_, memory_, GuestLinear(linear), access, WalkMark::No, walk)) {
        (void)guest_walk(cpu_, memory_, GuestLinear(linear), access, WalkMark::Yes, walk);
        cpu_.cr2 = linear;
        return fault(Vector::PageFault, walk.error);
    }
    out = walk.address;
    return true;
}

/// Sets the accessed and dirty bits once it is certain that the access happens.
void Execution::mark(u32 linear, PageAccess access) {
    GuestWalk walk;
    // The rights were checked by walk(); a failure here means that the instruction changed its own page
    // tables between check and use, and then there is nothing to mark.
    if (!guest_walk(cpu_, memory_, GuestLinear(linear), access, WalkMark::Yes, walk)) return;
    if (owner_.translations) owner_.translations->keep(linear, access, walk.address);
}

bool Execution::resolve(u32 linear, u32 size, Mode mode, bool user, MemoryRef& out) {
    const u32 room = static_cast<u32>(kPageSize) - (linear & kPageMask);
    out.linear = linear;
    out.size = size;
    out.user = user;
    out.first_bytes = size < room ? size : room;
    out.marked = true;
    const PageAccess access{mode == Mode::Write, user, false};
    if (!translate(linear, access, out.first, out.marked)) return false;
    return out.first_bytes == size || translate(linear + room, access, out.second, out.marked);
}

bool Execution::data_ref(SegReg s, u32 offset, u32 size, Mode mode, MemoryRef& out) {
    const Segment& segment = cpu_.seg[s];
    if (!check_segment(segment, offset, size, mode, s == Ss ? Vector::StackFault : Vector::GeneralProtection,
                       0))
        return false;
    const u32 linear = static_cast<u32>(segment.base) + offset;
    if (alignment_checked() && (linear & (size - 1)) && !(size & (size - 1))) [[unlikely]]
        return fault(Vector::AlignmentCheck, 0);
    return resolve(linear, size, mode, user_access(), out);
}

void Execution::mark_accessed(const MemoryRef& ref, bool write) {
    const PageAccess access{write, ref.user, false};
    mark(ref.linear, access);
    if (ref.first_bytes != ref.size) mark(ref.linear + ref.first_bytes, access);
}

void Execution::bus_read(GuestPhysical at, void* out, u32 bytes) {
    if (owner_.controllers && owner_.controllers->owns(at)) [[unlikely]] {
        eventful_ = true;
        return owner_.controllers->read(at, out, bytes);
    }
    memory_.read(at, out, bytes);
}

void Execution::bus_write(GuestPhysical at, const void* in, u32 bytes) {
    if (owner_.controllers && owner_.controllers->owns(at)) [[unlikely]] {
        eventful_ = true;
        return owner_.controllers->write(at, in, bytes);
    }
    memory_.write(at, in, bytes);
}

void Execution::load_bytes(const MemoryRef& ref, void* out) {
    if (!ref.marked) [[unlikely]]
        mark_accessed(ref, false);
    if (cpu_.has_breakpoints()) [[unlikely]]
        watch_data(ref.linear, ref.size, false);
    bus_read(ref.first, out, ref.first_bytes);
    if (ref.first_bytes != ref.size) [[unlikely]]
        bus_read(ref.second, static_cast<u8*>(out) + ref.first_bytes, ref.size - ref.first_bytes);
}

void Execution::store_bytes(const MemoryRef& ref, const void* in) {
    if (!ref.marked) [[unlikely]]
        mark_accessed(ref, true);
    if (cpu_.has_breakpoints()) [[unlikely]]
        watch_data(ref.linear, ref.size, true);
    bus_write(ref.first, in, ref.first_bytes);
    if (ref.first_bytes != ref.size) [[unlikely]]
        bus_write(ref.second, static_cast<const u8*>(in) + ref.first_bytes, ref.size - ref.first_bytes);
}

bool Execution::read_system(u32 linear, u32 size, void* out) {
    MemoryRef ref;
    if (!resolve(linear, size, Mode::Read, false, ref)) return false;
    load_bytes(ref, out);
    return true;
}

bool Execution::write_system(u32 linear, u32 size, const void* in) {
    MemoryRef ref;
    if (!resolve(linear, size, Mode::Write, false, ref)) return false;
    store_bytes(ref, in);
    return true;
}

} // namespace btvm
