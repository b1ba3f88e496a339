#include "userland/machine/pc.hh"

#include <csignal>
#include <ctime>
#include <pthread.h>

#include "userland/devices/codepage437.hh"
#include "userland/devices/dma.hh"
#include "userland/devices/fdc.hh"
#include "userland/devices/floppy_image.hh"
#include "userland/devices/i8042.hh"
#include "userland/devices/rtc_cmos.hh"
#include "userland/devices/serial.hh"
#include "userland/devices/system_ports.hh"
#include "userland/devices/vga_text.hh"
#include "userland/machine/firmware_config.hh"
#include "userland/machine/hosted_engine.hh"
#include "userland/machine/kernel_engine.hh"
#include "userland/machine/power_port.hh"
#include "userland/machine/reset_control.hh"
#include "userland/machine/utf8.hh"

namespace btvm {

namespace {

std::unique_ptr<PhysicalMemory> make_memory(const PcConfig& config) {
    return std::make_unique<PhysicalMemory>(MemoryConfig{
        config.ram_mib, config.firmware.system_bios, config.firmware.video_bios, config.firmware.writable});
}

std::unique_ptr<Engine> make_engine(const PcConfig& config, PhysicalMemory& memory) {
    if (config.engine_choice == EngineChoice::Interpreter)
        return std::make_unique<HostedEngine>(memory, config.engine);
    try {
        return std::make_unique<KernelEngine>(memory, config.engine);
    } catch (const abi::AbiError& error) {
        // Only a missing module means "do without it"; everything else the user wants to know.
        if (config.engine_choice == EngineChoice::Auto && error.kind() == abi::AbiError::Kind::NoModule)
            return std::make_unique<HostedEngine>(memory, config.engine);
        throw;
    }
}

std::unique_ptr<Machine> make_machine(const PcConfig& config) {
    auto memory = make_memory(config);
    auto engine = make_engine(config, *memory);
    return std::make_unique<Machine>(std::move(memory), std::move(engine));
}

Rtc::WallTime wall_time(const ClockConfig& clock) {
    using namespace std::chrono;
    if (clock.base == ClockConfig::Base::Fixed) return Rtc::WallTime(seconds(clock.fixed_seconds));
    const auto now = system_clock::now();
    if (clock.base == ClockConfig::Base::Utc) return now;
    const std::time_t time = system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&time, &local);
    return now + seconds(local.tm_gmtoff);
}

/// What SeaBIOS asks the board for: it finds no video BIOS by itself, since it first clears the memory where
/// others expect it, and it is told not to wait for a key to its boot menu.
std::vector<FirmwareFile> firmware_files(const PcConfig& config) {
    if (!config.firmware.writable) return {};
    std::vector<FirmwareFile> files{{"etc/show-boot-menu", {0, 0}}};
    if (!config.firmware.video_bios.empty())
        files.push_back({"vgaroms/vgabios.bin", config.firmware.video_bios});
    return files;
}

std::unique_ptr<FloppyImage> open_floppy(const FloppyConfig& floppy) {
    return FloppyImage::open(floppy.path, {.read_only = floppy.write_protect, .snapshot = floppy.snapshot});
}

std::string utf8_of(char32_t character) {
    std::string text;
    append_utf8(text, character);
    return text;
}

std::string serial_specification(const PcConfig& config) {
    return config.serial.empty() ? "null" : config.serial;
}

// Both number drive types as the CMOS does.
static_assert(static_cast<int>(FloppyDriveType::Mb1_44) == static_cast<int>(CmosFloppy::Inch3Kb1440));
static_assert(static_cast<int>(FloppyDriveType::Kb720) == static_cast<int>(CmosFloppy::Inch3Kb720));

} // namespace

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
    Dma dma;
    Fdc fdc;
    FirmwareConfig firmware_config;
    std::array<FloppyConfig, kFloppyDrives> floppies; ///< What is in the drives.

    Board(Machine& machine, const PcConfig& config)
        : vga(machine), keyboard_controller(machine), rtc(machine, wall_time(config.clock)),
          serial(machine, 0, kSerialLocations[0], make_serial_backend(serial_specification(config))),
          system_ports(machine), debug_console(machine),
          power_port(machine, [&machine] { machine.power_off(); }), reset_control(machine), dma(machine),
          fdc(machine, dma), firmware_config(machine, firmware_files(config)) {
        for (Device* device : std::initializer_list<Device*>{&vga, &keyboard_controller, &rtc, &serial,
                                                             &system_ports, &debug_console, &power_port,
                                                             &reset_control, &dma, &fdc, &firmware_config})
            machine.add(*device);
        fdc.set_drive_type(0, FloppyDriveType::Mb1_44);
        if (config.second_drive) fdc.set_drive_type(1, FloppyDriveType::Mb1_44);
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            if (!config.floppies[drive].path.empty()) insert_first(drive, config.floppies[drive]);
        fill_cmos(rtc, cmos_setup(config));
    }

    void insert_first(unsigned drive, const FloppyConfig& floppy);
    void insert(unsigned drive, const FloppyConfig& floppy);
    void eject(unsigned drive);
    [[nodiscard]] FloppyStatus floppy_status(unsigned drive) const;
    [[nodiscard]] CmosSetup cmos_setup(const PcConfig& config) const;
};

/// The floppy that is in a drive at power-on decides what kind of drive it is.
void Pc::Board::insert_first(unsigned drive, const FloppyConfig& floppy) {
    std::unique_ptr<FloppyImage> image = open_floppy(floppy);
    FloppyDriveType type = drive_type_for(image->geometry());
    // A 1.44 MB drive takes 720 KB floppies too, and either may come later.
    if (type == FloppyDriveType::Kb720) type = FloppyDriveType::Mb1_44;
    fdc.set_drive_type(drive, type);
    fdc.insert(drive, std::move(image));
    floppies[drive] = floppy;
}

void Pc::Board::insert(unsigned drive, const FloppyConfig& floppy) {
    const FloppyConfig before = floppies.at(drive);
    eject(drive);
    try {
        fdc.insert(drive, open_floppy(floppy));
    } catch (...) {
        // The old floppy had to go first: the new one may be the same file.
        if (!before.path.empty()) {
            fdc.insert(drive, open_floppy(before));
            floppies[drive] = before;
        }
        throw;
    }
    floppies[drive] = floppy;
}

void Pc::Board::eject(unsigned drive) {
    if (fdc.drive_type(drive) == FloppyDriveType::None)
        throw std::runtime_error(
            "the machine has no second floppy drive (start it with --two-drives or --fdb)");
    fdc.eject(drive);
    floppies[drive] = {};
}

FloppyStatus Pc::Board::floppy_status(unsigned drive) const {
    FloppyStatus status;
    status.present = fdc.drive_type(drive) != FloppyDriveType::None;
    status.active = fdc.activity(drive).motor;
    if (const FloppyImage* medium = fdc.medium(drive)) {
        status.path = medium->path();
        status.write_protected = medium->write_protected();
        status.snapshot = medium->snapshot();
    }
    return status;
}

CmosSetup Pc::Board::cmos_setup(const PcConfig& config) const {
    CmosSetup setup;
    setup.ram_bytes = std::uint64_t{config.ram_mib} << 20;
    for (unsigned drive = 0; drive < kFloppyDrives; drive++)
        setup.floppies[drive] = static_cast<CmosFloppy>(fdc.drive_type(drive));
    if (config.boot == BootOrder::DiskFirst)
        setup.boot_order = {CmosBoot::Disk, CmosBoot::Floppy, CmosBoot::None};
    return setup;
}

Pc::Pc(const PcConfig& config)
    : config_(config), machine_(make_machine(config)), board_(std::make_unique<Board>(*machine_, config)) {
    board_->fdc.set_message_handler([this](const std::string& message) { add_message(message); });
    if (config.engine_choice == EngineChoice::Auto && engine_name() != "kernel")
        add_message("btvm.ko is not loaded: the guest is interpreted, slowly");
    if (const std::string address = board_->serial.backend().address(); !address.empty())
        add_message("COM1 is at " + address);
}

Pc::~Pc() {
    stop();
    board_->fdc.flush();
}

void Pc::add_message(const std::string& message) {
    const std::lock_guard lock(messages_mutex_);
    messages_.push_back(message);
}

std::vector<std::string> Pc::take_messages() {
    const std::lock_guard lock(messages_mutex_);
    return std::exchange(messages_, {});
}

void Pc::start() {
    // Signals for the program are the main thread's business; those that engines use are not among them.
    sigset_t mine, before;
    sigemptyset(&mine);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGPIPE})
        sigaddset(&mine, signal);
    ::pthread_sigmask(SIG_BLOCK, &mine, &before);
    thread_ = std::thread([this] { machine_->run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Pc::stop() {
    machine_->quit();
    if (thread_.joinable()) thread_.join();
}

std::string Pc::engine_name() const { return std::string(machine_->engine().name()); }

TextScreen Pc::screen() {
    return machine_->call([this] {
        return board_->vga.snapshot(
            [this](std::uint64_t at, std::span<std::uint8_t> out) { machine_->memory().read(at, out); });
    });
}

PcStatus Pc::status() {
    return machine_->call([this] {
        PcStatus status;
        status.state = machine_->state();
        status.leds = board_->keyboard_controller.leds();
        status.queued_keys = board_->keyboard_controller.queued();
        status.guest_time = machine_->now();
        status.resets = machine_->resets();
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            status.floppies[drive] = board_->floppy_status(drive);
        return status;
    });
}

btvm_stats Pc::stats() {
    return machine_->call([this] { return machine_->engine().stats(); });
}

std::vector<btvm_trace_entry> Pc::trace(unsigned count) {
    return machine_->call([this, count] { return machine_->engine().trace(count); });
}

Registers Pc::registers() {
    return machine_->call([this] { return machine_->engine().registers(); });
}

std::span<const std::uint8_t> Pc::video_bios() const { return machine_->memory().video_bios(); }

void Pc::send_keys(std::vector<KeyEvent> events) {
    machine_->call([this, &events] {
        if (!board_->keyboard_controller.enqueue(events))
            throw std::runtime_error("the keyboard queue is full: the guest does not read its keyboard");
    });
}

void Pc::type(const std::string& text) {
    std::vector<KeyEvent> events;
    for (const char32_t character : decode_utf8(text)) {
        const std::vector<KeyEvent> strokes = keys_for_text(character);
        if (strokes.empty())
            throw std::invalid_argument("no key of the US layout types \"" + utf8_of(character) + "\"");
        events.insert(events.end(), strokes.begin(), strokes.end());
    }
    send_keys(std::move(events));
}

void Pc::press_chord(const std::string& chord) { send_keys(chord_events(parse_key_chord(chord))); }

void Pc::pause() {
    machine_->call([this] { machine_->pause(); });
}

void Pc::resume() {
    machine_->call([this] { machine_->resume(); });
}

void Pc::reset() {
    machine_->call([this] { machine_->reset(); });
}

void Pc::nmi() {
    machine_->call([this] { machine_->nmi(); });
}

void Pc::insert_floppy(unsigned drive, const FloppyConfig& floppy) {
    machine_->call([&] { board_->insert(drive, floppy); });
}

void Pc::eject_floppy(unsigned drive) {
    machine_->call([&] { board_->eject(drive); });
}

} // namespace btvm
