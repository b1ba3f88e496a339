#include "userland/control/pc_control.hh"

#include <unistd.h>

#include "userland/control/base64.hh"
#include "userland/control/screen_png.hh"
#include "userland/machine/failure_report.hh"
#include "userland/machine/statistics.hh"

namespace btvm {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

/// Raised when a command's meaning or a reply changes for those who use it already.
constexpr int kProtocolVersion = 1;
constexpr unsigned kDefaultTraceCount = 100;
constexpr unsigned kMaxTraceCount = 65536;

std::string text_member(const json& request, const char* name) {
    if (!request.contains(name) || !request[name].is_string())
        throw RequestError("bad-request", std::string("this command needs a \"") + name + "\"");
    return request[name];
}

/// A checkpoint's name; empty: not given.
std::string name_member(const json& request) {
    return request.contains("name") ? text_member(request, "name") : std::string();
}

unsigned drive_member(const json& request) {
    const std::string drive = text_member(request, "drive");
    if (drive == "a" || drive == "A") return 0;
    if (drive == "b" || drive == "B") return 1;
    throw RequestError("bad-request", "\"drive\" is \"a\" or \"b\"");
}

ordered_json post_codes_json(const PcStatus& status) {
    ordered_json out = ordered_json::array();
    for (const PostCode& each : status.post_codes)
        out.push_back({{"port", each.port}, {"code", each.code}});
    return out;
}

ordered_json floppies_json(const PcStatus& status) {
    ordered_json out = ordered_json::array();
    for (unsigned drive = 0; drive < kFloppyDrives; drive++) {
        const FloppyStatus& floppy = status.floppies[drive];
        if (!floppy.present) continue;
        out.push_back({{"drive", std::string(1, static_cast<char>('a' + drive))},
                       {"path", floppy.path},
                       {"write_protected", floppy.write_protected},
                       {"snapshot", floppy.snapshot},
                       {"active", floppy.active}});
    }
    return out;
}

ordered_json drives_json(const PcStatus& status) {
    ordered_json out = ordered_json::array();
    for (unsigned number = 0; number < kAtaDrives; number++) {
        const DriveStatus& drive = status.drives[number];
        if (drive.kind == DriveConfig::Kind::None) continue;
        out.push_back({{"drive", number + 1},
                       {"kind", drive.kind == DriveConfig::Kind::Disk ? "disk" : "cdrom"},
                       {"path", drive.path},
                       {"snapshot", drive.snapshot},
                       {"bytes", drive.bytes},
                       {"bytes_read", drive.read},
                       {"bytes_written", drive.written},
                       {"snapshot_bytes", drive.overlay_bytes}});
    }
    return out;
}

double seconds(GuestTime time) { return std::chrono::duration<double>(time).count(); }

ordered_json saving_json(const std::optional<SaveProgress>& saving) {
    if (!saving) return nullptr;
    static constexpr const char* kPhases[] = {"images", "memory", "file"};
    return {{"path", saving->path},
            {"phase", kPhases[static_cast<std::size_t>(saving->phase)]},
            {"pages_done", saving->pages_done},
            {"pages", saving->pages}};
}

/// Calls f(); its exceptions as a client shall see them.
template <class F>
auto translated(F f) {
    try {
        return f();
    } catch (const std::invalid_argument& error) {
        throw RequestError("bad-request", error.what());
    } catch (const MachineStopped& error) {
        throw RequestError("stopped", error.what());
    }
}

} // namespace

ordered_json PcControl::execute(const std::string& command, const json& request) {
    return translated([&] { return carry_out(command, request); });
}

ordered_json PcControl::carry_out(const std::string& command, const json& request) {
    ordered_json none = ordered_json::object();
    if (command == "info") return info();
    if (command == "screen") return screen(request);
    if (command == "stats") return stats();
    if (command == "trace") return trace(request);
    if (command == "registers") return {{"text", describe_registers(pc_.registers())}};
    if (command == "type") return type(request), none;
    if (command == "key") return pc_.press_chord(text_member(request, "chord")), none;
    if (command == "pause") return pc_.pause(), none;
    if (command == "resume") return pc_.resume(), none;
    if (command == "reset") return pc_.reset(), none;
    if (command == "nmi") return pc_.nmi(), none;
    if (command == "floppy") return floppy(request), none;
    if (command == "cdrom") return cdrom(request), none;
    if (command == "checkpoint") return checkpoint(request);
    if (command == "rewind") return rewind(request);
    if (command == "tree") return tree();
    if (command == "delete") return pc_.delete_checkpoint(text_member(request, "name")), none;
    if (command == "rename")
        return pc_.rename_checkpoint(text_member(request, "name"), text_member(request, "to")), none;
    if (command == "commit") return commit();
    if (command == "power-button") return pc_.press_power_button(), none;
    if (command == "quit") return quit(request), none;
    throw RequestError("bad-request", "unknown command \"" + command + "\"");
}

ordered_json PcControl::info() {
    const PcStatus status = pc_.status();
    const PcConfig& config = pc_.config();
    return {{"protocol", kProtocolVersion},
            {"name", config.name},
            {"pid", ::getpid()},
            {"engine", pc_.engine_name()},
            {"state", to_string(status.state)},
            {"memory_mib", config.ram_mib},
            {"breakpoints", config.engine.breakpoints},
            {"guest_seconds", seconds(status.guest_time)},
            {"resets", status.resets},
            {"post_codes", post_codes_json(status)},
            {"leds", status.leds},
            {"queued_keys", status.queued_keys},
            {"floppies", floppies_json(status)},
            {"drives", drives_json(status)},
            {"saving", saving_json(pc_.saving())},
            {"failure", pc_.failure()}};
}

ordered_json PcControl::screen(const json& request) {
    const std::string format = request.value("format", "text");
    const TextScreen screen = pc_.screen();
    ordered_json out = {
        {"mode", screen.text_mode ? "text" : "graphics"},
        {"columns", screen.columns},
        {"rows", screen.rows},
        {"cursor", {{"x", screen.cursor.x}, {"y", screen.cursor.y}, {"visible", screen.cursor.visible}}}};
    if (format == "text") {
        out["text"] = btvm::screen_text(screen);
    } else if (format == "png") {
        const auto font = find_font(pc_.video_bios());
        if (!font) throw RequestError("failed", "there is no 8x16 font in the video BIOS to draw with");
        out["png"] = base64_encode(screen_png(screen, *font));
    } else if (format == "cells") {
        std::vector<std::uint8_t> cells;
        for (const TextCell cell : screen.cells) {
            cells.push_back(cell.code);
            cells.push_back(cell.attribute);
        }
        out["cells"] = base64_encode(cells);
    } else {
        throw RequestError("bad-request", "\"format\" is \"text\", \"png\" or \"cells\"");
    }
    return out;
}

ordered_json PcControl::stats() {
    return {{"engine", pc_.engine_name()}, {"stats", statistics_json(pc_.stats())}};
}

ordered_json PcControl::trace(const json& request) {
    const unsigned count = request.value("count", kDefaultTraceCount);
    if (count < 1 || count > kMaxTraceCount)
        throw RequestError("bad-request", "\"count\" is 1 to " + std::to_string(kMaxTraceCount));
    ordered_json entries = ordered_json::array();
    for (const btvm_trace_entry& entry : pc_.trace(count)) {
        if (!entry.sequence) continue;
        entries.push_back({{"sequence", std::uint64_t{entry.sequence}},
                           {"tsc", std::uint64_t{entry.tsc}},
                           {"kind", std::uint32_t{entry.kind}},
                           {"rip", std::uint64_t{entry.rip}},
                           {"a", std::uint32_t{entry.a}},
                           {"b", std::uint64_t{entry.b}},
                           {"c", std::uint64_t{entry.c}},
                           {"text", describe_trace_entry(entry)}});
    }
    return {{"enabled", pc_.config().engine.trace}, {"entries", std::move(entries)}};
}

void PcControl::floppy(const json& request) {
    const unsigned drive = drive_member(request);
    const std::string action = text_member(request, "action");
    if (action == "insert")
        pc_.insert_floppy(drive, {text_member(request, "path"), request.value("snapshot", false),
                                  request.value("write_protect", false)});
    else if (action == "eject")
        pc_.eject_floppy(drive);
    else
        throw RequestError("bad-request", "\"action\" is \"insert\" or \"eject\"");
}

void PcControl::cdrom(const json& request) {
    const std::string action = text_member(request, "action");
    if (action == "insert")
        pc_.insert_cdrom(text_member(request, "path"));
    else if (action == "eject")
        pc_.eject_cdrom();
    else
        throw RequestError("bad-request", "\"action\" is \"insert\" or \"eject\"");
}

Later PcControl::begin(const std::string& command, const json& request) {
    return command == "save" ? save(request) : Later();
}

Later PcControl::save(const json& request) {
    const std::string path = text_member(request, "path");
    // It is btvm-run that writes it, whose working directory is nobody's business.
    if (!path.starts_with('/')) throw RequestError("bad-request", "\"path\" begins with a /");
    return [result = pc_.start_save(
                path, {.tree = request.value("tree", false), .watch = {}})]() -> std::optional<ordered_json> {
        if (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
        const SaveReport report = translated([&] { return result.get(); });
        return ordered_json{{"bytes", report.bytes},
                            {"guest_seconds", seconds(report.guest_time)},
                            {"pause_seconds", seconds(report.pause)},
                            {"seconds", seconds(report.elapsed)},
                            {"written_images", report.written_images}};
    };
}

namespace {

ordered_json report_json(const CheckpointReport& report) {
    return {{"name", report.name},
            {"guest_seconds", seconds(report.guest_time)},
            {"pause_seconds", seconds(report.pause)},
            {"pages", report.pages}};
}

} // namespace

ordered_json PcControl::checkpoint(const json& request) {
    const CheckpointReport report = pc_.checkpoint(name_member(request), request.value("verify", false));
    ordered_json out = report_json(report);
    out["bytes"] = report.bytes;
    return out;
}

ordered_json PcControl::rewind(const json& request) {
    return report_json(pc_.rewind(name_member(request), request.value("set_clock", false)));
}

ordered_json PcControl::tree() {
    const CheckpointList list = pc_.checkpoints();
    ordered_json lines = ordered_json::array();
    for (const CheckpointList::Line& line : list.lines) {
        const CheckpointNode& node = line.node;
        lines.push_back({{"name", node.name},
                         {"parent", line.parent.empty() ? ordered_json() : ordered_json(line.parent)},
                         {"present", line.present},
                         {"by_clock", node.ring != 0},
                         {"guest_seconds", seconds(node.guest_time)},
                         {"taken_at", node.taken_at},
                         {"pages", node.changed_pages},
                         {"bytes", node.changed_bytes},
                         {"graph", line.graph},
                         {"screen", node.screen}});
    }
    return {{"checkpoints", std::move(lines)}, {"stored_bytes", list.stored_bytes}};
}

ordered_json PcControl::commit() {
    ordered_json images = ordered_json::array();
    for (const CommittedImage& image : pc_.commit())
        images.push_back({{"path", image.path}, {"bytes", image.bytes}, {"atomic", image.atomic}});
    return {{"images", std::move(images)}};
}

/// At the machine's own end it would be too late to make room for what cannot be written: so it is tried
/// before.
void PcControl::quit(const json& request) {
    const bool keep = !request.value("discard", false);
    if (keep) {
        try {
            (void)pc_.commit();
        } catch (const MachineStopped&) {
            // What runs it commits at its end.
        } catch (const std::exception& error) {
            throw RequestError(
                "failed", std::string(error.what()) +
                              ": the guest's writes since the first checkpoint are not all in its images, so "
                              "the machine goes on; mend that, or quit with --discard");
        }
    }
    quit_(keep);
}

void PcControl::type(const json& request) { pc_.type(text_member(request, "text")); }

std::string PcControl::screen_text() {
    try {
        last_screen_ = btvm::screen_text(pc_.screen());
    } catch (const MachineStopped&) {
        // What was last seen is the answer then.
    }
    return last_screen_;
}

std::string PcControl::ended() {
    switch (pc_.state()) {
    case MachineState::Failed: return "the engine has failed";
    case MachineState::PoweredOff: return "the machine is off";
    case MachineState::Shutdown: return "the guest has triple-faulted";
    case MachineState::Halted: return "the guest has halted with interrupts off";
    default: return {};
    }
}

} // namespace btvm
