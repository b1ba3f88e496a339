#include "userland/abi/vcpu.hh"

#include <algorithm>
#include <cerrno>
#include <sys/ioctl.h>
#include <sys/mman.h>

namespace btvm::abi {

Vcpu::Vcpu(FileDescriptor fd, std::size_t mmap_size) : fd_(std::move(fd)), mmap_size_(mmap_size) {
    void* page = ::mmap(nullptr, mmap_size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (page == MAP_FAILED) throw call_error("mapping the vCPU's run page", errno);
    run_ = static_cast<btvm_run*>(page);
}

Vcpu::~Vcpu() { ::munmap(run_, mmap_size_); }

bool Vcpu::run() {
    if (::ioctl(fd_.get(), BTVM_RUN, 0) == 0) return true;
    if (errno == EINTR) return false;
    throw call_error("BTVM_RUN", errno);
}

std::uint8_t* Vcpu::io_data(std::uint64_t data_offset, std::size_t size) {
    if (data_offset > mmap_size_ || size > mmap_size_ - data_offset)
        throw AbiError(AbiError::Kind::Call, "BTVM_RUN: the module's port data lies outside the run page");
    return reinterpret_cast<std::uint8_t*>(run_) + data_offset;
}

btvm_regs Vcpu::regs() const {
    btvm_regs regs{};
    if (::ioctl(fd_.get(), BTVM_GET_REGS, &regs) < 0) throw call_error("BTVM_GET_REGS", errno);
    return regs;
}

btvm_sregs Vcpu::sregs() const {
    btvm_sregs sregs{};
    if (::ioctl(fd_.get(), BTVM_GET_SREGS, &sregs) < 0) throw call_error("BTVM_GET_SREGS", errno);
    return sregs;
}

btvm_state Vcpu::state() const {
    btvm_state state{};
    if (::ioctl(fd_.get(), BTVM_GET_STATE, &state) < 0) throw call_error("BTVM_GET_STATE", errno);
    return state;
}

bool Vcpu::set_state(const btvm_state& state) {
    if (::ioctl(fd_.get(), BTVM_SET_STATE, &state) == 0) return true;
    if (errno == EINVAL) return false;
    throw call_error("BTVM_SET_STATE", errno);
}

void Vcpu::reset() {
    if (::ioctl(fd_.get(), BTVM_RESET, 0) < 0) throw call_error("BTVM_RESET", errno);
}

void Vcpu::nmi() {
    if (::ioctl(fd_.get(), BTVM_NMI, 0) < 0) throw call_error("BTVM_NMI", errno);
}

void Vcpu::set_a20(bool enabled) {
    if (::ioctl(fd_.get(), BTVM_SET_A20, enabled ? 1ul : 0ul) < 0) throw call_error("BTVM_SET_A20", errno);
}

void Vcpu::set_pm_timer(std::uint16_t port) {
    if (::ioctl(fd_.get(), BTVM_SET_PM_TIMER, static_cast<unsigned long>(port)) < 0)
        throw call_error("BTVM_SET_PM_TIMER", errno);
}

btvm_stats Vcpu::stats() const {
    btvm_stats stats{};
    stats.size = sizeof stats;
    if (::ioctl(fd_.get(), BTVM_GET_STATS, &stats) < 0) throw call_error("BTVM_GET_STATS", errno);
    return stats;
}

std::vector<btvm_trace_entry> Vcpu::trace(std::uint32_t count) const {
    std::vector<btvm_trace_entry> entries(count);
    btvm_trace argument{reinterpret_cast<std::uintptr_t>(entries.data()), count, 0};
    if (::ioctl(fd_.get(), BTVM_GET_TRACE, &argument) < 0) throw call_error("BTVM_GET_TRACE", errno);
    entries.resize(std::min(argument.count, count));
    return entries;
}

} // namespace btvm::abi
