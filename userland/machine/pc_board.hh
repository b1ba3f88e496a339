// The board of the PC: its devices, how they are wired, and what is in its drives. For the files pc*.cc.
#pragma once

#include <array>
#include <map>
#include <string>

#include "userland/devices/acpi_pm.hh"
#include "userland/devices/ata_channel.hh"
#include "userland/devices/ata_disk.hh"
#include "userland/devices/atapi_cdrom.hh"
#include "userland/devices/dma.hh"
#include "userland/devices/fdc.hh"
#include "userland/devices/i8042.hh"
#include "userland/devices/pci_host.hh"
#include "userland/devices/piix_ide.hh"
#include "userland/devices/piix_isa.hh"
#include "userland/devices/rtc_cmos.hh"
#include "userland/devices/serial.hh"
#include "userland/devices/system_ports.hh"
#include "userland/devices/vga_text.hh"
#include "userland/machine/firmware_config.hh"
#include "userland/machine/frozen_machine.hh"
#include "userland/machine/image_digest.hh"
#include "userland/machine/machine_description.hh"
#include "userland/machine/media_snapshot.hh"
#include "userland/machine/pc.hh"
#include "userland/machine/power_port.hh"
#include "userland/machine/reset_control.hh"
#include "userland/machine/saved_machine.hh"

namespace btvm {

/// The devices. They live and die on the machine's side: only its thread touches them once it runs.
struct Pc::Board {
    VgaText vga;
    I8042 keyboard_controller;
    Rtc rtc;
    Serial serial;
    SystemPorts system_ports;
    DebugConsole debug_console;
    PowerPort power_port;
    ResetControl reset_control;
    PciHost pci_host;
    PiixIsa isa_bridge;
    PiixIde ide;
    AcpiPm power_management;
    std::array<AtaChannel, 2> channels;
    Dma dma;
    Fdc fdc;
    FirmwareConfig firmware_config;
    std::array<FloppyConfig, kFloppyDrives> floppies; ///< What is in the drives.
    bool layered{};                                   ///< begin_layers() has been called.
    /// Layered: every floppy that has been in a drive since. Their files stay open and locked.
    std::vector<std::shared_ptr<FloppyImage>> shelf;

    using Tell = std::function<void(const std::string&)>;
    /// `tell` gets what the user should know of images that are opened, also later.
    Board(Machine& machine, const PcConfig& config, Tell tell);
    /// Of an image just opened, which is passed on.
    template <class ImagePointer>
    ImagePointer told(ImagePointer image) {
        if (!image->notice().empty()) tell_(image->notice());
        return image;
    }

    // Floppy drives (pc_board.cc).
    void insert_first(unsigned drive, const FloppyConfig& floppy);
    void insert(unsigned drive, const FloppyConfig& floppy);
    void eject(unsigned drive);
    [[nodiscard]] FloppyStatus floppy_status(unsigned drive) const;

    /// Opens an image, or takes it from the shelf.
    [[nodiscard]] std::shared_ptr<FloppyImage> open_floppy(const FloppyConfig& floppy);

    // IDE drives (pc_drives.cc); `number` is 0 to 3.
    void attach(unsigned number, const DriveConfig& drive);
    /// The disk on an IDE channel, or null.
    [[nodiscard]] AtaDisk* disk(unsigned number);
    [[nodiscard]] AtapiCdrom* cdrom(unsigned number);
    void change_cdrom(const std::string& path);
    void flush_disks();
    [[nodiscard]] DriveStatus drive_status(unsigned number);
    /// What the setup program of such a machine would have written.
    [[nodiscard]] CmosSetup cmos_setup(const PcConfig& config);
    [[nodiscard]] std::uint8_t translations();

    void set_clock(const ClockConfig& clock);

    // Saved machines (pc_media.cc).
    /// What is in the drives, and of which content; images are read where their digests are not known yet.
    [[nodiscard]] std::vector<MediumDescription> describe_media();
    static constexpr unsigned kSlots = kFloppyDrives + kAtaDrives;
    [[nodiscard]] MediumDescription describe(const FloppyImage& floppy, bool write_protect);
    [[nodiscard]] MediumDescription describe(const DiskImage& disc); ///< Of a CD-ROM drive.
    /// What reads an image ahead for these, with "give up" as its argument: to be called on any thread, and
    /// to be destroyed on this one. None: nothing is there.
    using Reading = std::function<void(const std::atomic<bool>&)>;
    [[nodiscard]] Reading read_ahead(unsigned slot);
    template <class Image>
    [[nodiscard]] Reading read_ahead(std::shared_ptr<Image> image);
    /// Everything of a frozen machine that is of media; may throw what describe_media() throws.
    void freeze_media(FrozenMachine& frozen);
    /// Refuses a medium that is not the one that the state was made with.
    void check_media(const MachineDescription& was);
    void restore_changes(const SavedMachine& saved);

    // Checkpoints (pc_layers.cc).
    /// From now on what the guest writes stays in memory, and images in `shelf` can be taken back. Throws
    /// FloppyError or DiskError.
    void begin_layers();
    [[nodiscard]] MediaSnapshot take_media();
    void put_media(const MediaSnapshot& snapshot);
    /// Writes what is kept of the guest's writes into the images, as they are now. `snapshots` go on to show
    /// what they showed. Throws FloppyError or DiskError; those before the one that failed are written then.
    std::vector<CommittedImage> commit(std::span<MediaSnapshot* const> snapshots);
    std::vector<CommittedImage> committed; ///< By all commits, each image once.

private:
    Tell tell_;
    /// Calls f(slot's name, image) with what is in a slot as a shared pointer, if there is something.
    template <class F>
    void with_image(unsigned slot, F f);
    template <class Image>
    [[nodiscard]] MediumDescription describe_image(const char* kind, const Image& image);
    std::map<std::uint64_t, ImageDigest> digests_; ///< By the image's write log.
};

} // namespace btvm
