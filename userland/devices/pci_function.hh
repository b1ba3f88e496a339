// One function of a PCI device: its 256 bytes of configuration space (PCI Local Bus Specification 2.1,
// chapter 6). Which bits of a register a guest may write, and which it clears by writing ones, is said once,
// when the device is made; what a write means is the owner's business.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

namespace btvm {

class StateArchive;

/// Registers of the header that every function has (PCI 2.1, 6.1).
enum PciRegister : unsigned {
    kPciVendor = 0x00,
    kPciDevice = 0x02,
    kPciCommand = 0x04,
    kPciStatus = 0x06,
    kPciRevision = 0x08,
    kPciInterface = 0x09,
    kPciClass = 0x0a, ///< Sub-class, then base class.
    kPciHeaderType = 0x0e,
    kPciBar0 = 0x10,
    kPciSubsystemVendor = 0x2c,
    kPciSubsystem = 0x2e,
    kPciInterruptLine = 0x3c,
    kPciInterruptPin = 0x3d,
};

inline constexpr std::uint16_t kPciCommandIo = 0x0001;     ///< Answers I/O accesses.
inline constexpr std::uint16_t kPciCommandMaster = 0x0004; ///< May reach memory by itself.

class PciFunction {
public:
    struct Identity {
        std::uint16_t vendor;
        std::uint16_t device;
        std::uint16_t class_code; ///< Base class in the high byte, sub-class in the low one.
        std::uint8_t interface;
        std::uint8_t revision;
        bool multi_function; ///< More functions follow this one in its slot.
    };
    /// Called after a guest's write to `size` bytes from `reg` on.
    using WriteHandler = std::function<void(unsigned reg, unsigned size)>;

    explicit PciFunction(const Identity& identity);

    /// For the owner, when it is made: the value after reset, and the bits that a guest's write changes.
    /// `reg` is aligned to the type's size.
    void define8(unsigned reg, std::uint8_t initial, std::uint8_t writable);
    void define16(unsigned reg, std::uint16_t initial, std::uint16_t writable);
    void define32(unsigned reg, std::uint32_t initial, std::uint32_t writable);
    /// Bits of a 16-bit register that a guest clears by writing ones.
    void define_clearable16(unsigned reg, std::uint16_t bits);
    /// An I/O base address register for `size` ports, a power of two (PCI 2.1, 6.2.5.1).
    void define_io_bar(unsigned index, unsigned size);
    void on_write(WriteHandler handler) { on_write_ = std::move(handler); }

    void reset() { config_ = initial_; }

    /// Any size and alignment within the 256 bytes; bytes beyond them read as zeros.
    [[nodiscard]] std::uint32_t read(unsigned reg, unsigned size) const;
    void write(unsigned reg, unsigned size, std::uint32_t value);

    [[nodiscard]] std::uint16_t command() const { return get16(kPciCommand); }
    [[nodiscard]] std::uint16_t get16(unsigned reg) const { return static_cast<std::uint16_t>(read(reg, 2)); }
    /// The first port of I/O base address register `index`; 0 while it has none or I/O is not enabled.
    [[nodiscard]] std::uint16_t io_base(unsigned index) const;

    void describe(StateArchive& archive);

private:
    using Space = std::array<std::uint8_t, 256>;
    Space initial_{};
    Space config_{};
    Space writable_{};
    Space clearable_{};
    WriteHandler on_write_;
};

} // namespace btvm
