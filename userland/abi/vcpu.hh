// A vCPU descriptor and the page shared with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "btvm/btvm.h"
#include "userland/abi/abi_error.hh"
#include "userland/abi/file_descriptor.hh"

namespace btvm::abi {

/// Every call throws AbiError when the module refuses it.
class Vcpu {
public:
    Vcpu(FileDescriptor fd, std::size_t mmap_size);
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;
    ~Vcpu();

    /// BTVM_RUN. False when a signal or immediate_exit ended it; otherwise shared().exit_reason is set.
    [[nodiscard]] bool run();

    [[nodiscard]] btvm_run& shared() { return *run_; }
    /// The data of a BTVM_EXIT_IO, `size` bytes at `data_offset`. Throws when the module points outside the
    /// mapping.
    [[nodiscard]] std::uint8_t* io_data(std::uint64_t data_offset, std::size_t size);

    [[nodiscard]] btvm_regs regs() const;
    [[nodiscard]] btvm_sregs sregs() const;
    [[nodiscard]] btvm_state state() const;
    /// False if the module does not take it: no machine's state, or one with features this host lacks.
    [[nodiscard]] bool set_state(const btvm_state& state);
    void reset();
    void nmi();
    void set_a20(bool enabled);
    /// Where the module answers reads of the ACPI timer; 0: nowhere.
    void set_pm_timer(std::uint16_t port);
    [[nodiscard]] btvm_stats stats() const;
    /// The newest `count` trace entries, oldest first.
    [[nodiscard]] std::vector<btvm_trace_entry> trace(std::uint32_t count) const;

private:
    FileDescriptor fd_;
    std::size_t mmap_size_;
    btvm_run* run_;
};

} // namespace btvm::abi
