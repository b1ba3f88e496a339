// What all devices on an ATA cable have in common: the registers, and the protocols by which data moves
// (ATA/ATAPI-6, clause 9): non-data, PIO in, PIO out and DMA. What commands mean is the derived device's.
//
// A command takes some microseconds of guest time before anything is to be seen of it, and so does each block
// after the one before: software that expects an interrupt later than the access that causes it is right.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "userland/devices/ata_registers.hh"
#include "userland/devices/device.hh"
#include "userland/devices/ide_bus_master.hh"

namespace btvm {

/// What a device sees of the channel it is on.
class AtaBus {
public:
    virtual ~AtaBus() = default;
    [[nodiscard]] virtual GuestTime now() const = 0;
    /// A device's interrupt request has changed.
    virtual void interrupt_changed() = 0;
    [[nodiscard]] virtual IdeBusMaster& bus_master() = 0;
    /// Something for the user: host I/O errors.
    virtual void report(const std::string& message) = 0;
};

class AtaDevice {
public:
    enum class Kind : std::uint8_t { Disk, CdRom };

    explicit AtaDevice(AtaBus& bus) : bus_(bus) {}
    virtual ~AtaDevice() = default;
    AtaDevice(const AtaDevice&) = delete;
    AtaDevice& operator=(const AtaDevice&) = delete;

    [[nodiscard]] virtual Kind kind() const = 0;
    virtual void describe(StateArchive& archive);

    // ---- the channel's side

    /// Power-on or bus reset.
    void hardware_reset();
    /// The SRST bit is set or cleared.
    void hold_reset();
    void release_reset();
    /// EXECUTE DEVICE DIAGNOSTIC has come to this device, selected or not.
    void diagnose(bool interrupts);

    /// The status register, without the side effect of reading it.
    [[nodiscard]] std::uint8_t status() const { return status_; }
    [[nodiscard]] bool interrupt() const { return interrupt_; }
    /// The status register was read.
    void acknowledge() { set_interrupt(false); }
    /// Registers 1 to 6. `previous`: the byte written before the last (HOB).
    [[nodiscard]] std::uint8_t read_register(unsigned reg, bool previous) const;
    void write_register(unsigned reg, std::uint8_t value);
    /// The command register was written while this device was selected.
    void write_command(std::uint8_t command);
    [[nodiscard]] std::uint32_t read_data(unsigned size);
    void write_data(unsigned size, std::uint32_t value);
    /// The same for a run of accesses of `size` bytes.
    void read_data_block(unsigned size, std::span<std::uint8_t> out);
    void write_data_block(unsigned size, std::span<const std::uint8_t> in);
    /// The bus master has become ready.
    void dma_ready();

    [[nodiscard]] std::optional<GuestTime> deadline() const { return due_; }
    void run_until(GuestTime now);

protected:
    /// The two bytes that a register remembers.
    struct Register {
        std::uint8_t now{};
        std::uint8_t previous{};
        void write(std::uint8_t value) {
            previous = now;
            now = value;
        }
        void describe(StateArchive& archive);
    };
    /// The longest run of data the device hands over at once: what DMA moves between two looks at the rest of
    /// the machine.
    static constexpr std::size_t kChunk = 0x10000;
    static constexpr GuestTime kPoll = std::chrono::microseconds(500);

    // ---- what a command means

    /// Carries out command_; ends in one of the protocol functions below.
    virtual void execute() = 0;
    /// The guest has read the block that offer() gave it, or written the one that request() asked for.
    virtual void block_read() = 0;
    virtual void block_written() = 0;
    /// DMA to memory: fills `out` with what comes next, false after fail(). DMA from memory: takes it.
    virtual bool dma_fill(std::span<std::uint8_t> out) = 0;
    virtual bool dma_take(std::span<const std::uint8_t> in) = 0;
    /// All of a DMA transfer has been moved.
    virtual void dma_done() { complete(); }
    /// Looks at background work; ends in complete(), fail() or poll_again().
    virtual void poll() {}
    /// What a reset does beside registers and protocol.
    virtual void reset_device(bool hardware) = 0;
    /// The signature after a reset (9.12), and the status with it.
    virtual void set_signature() = 0;
    /// Commands that are taken even while the device is busy.
    [[nodiscard]] virtual bool interrupts_busy(std::uint8_t) const { return false; }

    // ---- the protocols

    /// Ends the command well. PIO in has its last interrupt with its last block, so none here.
    void complete(bool with_interrupt = true);
    /// Ends it with these error bits and the status' ERR; `fault` adds DF.
    void fail(std::uint8_t error, bool fault = false);
    /// Offers the first `bytes` of buffer_ to the guest, with an interrupt.
    void offer(std::size_t bytes);
    /// Asks the guest for that many bytes into buffer_.
    void request(std::size_t bytes, bool with_interrupt);
    void start_dma(bool to_memory, std::uint64_t bytes);
    /// poll() is called in a while; busy until then.
    void poll_again();

    void set_interrupt(bool level);

    AtaBus& bus_;
    Register features_, count_, low_, mid_, high_;
    std::uint8_t device_{};
    std::uint8_t error_{};
    std::uint8_t status_{};
    std::uint8_t command_{};
    std::vector<std::uint8_t> buffer_; ///< What is on its way between medium and guest.

private:
    /// What happens when due_ comes.
    enum class Step : std::uint8_t { None, Execute, BlockRead, BlockWritten, Dma, Poll, Reset };
    /// Which way the guest moves data through the data register.
    enum class Phase : std::uint8_t { None, In, Out };

    void schedule(Step step, GuestTime delay);
    void stop();
    void run_step(Step step);
    void advance(std::size_t bytes);
    void step_dma();
    [[nodiscard]] bool load_chunk();
    [[nodiscard]] bool store_chunk();

    bool interrupt_{};
    Phase phase_{Phase::None};
    std::uint32_t at_{};   ///< Of the block in buffer_, how much has been moved.
    std::uint32_t size_{}; ///< How much there is of it.
    bool dma_{};           ///< A DMA transfer is on.
    bool dma_to_memory_{};
    std::uint64_t dma_left_{}; ///< Bytes beyond the chunk in buffer_.
    Step step_{Step::None};
    std::optional<GuestTime> due_;
};

} // namespace btvm
