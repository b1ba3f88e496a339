// The state file: what lies where. docs/state-format.md says the same for those who write a reader.
//
// All numbers are little-endian.
//
//     file     header section* end
//     header   magic:8  version:u32  reserved:u32  id:16  crc:u32                      36 bytes
//     section  "SECT" type:u8 flags:u8 name_length:u16 stored:u64 raw:u64 name crc:u32  header
//              `stored` bytes                                                           payload
//              crc:u32 "DONE"                                                           footer
//     end      "FEND" sections:u32 offset:u64 sections_crc:u32 crc:u32                  24 bytes
//
// Every crc is of what comes before it in its own part, the payload's crc of the payload as stored;
// sections_crc is of all those, four bytes each, so that sections of two files cannot be mixed.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace btvm::state_format {

/// A file that went through something that changes line ends or drops high bits no longer begins so.
inline constexpr std::array<std::uint8_t, 8> kMagic{0x89, 'B', 'T', 'V', 'M', '\r', '\n', 0x1a};
/// Raised when a reader of the version before could misunderstand a file. New sections and types are no
/// reason.
inline constexpr std::uint32_t kVersion = 1;

inline constexpr std::array<std::uint8_t, 4> kSectionMark{'S', 'E', 'C', 'T'};
inline constexpr std::array<std::uint8_t, 4> kDoneMark{'D', 'O', 'N', 'E'};
inline constexpr std::array<std::uint8_t, 4> kEndMark{'F', 'E', 'N', 'D'};

inline constexpr std::size_t kHeaderSize = 36;
inline constexpr std::size_t kSectionFixed = 24; ///< Of a section's header, before the name.
inline constexpr std::size_t kFooterSize = 8;
inline constexpr std::size_t kEndSize = 24;

/// What a payload is. Numbers never change their meaning; new ones are added at the end.
enum class Type : std::uint8_t {
    Fields = 1, ///< A StateSection (userland/devices/state_section.hh): fields that say what they are.
    Pages = 2,  ///< What is in memory or on a medium (page_runs.hh).
    Text = 3,   ///< UTF-8.
    Bytes = 4   ///< Whatever the name says.
};

enum Flag : std::uint8_t {
    kRequired = 1 << 0, ///< The machine cannot be restored without it: who does not know it must refuse.
    kZstd = 1 << 1      ///< The payload is one Zstandard frame of `raw` bytes.
};
inline constexpr std::uint8_t kKnownFlags = kRequired | kZstd;

// What a reader takes at most.
inline constexpr std::size_t kMostSections = 4096;
inline constexpr std::size_t kMostName = 255;
inline constexpr std::uint64_t kMostRaw = 64u << 20; ///< Of Fields, Text and Bytes.

[[nodiscard]] std::string type_name(Type type);

} // namespace btvm::state_format
