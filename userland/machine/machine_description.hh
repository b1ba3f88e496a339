// What a saved machine was made of: the section "machine" of a state, which says what to build before the
// rest can be put into it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "userland/devices/state.hh"
#include "userland/state/checksum.hh"

namespace btvm {

inline constexpr const char* kMachineSection = "machine";

/// A medium that was in a drive.
struct MediumDescription {
    std::string slot; ///< "fda", "fdb", "hda" to "hdd".
    std::string kind; ///< "floppy", "disk" or "cdrom".
    std::string path;
    bool snapshot{}; ///< What the guest wrote is in the state; the image is as it was.
    bool write_protect{};
    std::uint64_t bytes{}; ///< The image's size...
    Digest digest{};       ///< ... and its digest (image_digest.hh).

    void describe(StateArchive& archive);
};

struct MachineDescription {
    std::string program; ///< What wrote it, with its version.
    std::string name;
    std::string engine;
    std::uint64_t saved_at{}; ///< Seconds since 1970, by the host's clock.
    GuestTime guest_time{};
    bool paused{};
    std::uint64_t resets{};
    std::uint32_t ram_mib{};
    std::string system_bios, video_bios; ///< Where they were loaded from; they are in the state.
    bool firmware_writable{};
    std::array<std::uint8_t, 2> floppy_drives{}; ///< Their types as in the CMOS, 0: none.
    std::array<std::uint8_t, 4> ide_drives{};    ///< 0 none, 1 disk, 2 CD-ROM.
    bool apic{};                                 ///< It has a local APIC and an I/O APIC.
    std::string serial;                          ///< What COM1 was connected to, as --serial has it.
    std::vector<MediumDescription> media;
    /// The identity of the state that this one was made from, whose pages it then leaves out; empty: of none.
    std::vector<std::uint8_t> parent;

    void describe(StateArchive& archive);
    [[nodiscard]] const MediumDescription* medium(std::string_view slot) const;
};

/// The slots in the order of the machine's drives.
inline constexpr std::array<const char*, 2> kFloppySlots{"fda", "fdb"};
inline constexpr std::array<const char*, 4> kIdeSlots{"hda", "hdb", "hdc", "hdd"};

} // namespace btvm
