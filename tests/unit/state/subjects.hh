// What is tested by restore_test.cc: each device of the machine, and its core, once.
#pragma once

#include <string>

#include "tests/unit/state/bench.hh"

namespace btvm::test {

/// Why nobody misses a field.
enum class Reason {
    /// It tells what the state belongs to: a state with another value is refused.
    Identity,
    /// As `text` says.
    Other
};

struct Unmissed {
    const char* field;
    Reason reason;
    const char* text = "";
};

struct Subject {
    const char* name;
    std::unique_ptr<Bench> (*make)();
    unsigned operations; ///< Of a sequence.
    unsigned seeds;      ///< Sequences.
    /// The fields that are tried, by how their paths begin: others that are there have a bench of their own.
    /// None: all.
    std::vector<std::string> fields;
    /// Fields that can be left out of the declaration with nobody seeing it. All others cannot, and these
    /// can.
    std::vector<Unmissed> unmissed;

    [[nodiscard]] bool tries(const std::string& path) const;
};

[[nodiscard]] const std::vector<Subject>& subjects();

std::unique_ptr<Bench> make_vga_bench();
std::unique_ptr<Bench> make_keyboard_bench();
std::unique_ptr<Bench> make_serial_bench();
std::unique_ptr<Bench> make_floppy_bench();
std::unique_ptr<Bench> make_dma_bench();
std::unique_ptr<Bench> make_pci_bench();
std::unique_ptr<Bench> make_power_bench();
std::unique_ptr<Bench> make_pic_bench();
std::unique_ptr<Bench> make_pit_bench();
std::unique_ptr<Bench> make_apic_bench();
std::unique_ptr<Bench> make_rtc_bench();
std::unique_ptr<Bench> make_disk_bench();
std::unique_ptr<Bench> make_cdrom_bench();
std::unique_ptr<Bench> make_ports_bench();
std::unique_ptr<Bench> make_processor_bench();

} // namespace btvm::test
