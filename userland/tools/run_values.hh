// What the texts of btvm-run's options stand for. Those that say so throw CLI::ValidationError, which names
// the option and what to give; the checks change the text into its plain form and return what is wrong with
// it, or nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userland/tools/run_options.hh"

namespace btvm {

[[nodiscard]] EngineChoice parse_engine(const std::string& name);
[[nodiscard]] GuestEndPolicy parse_policy(const std::string& text, GuestEndPolicy otherwise);

/// A check: a memory size, a number of MiB or with a suffix M or G. Afterwards `text` is the MiB.
[[nodiscard]] std::string parse_memory(std::string& text);
/// A check: the key that opens the menu. Afterwards `text` is its letter.
[[nodiscard]] std::string parse_escape_key(std::string& text);

/// localtime, utc, or a time of the day the guest's clock starts at. Throws.
[[nodiscard]] ClockConfig parse_clock(const std::string& text);
/// What is tried in turn: words with commas between, or letters. Throws.
[[nodiscard]] std::vector<BootDevice> parse_boot(const std::string& text);
/// Bytes, from a number of MiB or one with a suffix K, M or G; at most 2 TiB. Throws.
[[nodiscard]] std::uint64_t parse_disk_size(const std::string& text);

/// What an image given without an option is. A block device, and anything that is too large for a floppy, is
/// a disk, unless it has the mark of a CD-ROM's file system (ISO 9660, 8.1: sector 16).
[[nodiscard]] DriveConfig::Kind image_kind(const std::string& path);

} // namespace btvm
