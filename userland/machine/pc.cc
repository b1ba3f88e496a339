#include "userland/machine/pc.hh"

#include <csignal>
#include <pthread.h>

#include "userland/devices/codepage437.hh"
#include "userland/machine/hosted_engine.hh"
#include "userland/machine/kernel_engine.hh"
#include "userland/machine/pc_board.hh"
#include "userland/machine/pc_saving.hh"
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

std::string utf8_of(char32_t character) {
    std::string text;
    append_utf8(text, character);
    return text;
}

} // namespace

Pc::Pc(const PcConfig& config)
    : config_(config), machine_(make_machine(config)),
      board_(std::make_unique<Board>(*machine_, config,
                                     [this](const std::string& message) { add_message(message); })),
      checkpoints_(std::make_unique<Checkpoints>(*machine_, *board_, config.checkpoint_memory)) {
    const auto add = [this](const std::string& message) { add_message(message); };
    board_->fdc.set_message_handler(add);
    for (AtaChannel& channel : board_->channels)
        channel.set_message_handler(add);
    if (config.engine_choice == EngineChoice::Auto && engine_name() != "kernel")
        add_message("btvm.ko is not loaded: the guest is interpreted, slowly");
    if (const std::string address = board_->serial.backend().address(); !address.empty())
        add_message("COM1 is at " + address);
}

Pc::~Pc() {
    stop();
    board_->fdc.flush();
    board_->flush_disks();
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
    end_saving();
    if (thread_.joinable()) thread_.join();
    ended_ = true;
}

std::string Pc::engine_name() const { return std::string(machine_->engine().name()); }

TextScreen Pc::screen() {
    return look([this] {
        return board_->vga.snapshot(
            [this](std::uint64_t at, std::span<std::uint8_t> out) { machine_->memory().read(at, out); });
    });
}

PcStatus Pc::status() {
    return look([this] {
        PcStatus status;
        status.state = machine_->state();
        status.leds = board_->keyboard_controller.leds();
        status.queued_keys = board_->keyboard_controller.queued();
        status.guest_time = machine_->now();
        status.resets = machine_->resets();
        status.post_codes = machine_->post_codes();
        for (unsigned drive = 0; drive < kFloppyDrives; drive++)
            status.floppies[drive] = board_->floppy_status(drive);
        for (unsigned drive = 0; drive < kAtaDrives; drive++)
            status.drives[drive] = board_->drive_status(drive);
        return status;
    });
}

btvm_stats Pc::stats() {
    return look([this] { return machine_->engine().stats(); });
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

void Pc::press_power_button() {
    machine_->call([this] {
        if (!board_->power_management.power_button_enabled())
            throw std::runtime_error("the guest does not listen to the power button");
        board_->power_management.press_power_button();
    });
}

void Pc::insert_floppy(unsigned drive, const FloppyConfig& floppy) {
    machine_->call([&] { board_->insert(drive, floppy); });
}

void Pc::eject_floppy(unsigned drive) {
    machine_->call([&] { board_->eject(drive); });
}

void Pc::insert_cdrom(const std::string& path) {
    machine_->call([&] { board_->change_cdrom(path); });
}

void Pc::eject_cdrom() {
    machine_->call([this] { board_->change_cdrom({}); });
}

} // namespace btvm
