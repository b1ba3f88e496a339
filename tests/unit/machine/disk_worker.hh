// A guest that works a disk, for machines that are saved and taken back in the middle of it; and what such
// tests look at.
#pragma once

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/unit/machine/tiny_bios.hh"
#include "userland/machine/pc.hh"
#include "userland/machine/saved_machine.hh"
#include "userland/state/page_runs.hh"
#include "userland/state/state_reader.hh"

namespace btvm {

/// Writes sectors 0 to 199 of the first disk by REP OUTSW, each filled with the word 1234h + its number,
/// reads each back by REP INSW and adds its words up at 0:600h, while the timer interrupts a thousand times a
/// second and counts at 0:606h. At the end AAh goes to 0:604h, and it halts with interrupts off.
inline const std::vector<std::uint8_t> kWorker{
    // cli; ds = es = ss = 0; sp = 7000h; the handler's vector; the PIC; channel 0 at 1 kHz; sti
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xc7, 0x06, 0x80, 0x00,
    0xc3, 0x00, 0xc7, 0x06, 0x82, 0x00, 0x00, 0xf0, 0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21,
    0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0, 0xfe, 0xe6, 0x21, 0xb0, 0x34, 0xe6, 0x43,
    0xb0, 0xa9, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40, 0xfb, 0xfc, 0x31, 0xed, 0xbf, 0x00, 0x10, 0xb9,
    0x00, 0x01, 0x89, 0xe8, 0x05, 0x34, 0x12, 0xf3, 0xab, 0xb3, 0x30, 0xe8, 0x44, 0x00, 0xe8, 0x5c,
    0x00, 0xba, 0xf0, 0x01, 0xbe, 0x00, 0x10, 0xb9, 0x00, 0x01, 0xf3, 0x6f, 0xe8, 0x5b, 0x00, 0xb3,
    0x20, 0xe8, 0x2e, 0x00, 0xe8, 0x46, 0x00, 0xba, 0xf0, 0x01, 0xbf, 0x00, 0x20, 0xb9, 0x00, 0x01,
    0xf3, 0x6d, 0xbe, 0x00, 0x20, 0xb9, 0x00, 0x01, 0xad, 0x01, 0x06, 0x00, 0x06, 0x83, 0x16, 0x02,
    0x06, 0x00, 0xe2, 0xf4, 0x45, 0x81, 0xfd, 0xc8, 0x00, 0x75, 0xb1, 0xc6, 0x06, 0x04, 0x06, 0xaa,
    0xfa, 0xf4, 0xba, 0xf2, 0x01, 0xb0, 0x01, 0xee, 0x42, 0x89, 0xe8, 0xee, 0x42, 0x88, 0xe0, 0xee,
    0x42, 0x30, 0xc0, 0xee, 0x42, 0xb0, 0xe0, 0xee, 0x42, 0x88, 0xd8, 0xee, 0xc3, 0xba, 0xf7, 0x01,
    0xec, 0xa8, 0x80, 0x75, 0xfb, 0xa8, 0x08, 0x74, 0xf7, 0xc3, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80,
    0x75, 0xfb, 0xc3, 0x50, 0xff, 0x06, 0x06, 0x06, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf,
};
inline constexpr unsigned kSectors = 200;

/// A machine whose firmware is `code`, with 2 MiB of memory and one disk.
inline PcConfig worker_config(const std::vector<std::uint8_t>& code, const std::string& disk, bool snapshot) {
    PcConfig config;
    config.name = "worker";
    config.engine_choice = EngineChoice::Interpreter;
    config.ram_mib = 2;
    config.firmware.system_bios = tiny_bios(code);
    config.drives[0] = {DriveConfig::Kind::Disk, disk, snapshot, std::nullopt};
    return config;
}

/// The interpreter's machine that was saved to this file, as it was then; it stands still.
inline std::unique_ptr<Pc> restored_pc(const std::string& file) {
    const SavedMachine saved(file);
    PcConfig config;
    config.engine_choice = EngineChoice::Interpreter;
    saved.configure(config, {});
    auto pc = std::make_unique<Pc>(config);
    pc->restore(saved);
    return pc;
}

/// Makes an image of a 1.44 MB floppy, and gives its path.
inline std::string make_floppy(const std::string& path) {
    std::ofstream(path, std::ios::binary).write("floppy", 6);
    std::filesystem::resize_file(path, 1440 * 1024);
    return path;
}

/// Waits for the state, not for ever: false if it does not come.
inline bool reaches(const Pc& pc, MachineState state, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (pc.state() != state && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return pc.state() == state;
}

inline bool halts(const Pc& pc) { return reaches(pc, MachineState::Halted, std::chrono::seconds(60)); }

/// A number of 1 to 4 bytes.
inline std::uint32_t load(const std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes[at], size);
    return value;
}

namespace test {

/// What a state holds of memory, or of a medium over what is in its image.
inline std::vector<std::uint8_t> content(const StateReader& reader, const std::string& name,
                                         const std::vector<std::uint8_t>& image = {}) {
    const std::vector<std::uint8_t> payload = reader.payload(reader.get(name, state_format::Type::Pages));
    const PageSet set = page_set(payload, name);
    std::vector<std::uint8_t> bytes;
    if (set.base == PageBase::Image) bytes = image;
    bytes.resize(set.units() * set.unit);
    decode_pages(payload, name, [&](std::uint64_t index, std::span<const std::uint8_t> units) {
        std::copy(units.begin(), units.end(), bytes.begin() + static_cast<std::ptrdiff_t>(index * set.unit));
    });
    bytes.resize(set.size);
    return bytes;
}

} // namespace test

} // namespace btvm
