#include "tests/unit/state/subjects.hh"

#include <algorithm>

namespace btvm::test {

namespace {

constexpr Unmissed identity(const char* field) { return {field, Reason::Identity}; }
constexpr Unmissed other(const char* field, const char* text) { return {field, Reason::Other, text}; }

constexpr const char* kFarEnd = "what somebody else has sent is not the machine's";
constexpr const char* kFeature = "no command takes a feature of 16 bits, and register 1 reads as the error";
constexpr const char* kWired =
    "the AT wires the slave to IR2, whatever this says; for whoever looks at the state";
constexpr const char* kGateHigh = "the gates of channels 0 and 1 are tied high: only channel 2's has a port";
constexpr const char* kFixed = "what the machine was made with, which no instruction changes";
constexpr const char* kNoInterrupt = "rises are counted for channel 0, whose output is an interrupt line";

} // namespace

bool Subject::tries(const std::string& path) const {
    const auto begins = [&](const std::string& start) { return path.starts_with(start); };
    return fields.empty() || std::any_of(fields.begin(), fields.end(), begins);
}

const std::vector<Subject>& subjects() {
    static const std::vector<Subject> table{
        {"Vga", make_vga_bench, 700, 3, {}, {}},
        {"Keyboard", make_keyboard_bench, 1000, 3, {}, {}},
        {"Serial", make_serial_bench, 900, 3, {}, {other("serial0.under_way", kFarEnd)}},
        {"Floppy",
         make_floppy_bench,
         1100,
         3,
         {"fdc."},
         {identity("fdc.drives.0.type"), identity("fdc.drives.0.has_medium"),
          identity("fdc.drives.0.medium.kilobytes"), identity("fdc.drives.0.medium.snapshot"),
          identity("fdc.drives.0.medium.write_protected"), identity("fdc.drives.1.type"),
          identity("fdc.drives.1.has_medium"), identity("fdc.drives.1.medium.kilobytes"),
          identity("fdc.drives.1.medium.snapshot"), identity("fdc.drives.1.medium.write_protected")}},
        {"Dma", make_dma_bench, 600, 3, {}, {}},
        {"Pci", make_pci_bench, 800, 3, {}, {}},
        {"Power", make_power_bench, 700, 3, {}, {}},
        {"Pic",
         make_pic_bench,
         1200,
         3,
         {},
         {other("pic.master.icw3", kWired), other("pic.slave.icw3", kWired)}},
        {"Pit",
         make_pit_bench,
         700,
         3,
         {},
         {other("pit.channels.0.gate", kGateHigh), other("pit.channels.0.held_elapsed", kGateHigh),
          other("pit.channels.1.gate", kGateHigh), other("pit.channels.1.held_elapsed", kGateHigh),
          other("pit.channels.1.rises_at_load", kNoInterrupt),
          other("pit.channels.2.rises_at_load", kNoInterrupt)}},
        {"Apics", make_apic_bench, 1500, 3, {}, {}},
        {"Disk",
         make_disk_bench,
         800,
         3,
         {"ide0.master", "ide0.control", "ide0.slave_selected"},
         {identity("ide0.master_kind"), identity("ide0.master.image.sectors"),
          identity("ide0.master.image.snapshot"), other("ide0.master.features.previous", kFeature)}},
        {"Cdrom",
         make_cdrom_bench,
         800,
         3,
         {"ide0.slave"},
         {identity("ide0.slave_kind"), identity("ide0.slave.image.sectors"),
          identity("ide0.slave.image.snapshot"), other("ide0.slave.features.previous", kFeature)}},
        {"Rtc", make_rtc_bench, 800, 3, {}, {}},
        {"Ports", make_ports_bench, 600, 3, {}, {}},
        {"Processor",
         make_processor_bench,
         6000,
         3,
         {"cpu.", "core."},
         {other("cpu.apic_base", kFixed), other("cpu.features_basic", kFixed),
          other("cpu.features_extended", kFixed), other("cpu.mxcsr_mask", kFixed),
          other("cpu.ldtr.access",
                "the selector tells whether there is a table, and it is always of one type")}},
    };
    return table;
}

} // namespace btvm::test
