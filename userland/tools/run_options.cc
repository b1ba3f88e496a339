#include "userland/tools/run_options.hh"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string_view>

#include "userland/tools/run_periods.hh"
#include "userland/tools/run_values.hh"

namespace btvm {

namespace {

/// What the parser fills in before it is turned into RunOptions.
struct RawOptions {
    std::string image, fda, fdb;
    bool snapshot{}, write_protect{}, two_drives{};
    std::string monitor{"on"}, plan_cache{"on"}, planner{"breadth-first"}, provider{"auto"};
    std::string table_tracking{"on"}, table_compare{"on"};
    std::string engine{"auto"};
    std::array<std::string, kAtaDrives> disks;
    std::string cdrom;
    std::optional<std::string> disk_size;
    std::string boot, clock{"localtime"};
    std::string on_shutdown, on_halt;
    std::string escape_key{"ctrl-]"};
    std::string checkpoint_every;
    std::uint64_t checkpoint_memory{};
    bool planner_bug{}, monitor_fault{};
};

std::string guest_name(const std::string& image) {
    if (image.empty()) return "btvm";
    std::string name = image.substr(image.rfind('/') + 1);
    if (const std::size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
    return name.empty() ? "btvm" : name;
}

void add_machine_options(CLI::App& app, RunOptions& options, RawOptions& raw) {
    const std::string group = "Machine";
    app.add_option("image", raw.image, "Image to boot from: a floppy in drive A, a disk or a CD-ROM")
        ->option_text("IMAGE");
    app.add_option("-a,--fda", raw.fda, "Floppy image in drive A")->option_text("FILE")->group(group);
    app.add_option("-b,--fdb", raw.fdb, "Floppy image in drive B")->option_text("FILE")->group(group);
    app.add_flag("--two-drives", raw.two_drives, "Have drive B even without a floppy in it")->group(group);
    app.add_option("-d,--disk,--hda", raw.disks[0], "Disk image: the first disk (primary master)")
        ->option_text("FILE")
        ->group(group);
    for (unsigned i = 1; i < kAtaDrives; i++) {
        static constexpr const char* kPlaces[] = {"primary master", "primary slave", "secondary master",
                                                  "secondary slave"};
        const std::string names =
            "--disk" + std::to_string(i + 1) + ",--hd" + std::string(1, static_cast<char>('a' + i));
        app.add_option(names, raw.disks[i], std::string("Disk image: the ") + kPlaces[i])
            ->option_text("FILE")
            ->group(group);
    }
    app.add_option("--disk-size", raw.disk_size,
                   "Make the first disk's image, or grow it, to this size (MiB, or with a suffix K, M, G)")
        ->option_text("SIZE")
        ->group(group);
    app.add_option("--cdrom", raw.cdrom, "CD-ROM image (secondary master), or none for an empty drive")
        ->option_text("FILE")
        ->group(group);
    app.add_flag("-s,--snapshot", raw.snapshot, "Leave image files alone: writes are lost at the end")
        ->group(group);
    app.add_flag("-w,--write-protect", raw.write_protect, "Write-protect the floppies")->group(group);
    app.add_option("-m,--memory", options.pc.ram_mib, "Guest memory in MiB, 1 to 2048 (default 16)")
        ->option_text("SIZE")
        ->transform(CLI::Validator(parse_memory, "", "memory size"))
        ->group(group);
    app.add_flag("--apic", options.pc.engine.apic,
                 "Have a local APIC and an I/O APIC, with MP and ACPI tables that tell of them")
        ->group(group);
    app.add_option(
           "--boot", raw.boot,
           "Where to boot from, in order: floppy, disk, cdrom, with commas between; or letters a, c, d")
        ->option_text("ORDER")
        ->group(group);
    app.add_option("--bios", options.bios_path, "System BIOS image (default: SeaBIOS)")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--vgabios", options.video_bios_path, "Video BIOS image, or none (default: SeaVGABIOS)")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--rtc", raw.clock,
                   "The guest's clock: localtime (default), utc, or a time (1994-03-14T12:00:00)")
        ->option_text("TIME")
        ->group(group);
    app.add_option("--serial", options.pc.serial, "COM1: none, stdio, file:PATH, unix:PATH or tcp:PORT")
        ->option_text("WHERE")
        ->group(group);
}

void add_engine_options(CLI::App& app, RunOptions& options, RawOptions& raw) {
    const std::string group = "Engine";
    const auto on_off = CLI::IsMember({"on", "off"});
    app.add_option("-e,--engine", raw.engine, "What runs guest code: auto (default), kernel, interpreter")
        ->option_text("ENGINE")
        ->check(CLI::IsMember({"auto", "kernel", "interpreter"}))
        ->group(group);
    app.add_option("-n,--breakpoints", options.pc.engine.breakpoints,
                   "Breakpoints the planner may use, 1 to 4 (default)")
        ->option_text("N")
        ->check(CLI::Range(1u, 4u))
        ->group(group);
    app.add_option("--monitor", raw.monitor, "Handle traps in the guest world: on (default) or off")
        ->option_text("on|off")
        ->check(on_off)
        ->group(group);
    app.add_flag("--verify", options.pc.engine.verify, "Single-step traced code and check the invariants")
        ->group(group);
    app.add_option("--planner", raw.planner,
                   "How breakpoints are placed: breadth-first (default) or lookahead")
        ->option_text("KIND")
        ->check(CLI::IsMember({"breadth-first", "lookahead"}))
        ->group(group);
    app.add_option(
           "--provider", raw.provider,
           "What breakpoints are made of: execute-only (copies of the code; needs protection keys), "
           "debug-registers, or auto (default: execute-only where it can be had, but not with --breakpoints, "
           "--planner or --plan-cache)")
        ->option_text("KIND")
        ->check(CLI::IsMember({"debug-registers", "execute-only", "auto"}))
        ->group(group);
    app.add_option("--plan-cache", raw.plan_cache, "Keep plans: on (default) or off")
        ->option_text("on|off")
        ->check(on_off)
        ->group(group);
    app.add_option("--table-tracking", raw.table_tracking,
                   "At the guest's TLB flushes drop what has changed: on (default); off: everything")
        ->option_text("on|off")
        ->check(on_off)
        ->group(group);
    app.add_option("--table-compare", raw.table_compare,
                   "Compare changed page directories entry by entry: on (default); off: drop them")
        ->option_text("on|off")
        ->check(on_off)
        ->group(group);
    app.add_option("--slowdown", options.pc.engine.slowdown,
                   "Let guest time pass N times slower than the host's, 1 (default) to 1000: for --verify")
        ->option_text("N")
        ->check(CLI::Range(1u, unsigned{BTVM_MAX_SLOWDOWN}))
        ->group(group);
    app.add_flag("-t,--trace", options.pc.engine.trace, "Keep the trace ring")->group(group);
    app.add_option("--trace-file", options.trace_file,
                   "Write the report and trace of a failure to FILE; implies --trace")
        ->option_text("FILE")
        ->group(group);
    app.add_flag("--interpret-all", options.pc.engine.interpret,
                 "Kernel engine: never run guest code natively")
        ->group(group);
    // For tests of the checks themselves; not shown in --help.
    app.add_flag("--test-planner-bug", raw.planner_bug)->group("");
    app.add_flag("--test-monitor-fault", raw.monitor_fault)->group("");
}

/// The planner and its options are the debug registers' alone.
EngineConfig::Provider parse_provider(const CLI::App& app, const RawOptions& raw) {
    const char* planned = nullptr;
    for (const char* option : {"--breakpoints", "--planner", "--plan-cache"})
        if (app[option]->count()) planned = option;
    if (raw.provider == "debug-registers") return EngineConfig::Provider::DebugRegisters;
    if (raw.provider == "auto")
        return planned ? EngineConfig::Provider::DebugRegisters : EngineConfig::Provider::Auto;
    if (planned) throw CLI::ValidationError(planned, "there is no planner with --provider execute-only");
    if (raw.engine == "interpreter")
        throw CLI::ValidationError("--provider", "the interpreter has no breakpoints: leave it out");
    return EngineConfig::Provider::ExecuteOnly;
}

/// What of the options makes a machine: a saved one brings that with it.
constexpr const char* kMachineMakers[] = {"--two-drives", "--disk-size", "--write-protect", "--memory",
                                          "--apic",       "--boot",      "--bios",          "--vgabios"};

/// The images are those of the state: others only stand in for them, by drive.
void finish_restore(const CLI::App& app, RunOptions& options, const RawOptions& raw) {
    for (const char* const name : kMachineMakers)
        if (app.get_option(name)->count())
            throw CLI::ValidationError(name, "cannot be changed with --restore: the state says it");
    if (!raw.image.empty())
        throw CLI::ValidationError("IMAGE",
                                   "with --restore say which drive it is for: --fda, --disk, --cdrom");
    options.wishes.name = options.pc.name;
    options.wishes.snapshot = raw.snapshot;
    if (app.get_option("--serial")->count()) options.wishes.serial = options.pc.serial;
    options.set_clock = app.get_option("--rtc")->count() != 0;
    const auto wish = [&options](const char* slot, const std::string& image) {
        if (!image.empty()) options.wishes.images[slot] = image;
    };
    for (unsigned i = 0; i < kAtaDrives; i++)
        wish(kIdeSlots[i], raw.disks[i]);
    wish("hdc", raw.cdrom);
    wish("fda", raw.fda);
    wish("fdb", raw.fdb);
}

void add_user_options(CLI::App& app, RunOptions& options, RawOptions& raw) {
    const std::string group = "Running";
    const auto policy = CLI::IsMember({"stop", "reset", "exit"});
    app.add_option("-r,--restore", options.restore_path,
                   "Go on from a state that btvm-ctl save has written, with its memory, drives and images")
        ->option_text("FILE")
        ->group(group);
    app.add_option("--checkpoint-every", raw.checkpoint_every,
                   "Take a checkpoint each PERIOD of guest time (5s, 500ms, 2m), and let old ones go")
        ->option_text("PERIOD")
        ->group(group);
    app.add_option("--checkpoints-kept", options.checkpoints_kept,
                   "Of those keep so many at most, 2 to 1000 (default 32)")
        ->option_text("N")
        ->check(CLI::Range(2u, 1000u))
        ->group(group);
    app.add_option("--checkpoint-memory", raw.checkpoint_memory,
                   "Memory that checkpoints may take, in MiB (default: half of the host's)")
        ->option_text("SIZE")
        ->check(CLI::Range(1u, 1u << 24))
        ->group(group);
    app.add_flag("-H,--headless", options.headless, "No screen: control the machine with btvm-ctl")
        ->group(group);
    app.add_option("-c,--control", options.control_path,
                   "Control socket (default: under $XDG_RUNTIME_DIR/btvm), or none")
        ->option_text("SOCKET")
        ->group(group);
    app.add_option("--name", options.pc.name, "The machine's name (default: the image's)")
        ->option_text("NAME")
        ->group(group);
    app.add_option("--on-shutdown", raw.on_shutdown, "After a triple fault: stop, reset or exit")
        ->option_text("WHAT")
        ->check(policy)
        ->group(group);
    app.add_option("--on-halt", raw.on_halt, "After HLT with interrupts off: stop, reset or exit")
        ->option_text("WHAT")
        ->check(policy)
        ->group(group);
    app.add_option("--escape-key", raw.escape_key, "The key for the menu (default ctrl-])")
        ->option_text("KEY")
        ->transform(CLI::Validator(parse_escape_key, "", "escape key"))
        ->group(group);
    app.add_flag("-p,--print-screen", options.print_screen, "Print the guest's last screen at the end")
        ->group(group);
}

/// Puts the images to their drives; gives the one the machine is named after.
std::string assign_images(PcConfig& pc, RawOptions& raw) {
    const auto claim = [](std::string& place, const std::string& option, const std::string& image) {
        if (!place.empty())
            throw CLI::ValidationError("IMAGE and " + option, "both name one drive; give one");
        place = image;
    };
    if (!raw.image.empty()) switch (image_kind(raw.image)) {
        case DriveConfig::Kind::None: claim(raw.fda, "--fda", raw.image); break;
        case DriveConfig::Kind::Disk: claim(raw.disks[0], "--disk", raw.image); break;
        case DriveConfig::Kind::CdRom: claim(raw.cdrom, "--cdrom", raw.image); break;
        }
    if (!raw.cdrom.empty() && !raw.disks[2].empty())
        throw CLI::ValidationError("--cdrom and --disk3", "both are the secondary master; give one");
    if (raw.disk_size && raw.disks[0].empty()) throw CLI::ValidationError("--disk-size", "needs --disk");
    if (raw.disk_size && raw.snapshot)
        throw CLI::ValidationError("--disk-size", "changes the image, and --snapshot leaves it alone");

    pc.floppies[0] = {raw.fda, raw.snapshot, raw.write_protect};
    pc.floppies[1] = {raw.fdb, raw.snapshot, raw.write_protect};
    for (unsigned i = 0; i < kAtaDrives; i++)
        if (!raw.disks[i].empty())
            pc.drives[i] = {DriveConfig::Kind::Disk, raw.disks[i], raw.snapshot, std::nullopt};
    if (raw.disk_size) pc.drives[0].disk_bytes = parse_disk_size(*raw.disk_size);
    if (!raw.cdrom.empty())
        pc.drives[2] = {DriveConfig::Kind::CdRom, raw.cdrom == "none" ? "" : raw.cdrom, false, std::nullopt};
    for (const std::string* name :
         {&raw.image, &raw.fda, &raw.disks[0], &raw.cdrom, &raw.fdb, &raw.disks[1], &raw.disks[2]})
        if (!name->empty()) return *name;
    return {};
}

void finish(const CLI::App& app, RunOptions& options, RawOptions& raw) {
    if (!options.restore_path.empty()) finish_restore(app, options, raw);
    const std::string named_after =
        options.restore_path.empty() ? assign_images(options.pc, raw) : std::string();
    options.pc.second_drive = raw.two_drives;
    options.pc.boot = parse_boot(raw.boot);
    options.pc.clock = parse_clock(raw.clock);
    options.pc.engine_choice = parse_engine(raw.engine);
    options.pc.engine.monitor = raw.monitor == "on";
    options.pc.engine.lookahead = raw.planner == "lookahead";
    options.pc.engine.provider = parse_provider(app, raw);
    options.pc.engine.plan_cache = raw.plan_cache == "on";
    options.pc.engine.table_tracking = raw.table_tracking == "on";
    options.pc.engine.table_compare = raw.table_compare == "on";
    if (!options.trace_file.empty()) options.pc.engine.trace = true;
    if (raw.planner_bug) options.pc.engine.test_flags |= BTVM_CONFIG_TEST_PLANNER_BUG;
    if (raw.monitor_fault) options.pc.engine.test_flags |= BTVM_CONFIG_TEST_MONITOR_FAULT;
    if (options.pc.name.empty() && options.restore_path.empty()) options.pc.name = guest_name(named_after);
    if (options.pc.name.find('/') != std::string::npos)
        throw CLI::ValidationError("--name", "a name has no '/' in it");
    options.pc.checkpoint_memory = raw.checkpoint_memory << 20;
    if (!raw.checkpoint_every.empty()) {
        const auto period = parse_period(raw.checkpoint_every);
        if (!period)
            throw CLI::ValidationError("--checkpoint-every",
                                       "\"" + raw.checkpoint_every +
                                           "\" is no period; give 5s, 500ms or 2m, from 10ms to 24h");
        options.checkpoint_period = *period;
    }
    if (options.pc.serial == "none") options.pc.serial.clear();
    if (options.pc.serial == "stdio" && !options.headless)
        throw CLI::ValidationError("--serial",
                                   "stdio needs --headless: the terminal shows the guest's screen");
    const GuestEndPolicy otherwise = options.headless ? GuestEndPolicy::Exit : GuestEndPolicy::Stop;
    options.frontend.escape_key = raw.escape_key == "ctrl-]" ? ']' : raw.escape_key[0];
    options.frontend.on_shutdown = parse_policy(raw.on_shutdown, otherwise);
    options.frontend.on_halt = parse_policy(raw.on_halt, otherwise);
}

} // namespace

std::optional<RunOptions> parse_run_options(int argc, char** argv, RunExit& exit) {
    RunOptions options;
    RawOptions raw;
    CLI::App app("btvm-run: runs a PC guest by tracing its kernel code with hardware breakpoints",
                 "btvm-run");
    app.set_version_flag("-V,--version", "btvm-run " BTVM_VERSION);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.footer("In the guest's screen, Ctrl-] opens a menu. See btvm-run(1) for exit codes and examples.");
    add_machine_options(app, options, raw);
    add_engine_options(app, options, raw);
    add_user_options(app, options, raw);
    try {
        app.parse(argc, argv);
        finish(app, options, raw);
        return options;
    } catch (const CLI::Success& wanted) {
        exit = RunExit::Ok;
        app.exit(wanted);
    } catch (const CLI::ParseError& error) {
        exit = RunExit::Usage;
        std::cerr << "btvm-run: " << error.what() << "\nTry btvm-run --help.\n";
    }
    return std::nullopt;
}

} // namespace btvm
