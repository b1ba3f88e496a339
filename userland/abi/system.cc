#include "userland/abi/system.hh"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "btvm/btvm.h"

namespace btvm::abi {

AbiError call_error(const char* call, int error) {
    std::string message = std::string(call) + " failed: " + std::strerror(error);
    if (error == ENOMEM)
        message += " (guest memory is pinned: is `ulimit -l` large enough, and is that much memory free?)";
    if (error == EBUSY) message += " (the virtual machine is in use by another thread or process)";
    return {AbiError::Kind::Call, message};
}

namespace {

AbiError open_error(const std::string& path, int error) {
    switch (error) {
    case ENOENT: return {AbiError::Kind::NoModule, path + " not found: is btvm.ko loaded? (insmod btvm.ko)"};
    case ENXIO:
    case ENODEV:
        return {AbiError::Kind::NoModule,
                path + " has no driver behind it: is btvm.ko loaded? (insmod btvm.ko)"};
    case EACCES:
    case EPERM:
        return {AbiError::Kind::Permission,
                path + ": permission denied: run as root, or give your user access to the device node"};
    default: return {AbiError::Kind::Call, path + ": " + std::strerror(error)};
    }
}

} // namespace

System::System(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (!fd_) throw open_error(path, errno);
    const int version = ::ioctl(fd_.get(), BTVM_GET_API_VERSION, 0);
    if (version < 0) {
        if (errno == ENOTTY)
            throw AbiError(AbiError::Kind::NoModule, path + " is not the btvm device: is btvm.ko loaded?");
        throw call_error("BTVM_GET_API_VERSION", errno);
    }
    if (version != BTVM_API_VERSION)
        throw AbiError(AbiError::Kind::Mismatch,
                       "the loaded btvm.ko speaks interface version " + std::to_string(version) +
                           " and this program version " + std::to_string(BTVM_API_VERSION) +
                           ": load the module that was built together with it (rmmod btvm; insmod btvm.ko)");
    const int size = ::ioctl(fd_.get(), BTVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < 0) throw call_error("BTVM_GET_VCPU_MMAP_SIZE", errno);
    if (static_cast<std::size_t>(size) < sizeof(btvm_run))
        throw AbiError(AbiError::Kind::Mismatch,
                       "the module's run page is smaller than this program expects");
    vcpu_mmap_size_ = static_cast<std::size_t>(size);
}

int System::check(unsigned capability) const {
    const int answer = ::ioctl(fd_.get(), BTVM_CHECK_EXTENSION, static_cast<unsigned long>(capability));
    if (answer < 0) throw call_error("BTVM_CHECK_EXTENSION", errno);
    return answer;
}

Vm System::create_vm() const {
    FileDescriptor vm(::ioctl(fd_.get(), BTVM_CREATE_VM, 0));
    if (!vm) throw call_error("BTVM_CREATE_VM", errno);
    return {std::move(vm), vcpu_mmap_size_};
}

} // namespace btvm::abi
