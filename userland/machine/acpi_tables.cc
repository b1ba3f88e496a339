#include "userland/machine/acpi_tables.hh"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "userland/machine/acpi_dsdt.hh"

namespace btvm {

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr const char* kTablesFile = "etc/acpi/tables";
constexpr const char* kPointerFile = "etc/acpi/rsdp";
constexpr const char* kScriptFile = "etc/table-loader";

constexpr std::size_t kHeaderSize = 36;
constexpr std::size_t kFacsSize = 64;
constexpr std::size_t kFadtSize = 116; // of ACPI 1.0
constexpr std::size_t kRsdpSize = 20;
constexpr std::uint32_t kChecksumInHeader = 9;
constexpr std::uint32_t kChecksumInRsdp = 8;

void put(Bytes& to, std::size_t at, std::uint32_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to.at(at + i) = static_cast<std::uint8_t>(value >> 8 * i);
}

void put_text(Bytes& to, std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}

/// A table with its header (ACPI 2.0, 5.2.5), its checksum still to come.
Bytes table(std::string_view signature, std::size_t size) {
    Bytes out(size);
    put_text(out, 0, signature);
    put(out, 4, static_cast<std::uint32_t>(size), 4);
    out[8] = 1; // revision
    put_text(out, 10, "BTVM");
    put_text(out, 16, "BTVMPC");
    put(out, 24, 1, 4);
    put_text(out, 28, "BTVM");
    put(out, 32, 1, 4);
    return out;
}

/// The fixed hardware (ACPI 1.0b, 5.2.5); its pointers to FACS (36) and DSDT (40) are filled in by the
/// script.
Bytes make_fadt() {
    constexpr std::uint32_t kFlushWorks = 1 << 0, kHaltWorks = 1 << 2, kNoSleepButton = 1 << 5;
    Bytes out = table("FACP", kFadtSize);
    put(out, 46, 9, 2);                  // the SCI's interrupt
    put(out, 48, 0xb2, 4);               // the port that switches ACPI
    put(out, 52, 0xf1, 1);               // on
    put(out, 53, 0xf0, 1);               // off
    put(out, 56, kAcpiPmBase, 4);        // PM1 events
    put(out, 64, kAcpiPmBase + 0x04, 4); // PM1 control
    put(out, 76, kAcpiPmBase + 0x08, 4); // timer
    put(out, 80, 0xafe0, 4);             // general-purpose events
    put(out, 88, 4, 1);                  // bytes of these
    put(out, 89, 2, 1);
    put(out, 91, 4, 1);
    put(out, 92, 4, 1);
    put(out, 96, 0xfff, 2); // no C2
    put(out, 98, 0xfff, 2); // no C3
    put(out, 108, 0x32, 1); // the century in CMOS
    put(out, 112, kFlushWorks | kHaltWorks | kNoSleepButton, 4);
    return out;
}

/// The interrupt controllers (ACPI 2.0, 5.2.10.4): one processor, one I/O APIC, and which of the ISA's
/// interrupts are not as an ISA's are.
Bytes make_madt() {
    constexpr std::uint32_t kLocalApic = 0xfee00000, kIoApic = 0xfec00000;
    constexpr std::uint32_t kHas8259 = 1, kEnabled = 1;
    constexpr std::uint8_t kTimerPin = 2, kSci = 9;
    constexpr std::uint8_t kActiveHighLevel = 0x0d, kAllProcessors = 0xff, kNmiPin = 1;
    const Bytes entries{0,    8,         0,
                        0,    kEnabled,  0,
                        0,    0, // processor 0 is local APIC 0
                        1,    12,        0,
                        0,    0,         0,
                        0,    0,         0,
                        0,    0,         0, // I/O APIC 0
                        2,    10,        0,
                        0,    kTimerPin, 0,
                        0,    0,         0,
                        0, // ISA interrupt 0
                        2,    10,        0,
                        kSci, kSci,      0,
                        0,    0,         kActiveHighLevel,
                        0, // ISA interrupt 9
                        4,    6,         kAllProcessors,
                        0,    0,         kNmiPin}; // the NMI
    constexpr std::size_t kFixed = kHeaderSize + 8, kIoApicAddress = kFixed + 8 + 4;
    Bytes out = table("APIC", kFixed);
    out.insert(out.end(), entries.begin(), entries.end());
    put(out, 4, static_cast<std::uint32_t>(out.size()), 4);
    put(out, kHeaderSize, kLocalApic, 4);
    put(out, kHeaderSize + 4, kHas8259, 4);
    put(out, kIoApicAddress, kIoApic, 4);
    return out;
}

/// The commands of the loader, 128 bytes each.
class Script {
public:
    enum Zone : std::uint8_t { High = 1, FSegment = 2 };

    void allocate(const char* file, std::uint32_t align, Zone zone) {
        Bytes entry = make(1, file);
        put(entry, 60, align, 4);
        entry[64] = zone;
        append(entry);
    }
    /// Adds the address of `source` to the 32 bits at `offset` of `file`.
    void add_pointer(const char* file, std::uint32_t offset, const char* source) {
        Bytes entry = make(2, file);
        put_text(entry, 60, source);
        put(entry, 116, offset, 4);
        entry[120] = 4;
        append(entry);
    }
    void add_checksum(const char* file, std::uint32_t offset, std::uint32_t start, std::size_t size) {
        Bytes entry = make(3, file);
        put(entry, 60, offset, 4);
        put(entry, 64, start, 4);
        put(entry, 68, static_cast<std::uint32_t>(size), 4);
        append(entry);
    }
    [[nodiscard]] Bytes take() { return std::move(script_); }

private:
    static Bytes make(std::uint32_t command, const char* file) {
        Bytes entry(128);
        put(entry, 0, command, 4);
        put_text(entry, 4, file);
        return entry;
    }
    void append(const Bytes& entry) { script_.insert(script_.end(), entry.begin(), entry.end()); }

    Bytes script_;
};

} // namespace

std::vector<FirmwareFile> acpi_firmware_files(bool apic) {
    Bytes facs(kFacsSize); // has neither revision nor checksum
    put_text(facs, 0, "FACS");
    put(facs, 4, kFacsSize, 4);

    Bytes tables;
    const auto append = [&tables](const Bytes& more) {
        const auto at = static_cast<std::uint32_t>(tables.size());
        tables.insert(tables.end(), more.begin(), more.end());
        return at;
    };
    const std::uint32_t facs_at = append(facs);
    const std::uint32_t dsdt_at = append(Bytes(std::begin(kAcpiDsdt), std::end(kAcpiDsdt)));
    const std::uint32_t fadt_at = append(make_fadt());
    const Bytes madt = apic ? make_madt() : Bytes();
    const std::uint32_t madt_at = append(madt);
    const std::size_t rsdt_size = kHeaderSize + (apic ? 8 : 4);
    const std::uint32_t rsdt_at = append(table("RSDT", rsdt_size));
    // Pointers hold the offset in the file; the script adds the file's address.
    put(tables, fadt_at + 36, facs_at, 4);
    put(tables, fadt_at + 40, dsdt_at, 4);
    put(tables, rsdt_at + kHeaderSize, fadt_at, 4);
    if (apic) put(tables, rsdt_at + kHeaderSize + 4, madt_at, 4);
    Bytes rsdp(kRsdpSize);
    put_text(rsdp, 0, "RSD PTR ");
    put_text(rsdp, 9, "BTVM  ");
    put(rsdp, 16, rsdt_at, 4);

    Script script;
    script.allocate(kPointerFile, 16, Script::FSegment);
    script.allocate(kTablesFile, 64, Script::High);
    script.add_pointer(kTablesFile, fadt_at + 36, kTablesFile);
    script.add_pointer(kTablesFile, fadt_at + 40, kTablesFile);
    script.add_checksum(kTablesFile, fadt_at + kChecksumInHeader, fadt_at, kFadtSize);
    if (apic) {
        script.add_checksum(kTablesFile, madt_at + kChecksumInHeader, madt_at, madt.size());
        script.add_pointer(kTablesFile, rsdt_at + kHeaderSize + 4, kTablesFile);
    }
    script.add_pointer(kTablesFile, rsdt_at + kHeaderSize, kTablesFile);
    script.add_checksum(kTablesFile, rsdt_at + kChecksumInHeader, rsdt_at, rsdt_size);
    script.add_pointer(kPointerFile, 16, kTablesFile);
    script.add_checksum(kPointerFile, kChecksumInRsdp, 0, kRsdpSize);
    return {{kPointerFile, rsdp}, {kTablesFile, tables}, {kScriptFile, script.take()}};
}

} // namespace btvm
