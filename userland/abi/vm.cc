#include "userland/abi/vm.hh"

#include <cerrno>
#include <sys/ioctl.h>

namespace btvm::abi {

namespace {

template <class T>
void call(const FileDescriptor& fd, unsigned long request, const char* name, T* argument) {
    if (::ioctl(fd.get(), request, argument) < 0) throw call_error(name, errno);
}

} // namespace

void Vm::set_memory(const btvm_userspace_memory_region& region) {
    call(fd_, BTVM_SET_USER_MEMORY_REGION, "BTVM_SET_USER_MEMORY_REGION", &region);
}

std::unique_ptr<Vcpu> Vm::create_vcpu() {
    FileDescriptor vcpu(::ioctl(fd_.get(), BTVM_CREATE_VCPU, 0));
    if (!vcpu) throw call_error("BTVM_CREATE_VCPU", errno);
    return std::make_unique<Vcpu>(std::move(vcpu), vcpu_mmap_size_);
}

void Vm::configure(const btvm_config& config) { call(fd_, BTVM_SET_CONFIG, "BTVM_SET_CONFIG", &config); }

void Vm::irq_line(std::uint32_t irq, bool level) {
    const btvm_irq_level argument{irq, level};
    call(fd_, BTVM_IRQ_LINE, "BTVM_IRQ_LINE", &argument);
}

void Vm::memory_written(std::uint64_t guest_physical, std::uint64_t size) {
    const btvm_memory_written argument{guest_physical, size};
    call(fd_, BTVM_MEMORY_WRITTEN, "BTVM_MEMORY_WRITTEN", &argument);
}

void Vm::take_dirty(std::uint32_t slot, std::uint64_t* bitmap) {
    const btvm_dirty_log argument{slot, 0, reinterpret_cast<std::uintptr_t>(bitmap)};
    call(fd_, BTVM_GET_DIRTY_LOG, "BTVM_GET_DIRTY_LOG", &argument);
}

btvm_clock Vm::clock() const {
    btvm_clock clock{};
    call(fd_, BTVM_GET_CLOCK, "BTVM_GET_CLOCK", &clock);
    return clock;
}

void Vm::set_clock(std::uint64_t guest_ns) {
    const btvm_clock clock{guest_ns, 0};
    call(fd_, BTVM_SET_CLOCK, "BTVM_SET_CLOCK", &clock);
}

} // namespace btvm::abi
