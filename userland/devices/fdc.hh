// The floppy disk controller: an Intel 82077AA in AT mode (datasheet, order number 290166) at ports 3F0h to
// 3F5h and 3F7h, interrupt line 6, DMA channel 2, with two drives.
//
// Times are short but never zero, so that software sees the same order of events as on hardware: about 100 us
// a sector, up to 4 ms a seek. A transfer from a drive that has no medium, or whose motor is off, never ends:
// without index pulses the controller waits until it is reset, and software's own timeout is what ends it.
//
// Where what is in fdc: fdc.cc registers, phases and interrupts; fdc_commands.cc the command set and all that
// does not touch data; fdc_transfer.cc sectors; fdc_drive.cc the drives.
#pragma once

#include <functional>
#include <string>

#include "userland/devices/dma.hh"
#include "userland/devices/fdc_drive.hh"

namespace btvm {

class Fdc final : public Device {
public:
    static constexpr unsigned kDrives = 2;
    static constexpr unsigned kIrq = 6;
    static constexpr unsigned kDmaChannel = 2;

    Fdc(Platform& platform, Dma& dma) : Device(platform), dma_(dma) {}

    [[nodiscard]] std::string_view name() const override { return "fdc"; }
    [[nodiscard]] std::vector<PortRange> ports() const override { return {{0x3f0, 6}, {0x3f7, 1}}; }
    void reset() override;
    std::uint32_t read(std::uint16_t port, unsigned size) override;
    void write(std::uint16_t port, unsigned size, std::uint32_t value) override;
    [[nodiscard]] std::optional<GuestTime> deadline() const override;
    void run_until(GuestTime now) override;
    void describe(StateArchive& archive) override;

    // For the front end; `drive` is 0 or 1.

    /// The type of a drive, FloppyDriveType::None as long as there is none. What firmware finds in CMOS is
    /// the same.
    [[nodiscard]] FloppyDriveType drive_type(unsigned drive) const { return drives_.at(drive).type(); }
    void set_drive_type(unsigned drive, FloppyDriveType type);
    /// Puts a medium in. A drive without a type becomes one that takes it. Throws FloppyError if the medium
    /// does not fit the drive, or one is in it.
    void insert(unsigned drive, std::shared_ptr<FloppyImage> image);
    /// Takes the medium out, flushed to the host's disk; null if there is none. A host error on the way is
    /// reported to the message handler. A transfer in progress hangs, as when a hand does it.
    std::shared_ptr<FloppyImage> eject(unsigned drive);
    /// Flushes both media. Errors go to the message handler.
    void flush();
    [[nodiscard]] const FloppyImage* medium(unsigned drive) const { return drives_.at(drive).medium(); }
    [[nodiscard]] FloppyImage* medium(unsigned drive) { return drives_.at(drive).medium(); }
    /// For going back to an earlier state, which is loaded next: changes the medium, or takes it out, and
    /// nothing else.
    void put_medium(unsigned drive, std::shared_ptr<FloppyImage> image) {
        drives_.at(drive).put(std::move(image));
    }
    [[nodiscard]] std::shared_ptr<FloppyImage> share_medium(unsigned drive) const {
        return drives_.at(drive).share();
    }

    struct Activity {
        bool motor;          ///< Is on.
        bool selected;       ///< The drive's light is on.
        unsigned cylinder;   ///< Where its head is.
        std::uint64_t reads; ///< Sectors since the machine was made.
        std::uint64_t writes;
    };
    [[nodiscard]] Activity activity(unsigned drive) const;
    /// Where messages for the user go: host I/O errors, and formats an image cannot hold.
    void set_message_handler(std::function<void(const std::string&)> handler) {
        message_ = std::move(handler);
    }

private:
    enum class Phase : std::uint8_t { Command, Execution, Result };
    enum class Operation : std::uint8_t {
        None,
        Read,  ///< Also deleted data and whole tracks.
        Write, ///< Also deleted data.
        Verify,
        Scan,
        Format,
        ReadId
    };
    /// Bytes of commands and results: the longest have nine and ten (table "Command Set Summary").
    static constexpr std::size_t kMaxCommand = 9;
    static constexpr std::size_t kMaxResult = 10;
    static constexpr unsigned kAddressable = 4; ///< Drives a command can name; 2 and 3 are not there.

    /// An executing command that touches the medium.
    struct Transfer {
        Operation operation{Operation::None};
        std::uint8_t drive{};
        std::uint8_t head{};             ///< The side being read, HDS of the command at first.
        std::uint8_t c{}, h{}, r{}, n{}; ///< The sector wanted next, as the result phase reports it.
        std::uint8_t eot{};
        std::uint8_t step{1};   ///< Scan: 1 or 2. Others: 1.
        std::uint16_t left{};   ///< Verify with EC, Format, Read Track: sectors to go. 0 if EOT decides.
        std::uint8_t fill{};    ///< Format: the data byte.
        std::uint8_t status1{}; ///< ST1 and ST2 as they gather.
        std::uint8_t status2{};
        bool multi_track{};
        bool skip{};
        bool deleted{};     ///< The command is for deleted data.
        bool whole_track{}; ///< Read Track.
        bool seek_done{};   ///< By an implied seek: ST0 says so.
        bool mfm{};
        bool sector_ready{}; ///< The buffer holds a sector (reads), or is being filled (writes).
        bool terminal_count{};
        std::uint16_t at{};        ///< Non-DMA: bytes of the buffer that passed through the FIFO.
        std::uint16_t size{};      ///< Of the buffer: 512, or 4 for Format.
        std::uint8_t burst{};      ///< Non-DMA: bytes until the next request.
        std::uint8_t scan_order{}; ///< Scan: how medium and memory compare so far: a ScanOrder.
        GuestTime waiting_since{}; ///< For the DMA controller.
        bool waiting{};
        void describe(StateArchive& archive);
    };

    // Registers (fdc.cc).
    void write_dor(std::uint8_t value);
    void write_dsr(std::uint8_t value);
    [[nodiscard]] std::uint8_t main_status() const;
    [[nodiscard]] std::uint8_t digital_input() const;
    std::uint8_t read_fifo();
    void write_fifo(std::uint8_t value);
    void software_reset();
    void update_irq();
    [[nodiscard]] bool in_reset() const { return !(dor_ & 0x04); } ///< DOR bit 2 holds it there.
    /// The data rate to read and write the medium of drive `d` with.
    [[nodiscard]] FloppyDrive::Rate rate(const FloppyDrive& d) const;
    [[nodiscard]] bool spinning(unsigned drive) const;
    /// Non-DMA execution waits for the processor to read or write the FIFO.
    [[nodiscard]] bool asking() const {
        return phase_ == Phase::Execution && non_dma_ && transfer_.burst > 0;
    }
    void resume_transfer();
    [[nodiscard]] GuestTime after(GuestTime delay) const { return platform_.now() + delay; }
    void to_command_phase();
    void to_result_phase(std::initializer_list<std::uint8_t> bytes, bool interrupt);
    void say(const std::string& text) const;

    // Commands (fdc_commands.cc).
    [[nodiscard]] static std::size_t command_size(std::uint8_t first);
    void execute();
    void start_seek(unsigned drive, unsigned target, bool recalibrate);
    void finish_seek(unsigned drive);
    [[nodiscard]] GuestTime move_head(unsigned drive, unsigned target);
    void sense_interrupt();
    void dump_registers();
    [[nodiscard]] std::uint8_t sense_drive() const;

    // Sectors (fdc_transfer.cc).
    void start_transfer(Operation operation);
    void step_transfer();
    [[nodiscard]] bool begin_sector();
    [[nodiscard]] bool find_sector(std::uint32_t& place);
    [[nodiscard]] bool load_sector();
    [[nodiscard]] bool store_sector();
    [[nodiscard]] bool write_place(std::uint32_t place, bool deleted);
    [[nodiscard]] bool check_format();
    [[nodiscard]] bool format_sector();
    void read_id();
    void compare(std::uint8_t medium, std::uint8_t memory);
    [[nodiscard]] bool scan_met();
    void move_by_dma();
    void ask_processor();
    std::uint8_t fifo_to_processor();
    void fifo_from_processor(std::uint8_t value);
    void fifo_moved();
    void buffer_done();
    void next_sector();
    [[nodiscard]] bool advance_address();
    void finish_transfer(std::uint8_t interrupt_code, std::uint8_t extra = 0);
    void fail(std::uint8_t status1, std::uint8_t status2 = 0);

    Dma& dma_;
    std::array<FloppyDrive, kDrives> drives_{};
    FloppyDrive nowhere_{}; ///< What answers for drives 2 and 3.
    [[nodiscard]] FloppyDrive& drive(unsigned n) { return n < kDrives ? drives_[n] : nowhere_; }
    [[nodiscard]] const FloppyDrive& drive(unsigned n) const { return n < kDrives ? drives_[n] : nowhere_; }

    std::uint8_t dor_{};
    std::uint8_t dsr_{0x02}; ///< 250 kbit/s after a hardware reset. CCR writes its low two bits.
    bool rate_programmed_{}; ///< DSR or CCR was written since the hardware reset.
    std::uint8_t tape_drive_{};
    Phase phase_{Phase::Command};

    std::array<std::uint8_t, kMaxCommand> command_{};
    std::uint8_t command_length_{}; ///< Bytes so far.
    std::array<std::uint8_t, kMaxResult> result_{};
    std::uint8_t result_length_{};
    std::uint8_t result_at_{};

    bool result_irq_{};           ///< The result phase asks for attention.
    bool data_irq_{};             ///< Non-DMA execution does.
    bool sense_irq_{};            ///< A seek or a reset does, until Sense Interrupt.
    std::uint8_t reset_senses_{}; ///< Drives still to be reported after a reset.
    std::uint8_t seek_ended_{};   ///< Drives whose seek ended and was not sensed yet, a bit each.
    std::array<std::uint8_t, kAddressable> seek_status_{}; ///< ST0 of those.
    std::uint8_t seeking_{};                               ///< Drives whose seek is under way.
    std::array<std::uint8_t, kAddressable> seek_target_{};
    std::uint8_t recalibrating_{};
    std::array<GuestTime, kAddressable> seek_due_{};
    std::array<std::uint8_t, kAddressable> cylinder_{}; ///< PCN: where the controller believes the heads are.
    std::optional<GuestTime> reset_due_;
    std::optional<GuestTime> transfer_due_;
    GuestTime stepped_at_{}; ///< When the present step was due. Means nothing between steps.

    std::uint8_t specify_[2]{}; ///< SRT and HUT, HLT and ND as last specified.
    bool non_dma_{};
    std::uint8_t configure_{0x20}; ///< EIS, EFIFO, POLL, FIFOTHR; the FIFO is off after a hardware reset.
    std::uint8_t precompensation_track_{};
    std::uint8_t perpendicular_{};
    bool lock_{};
    std::uint8_t last_eot_{};    ///< For Dumpreg.
    std::uint8_t id_position_{}; ///< Which sector Read ID meets next.

    Transfer transfer_{};
    std::array<std::uint8_t, kFloppySectorSize> buffer_{};
    std::array<std::uint64_t, kDrives> reads_{};
    std::array<std::uint64_t, kDrives> writes_{};
    std::function<void(const std::string&)> message_;
};

} // namespace btvm
