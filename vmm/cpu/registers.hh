// Architectural registers by their SDM names: flag and control-register bits, general-register numbers.
#pragma once

#include "vmm/base/types.hh"

namespace btvm {

/// General registers in encoding order (SDM Vol. 2A table 2-2).
enum Gpr : u8 { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15, kGprCount };

/// Segment registers in encoding order (SDM Vol. 2A table B-8).
enum SegReg : u8 { Es, Cs, Ss, Ds, Fs, Gs, kSegRegCount };

/// EFLAGS, SDM Vol. 1 3.4.3.
namespace eflags {
inline constexpr u64 kCf = 1u << 0;
inline constexpr u64 kFixed1 = 1u << 1;
inline constexpr u64 kPf = 1u << 2;
inline constexpr u64 kAf = 1u << 4;
inline constexpr u64 kZf = 1u << 6;
inline constexpr u64 kSf = 1u << 7;
inline constexpr u64 kTf = 1u << 8;
inline constexpr u64 kIf = 1u << 9;
inline constexpr u64 kDf = 1u << 10;
inline constexpr u64 kOf = 1u << 11;
inline constexpr u64 kIopl = 3u << 12;
inline constexpr unsigned kIoplShift = 12;
inline constexpr u64 kNt = 1u << 14;
inline constexpr u64 kRf = 1u << 16;
inline constexpr u64 kVm = 1u << 17;
inline constexpr u64 kAc = 1u << 18;
inline constexpr u64 kVif = 1u << 19;
inline constexpr u64 kVip = 1u << 20;
inline constexpr u64 kId = 1u << 21;
/// The flags that instructions compute.
inline constexpr u64 kArithmetic = kCf | kPf | kAf | kZf | kSf | kOf;
/// Every flag that exists.
inline constexpr u64 kAll = 0x3f7fd7;
} // namespace eflags

/// CR0, SDM Vol. 3A 2.5.
namespace cr0 {
inline constexpr u64 kPe = 1u << 0;
inline constexpr u64 kMp = 1u << 1;
inline constexpr u64 kEm = 1u << 2;
inline constexpr u64 kTs = 1u << 3;
inline constexpr u64 kEt = 1u << 4;
inline constexpr u64 kNe = 1u << 5;
inline constexpr u64 kWp = 1u << 16;
inline constexpr u64 kAm = 1u << 18;
inline constexpr u64 kNw = 1u << 29;
inline constexpr u64 kCd = 1u << 30;
inline constexpr u64 kPg = 1u << 31;
/// After RESET (SDM Vol. 3A table 9-1).
inline constexpr u64 kReset = kCd | kNw | kEt;
} // namespace cr0

/// CR4, SDM Vol. 3A 2.5.
namespace cr4 {
inline constexpr u64 kVme = 1u << 0;
inline constexpr u64 kPvi = 1u << 1;
inline constexpr u64 kTsd = 1u << 2;
inline constexpr u64 kDe = 1u << 3;
inline constexpr u64 kPse = 1u << 4;
inline constexpr u64 kPae = 1u << 5;
inline constexpr u64 kMce = 1u << 6;
inline constexpr u64 kPge = 1u << 7;
inline constexpr u64 kPce = 1u << 8;
inline constexpr u64 kOsfxsr = 1u << 9;
inline constexpr u64 kOsxmmexcpt = 1u << 10;
} // namespace cr4

/// IA32_EFER, SDM Vol. 3A 2.2.1.
namespace efer {
inline constexpr u64 kSce = 1u << 0;
inline constexpr u64 kLme = 1u << 8;
inline constexpr u64 kLma = 1u << 10;
inline constexpr u64 kNxe = 1u << 11;
} // namespace efer

/// Exception vectors, SDM Vol. 3A table 6-1.
enum class Vector : u8 {
    DivideError = 0,
    Debug = 1,
    Nmi = 2,
    Breakpoint = 3,
    Overflow = 4,
    BoundRange = 5,
    InvalidOpcode = 6,
    DeviceNotAvailable = 7,
    DoubleFault = 8,
    CoprocessorOverrun = 9,
    InvalidTss = 10,
    SegmentNotPresent = 11,
    StackFault = 12,
    GeneralProtection = 13,
    PageFault = 14,
    X87Error = 16,
    AlignmentCheck = 17,
    MachineCheck = 18,
    SimdError = 19,
};

/// Page-fault error code bits, SDM Vol. 3A 4.7.
namespace pf_error {
inline constexpr u32 kPresent = 1u << 0;
inline constexpr u32 kWrite = 1u << 1;
inline constexpr u32 kUser = 1u << 2;
inline constexpr u32 kReserved = 1u << 3;
inline constexpr u32 kFetch = 1u << 4;
inline constexpr u32 kProtectionKey = 1u << 5;
} // namespace pf_error

/// IA32_APIC_BASE, SDM Vol. 3A 10.4.4.
namespace apic_base {
inline constexpr u64 kBootstrap = 1u << 8; ///< This is the bootstrap processor.
inline constexpr u64 kEnable = 1u << 11;
inline constexpr u64 kAddress = 0xffffff000; ///< Of the register page: as many bits as there are.
inline constexpr u64 kReset = 0xfee00000 | kBootstrap | kEnable;
} // namespace apic_base

} // namespace btvm
