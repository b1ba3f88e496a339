// A VM descriptor: guest memory, interrupt lines, configuration and guest time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "btvm/btvm.h"
#include "userland/abi/abi_error.hh"
#include "userland/abi/file_descriptor.hh"
#include "userland/abi/vcpu.hh"

namespace btvm::abi {

/// Every call throws AbiError when the module refuses it.
class Vm {
public:
    Vm(FileDescriptor fd, std::size_t vcpu_mmap_size) : fd_(std::move(fd)), vcpu_mmap_size_(vcpu_mmap_size) {}

    void set_memory(const btvm_userspace_memory_region& region);
    /// The VM's one vCPU. Memory must be set before.
    [[nodiscard]] std::unique_ptr<Vcpu> create_vcpu();
    void configure(const btvm_config& config);
    void irq_line(std::uint32_t irq, bool level);
    void memory_written(std::uint64_t guest_physical, std::uint64_t size);
    /// Which pages of a slot were written since the last call: a bit a page, into whole words. The vCPU must
    /// be there, and at rest.
    void take_dirty(std::uint32_t slot, std::uint64_t* bitmap);
    [[nodiscard]] btvm_clock clock() const;
    void set_clock(std::uint64_t guest_ns);

private:
    FileDescriptor fd_;
    std::size_t vcpu_mmap_size_;
};

} // namespace btvm::abi
