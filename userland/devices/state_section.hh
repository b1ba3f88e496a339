// A device's state as data: a tree of named, typed values that says of itself what it holds. What a device
// declares in describe() becomes such a section; bytes, text, JSON and comparisons are made from the section
// alone, so that a reader needs neither the device nor the program that wrote it.
//
// The byte form, all numbers little-endian:
//
//     section  "BTVS"  name:text16  version:u32  length:u64  field*          (length: bytes of the fields)
//     field    type:u8  name:text8  value
//     value    Bool U8 S8: 1 byte; U16 S16: 2; U32 S32: 4; U64 S64 Time: 8; None: nothing
//              Text Blob: length:u32 bytes
//              Array: element type:u8 (Bool to Time)  count:u32  elements
//              Group: length:u32  field*
//              List: count:u32, then for each element length:u32  field*
//     textN    length:uN  UTF-8 bytes
//
// Type numbers are StateNode::Type and never change their meaning; new ones are added at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace btvm {

/// A saved state that cannot be read or does not fit the device. The message names the field and what is
/// wrong with it.
class StateError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// One named value.
struct StateNode {
    enum class Type : std::uint8_t {
        None = 0, ///< An optional value that is absent.
        Bool = 1,
        U8 = 2,
        U16 = 3,
        U32 = 4,
        U64 = 5,
        S8 = 6,
        S16 = 7,
        S32 = 8,
        S64 = 9,
        Time = 10, ///< Guest time in nanoseconds, signed 64 bits.
        Text = 11,
        Blob = 12,
        Array = 13, ///< Of one scalar type, `element`.
        Group = 14, ///< Named fields.
        List = 15   ///< Of groups; their names are empty.
    };

    std::string name;
    Type type{Type::None};
    Type element{Type::None};           ///< Array only.
    std::uint64_t number{};             ///< Bool to Time; negative values sign extended.
    std::vector<std::uint8_t> bytes;    ///< Text and Blob.
    std::vector<std::uint64_t> numbers; ///< Array.
    std::vector<StateNode> children;    ///< Group and List.

    bool operator==(const StateNode&) const = default;
};

/// The state of one device.
struct StateSection {
    std::string name;
    std::uint32_t version{1};
    std::vector<StateNode> fields;

    bool operator==(const StateSection&) const = default;
};

/// Bytes of a scalar type's value, 0 for the others.
[[nodiscard]] std::size_t scalar_size(StateNode::Type type);
[[nodiscard]] std::string_view type_name(StateNode::Type type);

/// Appends the section to `out`. Throws StateError if a name, text or blob is too long for its length field.
void append_bytes(const StateSection& section, std::vector<std::uint8_t>& out);
/// Takes one section off the front of `in`. Throws StateError on anything malformed or cut short; never reads
/// or allocates beyond what the bytes themselves pay for.
[[nodiscard]] StateSection take_section(std::span<const std::uint8_t>& in);

/// Several lines, one a field, indented by group: for people.
[[nodiscard]] std::string to_text(const StateSection& section);
/// One JSON object: {"name", "version", "fields": {...}}. Blobs are strings of hexadecimal digits, times
/// nanoseconds.
[[nodiscard]] std::string to_json(const StateSection& section);
/// What differs between two states, a line each ("fifo.count: 3 -> 4"); empty if they are the same.
[[nodiscard]] std::vector<std::string> differences(const StateSection& before, const StateSection& after);

} // namespace btvm
