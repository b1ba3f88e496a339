// The system descriptor: /dev/btvm itself. Makes VMs and answers what the module can do.
#pragma once

#include <cstddef>
#include <string>

#include "userland/abi/abi_error.hh"
#include "userland/abi/file_descriptor.hh"
#include "userland/abi/vm.hh"

namespace btvm::abi {

class System {
public:
    static constexpr const char* kDefaultPath = "/dev/btvm";

    /// Opens the device and compares versions. Throws AbiError with a message for the user.
    explicit System(const std::string& path = kDefaultPath);

    /// BTVM_CHECK_EXTENSION: 0 for no, a positive number for yes or how many.
    [[nodiscard]] int check(unsigned capability) const;
    [[nodiscard]] Vm create_vm() const;

private:
    FileDescriptor fd_;
    std::size_t vcpu_mmap_size_{};
};

} // namespace btvm::abi
