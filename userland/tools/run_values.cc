#include "userland/tools/run_values.hh"

#include <CLI/CLI.hpp>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace btvm {

EngineChoice parse_engine(const std::string& name) {
    if (name == "kernel") return EngineChoice::Kernel;
    return name == "interpreter" ? EngineChoice::Interpreter : EngineChoice::Auto;
}

std::string parse_memory(std::string& text) {
    std::size_t used = 0;
    unsigned long mib = 0;
    try {
        mib = std::stoul(text, &used);
    } catch (const std::exception&) {
        return "is not a size; give MiB, for example 16";
    }
    const std::string suffix = text.substr(used);
    if (suffix == "G" || suffix == "g")
        mib *= 1024;
    else if (!suffix.empty() && suffix != "M" && suffix != "m")
        return "is not a size; give MiB, for example 16, 64M or 1G";
    if (text[0] == '-' || mib < PhysicalMemory::kMinRamMib || mib > PhysicalMemory::kMaxRamMib)
        return "is out of range: 1 to 2048 MiB";
    text = std::to_string(mib);
    return {};
}

std::string parse_escape_key(std::string& text) {
    std::string_view key(text);
    for (const std::string_view prefix : {"ctrl-", "Ctrl-", "CTRL-", "^"})
        if (key.starts_with(prefix) && key.size() > prefix.size()) {
            key.remove_prefix(prefix.size());
            break;
        }
    const char letter = key.size() == 1 ? static_cast<char>(std::toupper(key[0])) : '\0';
    // Ctrl-[ is Escape, Ctrl-H, I and M are Backspace, Tab and Enter: taking those would make the guest
    // unusable.
    const bool good =
        letter >= '@' && letter <= '_' && std::string_view("[HIM").find(letter) == std::string_view::npos;
    if (!good) return "is no key for the menu: give ctrl- and a letter (not H, I, M) or one of ] \\ ^ _";
    text = std::string(1, letter);
    return {};
}

ClockConfig parse_clock(const std::string& text) {
    if (text == "localtime") return {ClockConfig::Base::LocalTime, 0};
    if (text == "utc") return {ClockConfig::Base::Utc, 0};
    std::tm time{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
    if (!end || *end)
        throw CLI::ValidationError("--rtc", "give utc, localtime, or a time like 1994-03-14T12:00:00");
    return {ClockConfig::Base::Fixed, ::timegm(&time)};
}

GuestEndPolicy parse_policy(const std::string& text, GuestEndPolicy otherwise) {
    if (text == "reset") return GuestEndPolicy::Reset;
    if (text == "exit") return GuestEndPolicy::Exit;
    return text == "stop" ? GuestEndPolicy::Stop : otherwise;
}

std::vector<BootDevice> parse_boot(const std::string& text) {
    const auto device = [](std::string_view word) -> std::optional<BootDevice> {
        if (word == "floppy" || word == "a") return BootDevice::Floppy;
        if (word == "disk" || word == "c") return BootDevice::Disk;
        if (word == "cdrom" || word == "d") return BootDevice::CdRom;
        return std::nullopt;
    };
    std::vector<BootDevice> order;
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        if (const auto one = device(word)) {
            order.push_back(*one);
            continue;
        }
        // Not a word: letters, as QEMU has them.
        for (const char letter : word)
            if (const auto one = device(std::string_view(&letter, 1)))
                order.push_back(*one);
            else
                throw CLI::ValidationError("--boot",
                                           "\"" + text +
                                               "\": give floppy, disk and cdrom with commas between, "
                                               "or their letters a, c, d");
    }
    return order;
}

std::uint64_t parse_disk_size(const std::string& text) {
    std::size_t used = 0;
    std::uint64_t number = 0;
    const auto refuse = [&text] {
        return CLI::ValidationError("--disk-size", "\"" + text +
                                                       "\" is not a size; give MiB, for example 512, "
                                                       "or 2G");
    };
    try {
        number = std::stoull(text, &used);
    } catch (const std::exception&) {
        throw refuse();
    }
    const std::string suffix = text.substr(used);
    unsigned shift = 20;
    if (suffix == "K" || suffix == "k")
        shift = 10;
    else if (suffix == "G" || suffix == "g")
        shift = 30;
    else if (!suffix.empty() && suffix != "M" && suffix != "m")
        throw refuse();
    // Up to 2 TiB: as far as partition tables of the time reach.
    if (text[0] == '-' || number == 0 || number > (std::uint64_t{2} << 40 >> shift)) throw refuse();
    return number << shift;
}

DriveConfig::Kind image_kind(const std::string& path) {
    constexpr std::uintmax_t kLargestFloppy = 2880 * 1024;
    std::error_code error;
    if (!std::filesystem::is_block_file(path, error)) {
        if (!std::filesystem::is_regular_file(path, error)) return DriveConfig::Kind::None;
        if (std::filesystem::file_size(path, error) <= kLargestFloppy || error)
            return DriveConfig::Kind::None;
    }
    std::ifstream file(path, std::ios::binary);
    char mark[6] = {};
    file.seekg(16 * 2048 + 1);
    file.read(mark, 5);
    return std::string_view(mark) == "CD001" ? DriveConfig::Kind::CdRom : DriveConfig::Kind::Disk;
}

} // namespace btvm
