#include "userland/machine/smbios_tables.hh"

#include <algorithm>
#include <string_view>

namespace btvm {

namespace {

using Bytes = std::vector<std::uint8_t>;

/// One structure: header and formatted area, field by field in the order of the specification, then the
/// strings that fields have named (6.1).
class Structure {
public:
    Structure(std::uint8_t type, std::uint16_t handle) {
        byte(type).byte(0).word(handle); // the length comes last
    }

    Structure& byte(std::uint32_t value) { return number(value, 1); }
    Structure& word(std::uint32_t value) { return number(value, 2); }
    Structure& dword(std::uint32_t value) { return number(value, 4); }
    Structure& zeros(std::size_t count) {
        formatted_.resize(formatted_.size() + count);
        return *this;
    }
    /// The field is the string's number; "not specified" is number 0.
    Structure& text(std::string_view string) {
        strings_.insert(strings_.end(), string.begin(), string.end());
        strings_.push_back(0);
        return byte(++texts_);
    }

    [[nodiscard]] Bytes take() {
        formatted_[1] = static_cast<std::uint8_t>(formatted_.size());
        if (strings_.empty()) strings_.push_back(0);
        strings_.push_back(0);
        formatted_.insert(formatted_.end(), strings_.begin(), strings_.end());
        return std::move(formatted_);
    }

private:
    Structure& number(std::uint32_t value, unsigned size) {
        for (unsigned i = 0; i < size; i++)
            formatted_.push_back(static_cast<std::uint8_t>(value >> 8 * i));
        return *this;
    }

    Bytes formatted_, strings_;
    std::uint32_t texts_{};
};

constexpr std::uint32_t kNotSpecified = 0, kOther = 1, kSafe = 3;
constexpr std::uint32_t kNoHandle = 0xffff, kNoErrors = 0xfffe;
constexpr std::uint16_t kSystemHandle = 0x100, kEnclosureHandle = 0x300, kProcessorHandle = 0x400,
                        kArrayHandle = 0x1000, kModuleHandle = 0x1100, kRangeHandle = 0x1300,
                        kBootHandle = 0x2000, kEndHandle = 0x7f00;

Bytes system_information() { // 7.2
    constexpr std::uint32_t kPowerSwitch = 6;
    return Structure(1, kSystemHandle)
        .text("btvm")        // manufacturer
        .text("440FX PC")    // product
        .byte(kNotSpecified) // version
        .byte(kNotSpecified) // serial number
        .zeros(16)           // UUID: none
        .byte(kPowerSwitch)  // what woke it
        .byte(kNotSpecified) // SKU number
        .byte(kNotSpecified) // family
        .take();
}

Bytes enclosure() { // 7.4
    constexpr std::uint32_t kNoSecurity = 3;
    return Structure(3, kEnclosureHandle)
        .text("btvm")        // manufacturer
        .byte(kOther)        // type
        .byte(kNotSpecified) // version
        .byte(kNotSpecified) // serial number
        .byte(kNotSpecified) // asset tag
        .byte(kSafe)
        .byte(kSafe)
        .byte(kSafe) // at boot, power supply, thermal
        .byte(kNoSecurity)
        .zeros(4 + 2 + 2) // for the maker, height, power cords, what it contains
        .take();
}

Bytes processor() { // 7.5
    constexpr std::uint32_t kCentral = 3, kPresentAndEnabled = 0x41;
    return Structure(4, kProcessorHandle)
        .text("CPU 0")
        .byte(kCentral)
        .byte(kOther)         // family
        .byte(kNotSpecified)  // manufacturer; CPUID tells it
        .zeros(8)             // CPUID
        .byte(kNotSpecified)  // version
        .zeros(1 + 2 + 2 + 2) // voltage, clocks: unknown
        .byte(kPresentAndEnabled)
        .byte(kOther) // socket
        .word(kNoHandle)
        .word(kNoHandle)
        .word(kNoHandle)     // caches
        .byte(kNotSpecified) // serial number
        .byte(kNotSpecified) // asset tag
        .byte(kNotSpecified) // part number
        .take();
}

Bytes memory_array(unsigned ram_mib) { // 7.17
    constexpr std::uint32_t kSystemBoard = 3, kSystemMemory = 3, kNoCorrection = 3;
    return Structure(16, kArrayHandle)
        .byte(kSystemBoard)
        .byte(kSystemMemory)
        .byte(kNoCorrection)
        .dword(ram_mib * 1024) // capacity in KiB
        .word(kNoErrors)
        .word(1) // modules
        .take();
}

Bytes memory_module(unsigned ram_mib) { // 7.18
    constexpr std::uint32_t kUnknownWidth = 0xffff, kDimm = 9, kRam = 7, kOtherDetail = 1 << 1;
    return Structure(17, kModuleHandle)
        .word(kArrayHandle)
        .word(kNoErrors)
        .word(kUnknownWidth) // with check bits
        .word(kUnknownWidth) // without
        .word(ram_mib)
        .byte(kDimm)
        .byte(0) // not one of a set
        .text("DIMM 0")
        .byte(kNotSpecified) // bank
        .byte(kRam)
        .word(kOtherDetail)
        .word(0)             // speed: unknown
        .byte(kNotSpecified) // manufacturer
        .byte(kNotSpecified) // serial number
        .byte(kNotSpecified) // asset tag
        .byte(kNotSpecified) // part number
        .take();
}

Bytes mapped_range(unsigned ram_mib) { // 7.20
    return Structure(19, kRangeHandle)
        .dword(0)                  // first KiB
        .dword(ram_mib * 1024 - 1) // last KiB
        .word(kArrayHandle)
        .byte(1) // modules that share it
        .take();
}

Bytes boot_information() {                                     // 7.33
    return Structure(32, kBootHandle).zeros(6).byte(0).take(); // no errors detected
}

Bytes end_of_table() { return Structure(127, kEndHandle).take(); } // 7.45

} // namespace

std::vector<FirmwareFile> smbios_firmware_files(unsigned ram_mib) {
    const std::vector<Bytes> structures{
        system_information(),   enclosure(),           processor(),        memory_array(ram_mib),
        memory_module(ram_mib), mapped_range(ram_mib), boot_information(), end_of_table()};
    Bytes tables;
    std::size_t largest = 0;
    for (const Bytes& structure : structures) {
        largest = std::max(largest, structure.size());
        tables.insert(tables.end(), structure.begin(), structure.end());
    }
    constexpr std::string_view kAnchor = "_SM_", kIntermediateAnchor = "_DMI_";
    constexpr std::uint8_t kEntryPointSize = 0x1f, kMajor = 2, kMinor = 4;
    const auto low = [](std::size_t value) { return static_cast<std::uint8_t>(value); };
    const auto high = [](std::size_t value) { return static_cast<std::uint8_t>(value >> 8); };
    // 5.2.1; the checksums and the address of the structures are SeaBIOS's.
    Bytes entry(kAnchor.begin(), kAnchor.end());
    entry.insert(entry.end(),
                 {0, kEntryPointSize, kMajor, kMinor, low(largest), high(largest), 0, 0, 0, 0, 0, 0});
    entry.insert(entry.end(), kIntermediateAnchor.begin(), kIntermediateAnchor.end());
    entry.insert(entry.end(), {0, low(tables.size()), high(tables.size()), 0, 0, 0, 0, low(structures.size()),
                               high(structures.size()), kMajor << 4 | kMinor});
    return {{"etc/smbios/smbios-anchor", entry}, {"etc/smbios/smbios-tables", tables}};
}

} // namespace btvm
