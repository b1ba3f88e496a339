// A CD-ROM drive on an ATA cable: packet commands (ATA/ATAPI-6, PACKET feature set; SCSI MMC-2 for what is in
// the packets), reading only, data tracks only.
#pragma once

#include <array>
#include <memory>

#include "userland/devices/ata_device.hh"
#include "userland/devices/disk_image.hh"

namespace btvm {

inline constexpr std::size_t kCdSectorSize = 2048;

class AtapiCdrom final : public AtaDevice {
public:
    /// `image` may be null: an empty drive. `number` is 0 to 3, as with disks.
    AtapiCdrom(AtaBus& bus, std::shared_ptr<DiskImage> image, unsigned number);

    [[nodiscard]] Kind kind() const override { return Kind::CdRom; }
    void describe(StateArchive& archive) override;

    /// Opens an image as a CD-ROM. Throws DiskError.
    [[nodiscard]] static std::shared_ptr<DiskImage> open(const std::string& path);
    [[nodiscard]] const DiskImage* medium() const { return image_.get(); }
    /// The guest has locked the tray.
    [[nodiscard]] bool locked() const { return locked_; }
    /// Somebody presses the eject button or puts another disc in (null: none). The guest is told.
    void change(std::shared_ptr<DiskImage> image);
    /// For going back to an earlier state, which is loaded next: changes the disc and nothing else.
    void put_medium(std::shared_ptr<DiskImage> image) { image_ = std::move(image); }
    [[nodiscard]] std::shared_ptr<DiskImage> share_medium() const { return image_; }
    /// Somebody presses the button of a locked drive: the guest is asked.
    void request_eject() { eject_requested_ = true; }
    [[nodiscard]] std::uint64_t sectors_read() const { return sectors_read_; }

protected:
    void execute() override;
    void block_read() override;
    void block_written() override;
    bool dma_fill(std::span<std::uint8_t> out) override;
    bool dma_take(std::span<const std::uint8_t>) override { return true; } // nothing is written
    void dma_done() override { finish(); }
    void reset_device(bool hardware) override;
    void set_signature() override;
    [[nodiscard]] bool interrupts_busy(std::uint8_t command) const override;

private:
    static constexpr std::size_t kPacketSize = 12;

    /// Sense key with additional code and qualifier (MMC-2, table of sense codes).
    struct Sense {
        std::uint8_t key{};
        std::uint8_t code{};
        std::uint8_t qualifier{};
        void describe(StateArchive& archive);
    };

    // ATA side (atapi_cdrom.cc).
    void identify();
    void start_packet();
    void finish();
    void check_condition(Sense sense);
    void send_reply(std::vector<std::uint8_t> reply, std::size_t allocation);
    void send_sectors(std::uint32_t first, std::uint32_t count);
    void start_sending();
    void offer_chunk();
    [[nodiscard]] bool load_sectors();

    // Packets (atapi_commands.cc).
    void execute_packet();
    [[nodiscard]] bool ready_for(std::uint8_t operation);
    [[nodiscard]] std::uint32_t packet16(unsigned at) const;
    [[nodiscard]] std::uint32_t packet32(unsigned at) const;
    [[nodiscard]] std::uint32_t capacity() const;
    void read(std::uint32_t first, std::uint32_t count);
    void inquiry();
    void request_sense();
    void start_stop();
    void read_capacity();
    void read_toc();
    void get_configuration();
    void get_event();
    void mode_sense();
    void disc_information();
    void mechanism_status();
    void read_cd();

    std::shared_ptr<DiskImage> image_;
    unsigned number_;
    std::array<std::uint8_t, kPacketSize> packet_{};
    bool packet_expected_{};     ///< The block that the guest writes is a packet.
    bool identity_{};            ///< The block that it reads is IDENTIFY PACKET DEVICE's.
    Sense sense_{};              ///< Of the last command that failed.
    std::uint8_t media_event_{}; ///< For GET EVENT STATUS: 0 nothing, 2 new medium, 3 medium gone.
    bool medium_changed_{};      ///< Unit attention is due.
    bool eject_requested_{};
    bool locked_{};
    bool tray_open_{};
    std::uint8_t transfer_mode_{};
    std::uint32_t limit_{};          ///< Bytes a block, at most.
    std::vector<std::uint8_t> data_; ///< What is being sent: a reply, or sectors already read.
    std::uint32_t data_at_{};
    std::uint32_t next_sector_{}; ///< Sectors still to be sent.
    std::uint32_t sectors_left_{};
    std::uint64_t sectors_read_{};
};

} // namespace btvm
