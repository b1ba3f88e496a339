// The PC: a machine with the board of an AT on it, and what front ends do with it. Every public function may
// be called from any thread but the machine's own; MachineStopped is thrown once the machine is off.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "userland/checkpoint/checkpoint_tree.hh"
#include "userland/devices/keyboard_keys.hh"
#include "userland/devices/text_screen.hh"
#include "userland/machine/firmware.hh"
#include "userland/machine/machine.hh"

namespace btvm {

inline constexpr unsigned kFloppyDrives = 2;
/// Primary master and slave, secondary master and slave.
inline constexpr unsigned kAtaDrives = 4;

/// What is in a floppy drive, or shall be.
struct FloppyConfig {
    std::string path; ///< Empty: no floppy.
    bool snapshot{};  ///< Writes are kept in memory and lost: the file stays as it is.
    bool write_protect{};
};

/// A drive on an IDE channel.
struct DriveConfig {
    enum class Kind { None, Disk, CdRom };
    Kind kind{Kind::None};
    std::string path;                        ///< Disk: the image. CD-ROM: may be empty, an empty drive.
    bool snapshot{};                         ///< Disk: as with floppies.
    std::optional<std::uint64_t> disk_bytes; ///< Disk: make the image, or grow it to that.
};

enum class EngineChoice {
    Auto, ///< The kernel engine if /dev/btvm is there, else the interpreter.
    Kernel,
    Interpreter
};

enum class BootDevice { Floppy, Disk, CdRom };

/// What the guest's clock shows at power-on.
struct ClockConfig {
    enum class Base { LocalTime, Utc, Fixed };
    Base base{Base::LocalTime};
    std::int64_t fixed_seconds{}; ///< Fixed: seconds since 1970-01-01 00:00.
};

struct PcConfig {
    std::string name;
    unsigned ram_mib{16};
    Firmware firmware;
    EngineChoice engine_choice{EngineChoice::Auto};
    EngineConfig engine;
    std::array<FloppyConfig, kFloppyDrives> floppies;
    bool second_drive{}; ///< Drive B is there even without a floppy in it.
    std::array<DriveConfig, kAtaDrives> drives;
    std::string serial; ///< COM1: "", "none", "stdio", "file:PATH", "unix:PATH" or "tcp:PORT".
    /// Bytes of memory that checkpoints may take, with what is kept of the guest's writes to disks and
    /// floppies; 0: half of the host's.
    std::uint64_t checkpoint_memory{};
    std::vector<BootDevice>
        boot; ///< In this order; empty: what there is, a floppy before a disk before a CD.
    ClockConfig clock;
};

struct FloppyStatus {
    bool present{}; ///< The drive is there.
    std::string path;
    bool write_protected{};
    bool snapshot{};
    bool active{};                 ///< The motor runs.
    std::uint64_t overlay_bytes{}; ///< As with drives.
};

struct DriveStatus {
    DriveConfig::Kind kind{};
    std::string path;
    bool snapshot{};
    std::uint64_t bytes{}; ///< Of the medium.
    std::uint64_t read{};  ///< Bytes that the guest has read and written.
    std::uint64_t written{};
    std::uint64_t
        overlay_bytes{}; ///< Of a snapshot, or since the first checkpoint: the memory that writes take.
};

struct PcStatus {
    MachineState state{};
    std::uint8_t leds{}; ///< Bits of Keyboard::Led.
    std::size_t queued_keys{};
    std::array<FloppyStatus, kFloppyDrives> floppies;
    std::array<DriveStatus, kAtaDrives> drives;
    GuestTime guest_time{};
    std::uint64_t resets{};
    std::vector<PostCode> post_codes; ///< The newest ones, oldest first.
};

class SavedMachine;

/// What save() has written.
struct SaveReport {
    std::uint64_t bytes{};  ///< Of the file.
    GuestTime guest_time{}; ///< Of the state.
    GuestTime pause{};      ///< How long the guest stood still for it at once, ...
    GuestTime elapsed{};    ///< ... and how long it took in all.
    /// Images that the machine writes: the state is good as long as they are as they are now.
    std::vector<std::string> written_images;
};

/// A save under way.
struct SaveProgress {
    enum class Phase {
        Images, ///< Images are read, so that they can be told from others. The guest runs...
        Memory, ///< ... and so it does while its memory is read; then it stands still for a moment.
        File    ///< The file is written: what the guest does now is no longer in it.
    };
    std::string path;
    Phase phase{};
    std::uint64_t pages_done{}; ///< Of memory, in this phase...
    std::uint64_t pages{};      ///< ... of about so many; 0: not known.
};

/// What a save shall be like.
struct SaveWishes {
    bool tree{};                                    ///< All checkpoints go into the file, too.
    std::function<void(SaveProgress::Phase)> watch; ///< Called on another thread as each phase begins.
};

/// What checkpoint() and rewind() have done.
struct CheckpointReport {
    std::string name;
    GuestTime guest_time{};
    GuestTime pause{};     ///< How long the guest stood still for it.
    std::uint64_t pages{}; ///< Of memory: kept by the checkpoint for itself, or written by the rewind.
    std::uint64_t bytes{}; ///< checkpoint(): kept in all, with media and devices.
};

/// All checkpoints of a machine.
struct CheckpointList {
    struct Line {
        CheckpointNode node;
        std::string parent; ///< Its name; empty: none.
        std::string graph;  ///< What is drawn before the name.
        bool present{};     ///< The machine was here last.
    };
    std::vector<Line> lines;      ///< Parents before children.
    std::uint64_t stored_bytes{}; ///< Memory that they take, with the writes to media that are kept.
};

/// An image that commit() has written.
struct CommittedImage {
    std::string path;
    std::uint64_t bytes{};
    /// A kill or a power cut would have left it whole, as it was or as it is now.
    bool atomic{};
};

class Pc {
public:
    /// Builds the machine; start() turns it on. Throws FirmwareError, abi::AbiError, FloppyError,
    /// DiskError (images) or std::runtime_error.
    explicit Pc(const PcConfig& config);
    /// Turns the machine off and flushes floppies and disks.
    ~Pc();
    Pc(const Pc&) = delete;
    Pc& operator=(const Pc&) = delete;

    void start();
    /// Ends the machine's thread and waits for it, and for the file of a save whose moment has come; one that
    /// is not so far is given up. Later calls throw MachineStopped, but for screen() and
    /// status(): they tell how it ended. May be called again.
    void stop();

    [[nodiscard]] const PcConfig& config() const { return config_; }
    [[nodiscard]] std::string engine_name() const;
    /// Does not wait for the machine; does not throw.
    [[nodiscard]] MachineState state() const { return machine_->state(); }
    /// The report when the state is Failed.
    [[nodiscard]] std::string failure() const { return machine_->failure(); }

    [[nodiscard]] TextScreen screen();
    [[nodiscard]] PcStatus status();
    [[nodiscard]] btvm_stats stats();
    [[nodiscard]] std::vector<btvm_trace_entry> trace(unsigned count);
    [[nodiscard]] Registers registers();
    [[nodiscard]] std::span<const std::uint8_t> video_bios() const;

    /// Queues key movements. Throws std::runtime_error when the queue is full.
    void send_keys(std::vector<KeyEvent> events);
    /// Types UTF-8 text. Throws std::invalid_argument when no key types a character; nothing is typed then.
    void type(const std::string& text);
    /// "ctrl-alt-del" and the like. Throws std::invalid_argument.
    void press_chord(const std::string& chord);

    void pause();
    void resume();
    void reset();
    void nmi();

    /// Puts a floppy into drive 0 or 1 after taking out what is there. Throws what opening an image throws;
    /// the drive is then as before.
    void insert_floppy(unsigned drive, const FloppyConfig& floppy);
    void eject_floppy(unsigned drive);

    /// Changes the disc in the CD-ROM drive. Throws DiskError, or std::runtime_error if there is no drive or
    /// the guest has locked it; the drive is then as before.
    void insert_cdrom(const std::string& path);
    void eject_cdrom();

    /// Presses the power button: a guest that listens to it (ACPI) turns itself off. Throws
    /// std::runtime_error if it does not.
    void press_power_button();

    /// Writes the whole machine to a file, as it is at one moment of guest time not long after this call;
    /// only then it stands still. The file comes into being whole or not at all. Throws StateError if it
    /// cannot be made, or another save is under way; what it gives throws that, what an image throws that
    /// cannot be read or brought to the host's disk, or MachineStopped if the machine ended before that
    /// moment.
    [[nodiscard]] std::shared_future<SaveReport> start_save(const std::string& path, SaveWishes wishes = {});
    /// The same, when it is done.
    SaveReport save(const std::string& path, SaveWishes wishes = {}) {
        return start_save(path, std::move(wishes)).get();
    }
    /// Does not wait for the machine.
    [[nodiscard]] std::optional<SaveProgress> saving() const;
    /// Waits until no save is under way.
    void finish_save();
    /// Puts a saved machine in place of the one just built, which must be configured as SavedMachine says.
    /// Before start(), which then goes on instead of turning on. Throws StateError.
    void restore(const SavedMachine& saved);
    /// The guest's clock shows this time from now on. Before start(), after restore().
    void set_clock(const ClockConfig& clock);

    /// Keeps the state of the whole machine in memory, at one moment of guest time; an empty name: the next
    /// number. The first one begins layers: from then on what the guest writes to its images is kept in
    /// memory too, until commit(). Throws CheckpointError.
    /// `verify`, for tests: all of memory is read, and it fails if the log of written pages has missed one.
    CheckpointReport checkpoint(const std::string& name, bool verify = false);
    /// Takes the machine back to a checkpoint, an empty name: to the last one. It runs on from there, unless
    /// it is paused. `set_clock`: the guest's clock shows what it would at power-on, as if no time had been
    /// lost. Throws CheckpointError.
    CheckpointReport rewind(const std::string& name, bool set_clock = false);
    [[nodiscard]] CheckpointList checkpoints();
    void delete_checkpoint(const std::string& name);
    void rename_checkpoint(const std::string& name, const std::string& to);
    /// Takes a checkpoint each `period` of guest time, and deletes older ones of these as they age: of each
    /// span of time some are kept, `most` in all. A period of 0 ends it.
    void checkpoint_every(GuestTime period, std::size_t most);
    /// Writes what the guest has written into the images. The checkpoints stay as they are. Throws what an
    /// image throws that cannot be written. Also after stop().
    std::vector<CommittedImage> commit();
    /// All that has been committed so far, each image once. Also after stop().
    [[nodiscard]] std::vector<CommittedImage> committed();

    /// What devices have had to say to the user since the last call: host I/O errors, where the serial port
    /// listens.
    [[nodiscard]] std::vector<std::string> take_messages();

private:
    struct Board;
    struct Checkpoints;
    class TreeBuilder;
    class Saving;

    /// On the machine's thread, or, once it has ended, on this one.
    template <class F>
    auto look(F function) {
        return ended_ ? function() : machine_->call(function);
    }
    void add_message(const std::string& message);
    void end_saving();

    PcConfig config_;
    std::mutex messages_mutex_;
    std::vector<std::string> messages_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Board> board_;
    std::unique_ptr<Checkpoints> checkpoints_;
    std::thread thread_;
    std::atomic<bool> ended_{}; ///< stop() has waited for the thread.
    mutable std::mutex saving_mutex_;
    std::shared_ptr<Saving> saving_; ///< The last one.
};

} // namespace btvm
