// A hard disk on an ATA cable (ATA/ATAPI-6): CHS, LBA28 and LBA48 addresses; PIO by sector and by block, DMA.
#pragma once

#include <future>
#include <memory>

#include "userland/devices/ata_device.hh"
#include "userland/devices/disk_geometry.hh"
#include "userland/devices/disk_image.hh"

namespace btvm {

class AtaDisk final : public AtaDevice {
public:
    /// `number` is 0 to 3, in the order of the machine's drives; the serial number follows from it. Throws
    /// DiskError if the image's first sector cannot be read.
    AtaDisk(AtaBus& bus, std::unique_ptr<DiskImage> image, unsigned number);

    [[nodiscard]] Kind kind() const override { return Kind::Disk; }
    void describe(StateArchive& archive) override;

    [[nodiscard]] const DiskImage& image() const { return *image_; }
    [[nodiscard]] DiskImage& image() { return *image_; }
    [[nodiscard]] const DiskGeometry& geometry() const { return geometry_; }
    [[nodiscard]] std::uint64_t sectors_read() const { return sectors_read_; }
    [[nodiscard]] std::uint64_t sectors_written() const { return sectors_written_; }

    /// Sectors that READ MULTIPLE and WRITE MULTIPLE can move at a time.
    static constexpr unsigned kMaxMultiple = 16;

protected:
    void execute() override;
    void block_read() override;
    void block_written() override;
    bool dma_fill(std::span<std::uint8_t> out) override;
    bool dma_take(std::span<const std::uint8_t> in) override;
    void dma_done() override;
    void poll() override;
    void reset_device(bool hardware) override;
    void set_signature() override;

private:
    enum class Power : std::uint8_t { Active = 0xff, Idle = 0x80, Standby = 0x00 };
    /// How a command says where and how much.
    enum class Form : std::uint8_t {
        Short, ///< CHS or LBA28, up to 256 sectors.
        Long   ///< LBA48, up to 65536 sectors.
    };

    // Commands (ata_disk_commands.cc).
    [[nodiscard]] bool execute_transfer();
    [[nodiscard]] bool execute_power();
    void execute_other();
    void identify();
    void read_native_max(Form form);
    void set_features();
    void set_multiple();
    void initialise_parameters();
    void flush();

    // Sectors (ata_disk.cc).
    /// Finds out what the registers address. False after fail(): it is not on the disk.
    [[nodiscard]] bool locate(Form form);
    void start_read(Form form, unsigned block);
    void start_write(Form form, unsigned block);
    void start_dma_transfer(Form form, bool to_memory);
    void verify(Form form);
    void seek();
    void offer_sectors();
    void request_sectors(bool with_interrupt);
    bool read_sectors(std::span<std::uint8_t> out);
    bool write_sectors(std::span<const std::uint8_t> in);
    [[nodiscard]] unsigned block_now() const;
    /// Puts the address of a sector into the registers, in the form the command has used.
    void show_address(std::uint64_t sector);
    void finish_transfer(bool with_interrupt = true);
    void fill_identity(std::span<std::uint8_t, kDiskSectorSize> out) const; // ata_identify.cc

    std::unique_ptr<DiskImage> image_;
    unsigned number_;
    DiskGeometry geometry_;        ///< The drive's own.
    std::uint8_t heads_{};         ///< Of the logical geometry: INITIALIZE DEVICE PARAMETERS.
    std::uint8_t track_{};         ///< Its sectors a track.
    std::uint8_t multiple_{};      ///< SET MULTIPLE MODE; 0: off.
    std::uint8_t transfer_mode_{}; ///< SET FEATURES, subcommand 03h: its count register.
    bool write_cache_{true};
    bool look_ahead_{true};
    Power power_{Power::Active};

    Form form_{Form::Short};
    std::uint64_t next_{};  ///< The next sector of the transfer that is on.
    std::uint32_t left_{};  ///< Sectors of it to go; the block in the buffer counted in.
    std::uint8_t block_{1}; ///< Sectors a block.
    bool identity_{};       ///< The block in the buffer is no sector.
    std::uint64_t sectors_read_{};
    std::uint64_t sectors_written_{};
    /// Of the FLUSH CACHE that is on: an error message, or nothing. Last, so that it ends before the image
    /// does.
    std::future<std::string> flushing_;
};

} // namespace btvm
