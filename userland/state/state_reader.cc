#include "userland/state/state_reader.hh"

#include <algorithm>

#include "userland/state/checksum.hh"
#include "userland/state/compression.hh"
#include "userland/state/little_endian.hh"

namespace btvm {

using namespace state_format;

namespace {

template <std::size_t N>
bool begins_with(std::span<const std::uint8_t> bytes, const std::array<std::uint8_t, N>& mark) {
    return bytes.size() >= N && std::equal(mark.begin(), mark.end(), bytes.begin());
}

/// Whether the last four bytes are the CRC of those before.
bool sealed(std::span<const std::uint8_t> bytes) {
    const std::size_t body = bytes.size() - 4;
    return get_number(bytes.subspan(body)) == crc32(bytes.first(body));
}

std::string quote(const std::string& name) { return "section \"" + name + "\""; }

} // namespace

bool StateEntry::known() const {
    return type >= Type::Fields && type <= Type::Bytes && !(flags & ~kKnownFlags) &&
           !(type == Type::Pages && (flags & kZstd));
}

StateReader::StateReader(std::unique_ptr<StateSource> source) : source_(std::move(source)) {
    read_header();
    read_sections();
}

void StateReader::read_header() {
    const std::uint64_t size = source_->size();
    std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(size, kHeaderSize));
    source_->read(0, bytes);
    if (size >= kMagic.size() ? !begins_with(bytes, kMagic) : true)
        throw StateError(size == 0 ? "the file is empty" : "this is no btvm state");
    if (size < kHeaderSize + kEndSize) throw StateError("the state is cut short");
    // The version comes before the checksum: another version may have another header.
    const std::uint64_t version = get_number(std::span(bytes).subspan(8, 4));
    if (version != kVersion)
        throw StateError("the state has format version " + std::to_string(version) + ", this program reads " +
                         std::to_string(kVersion));
    if (!sealed(bytes)) throw StateError("the state's header is damaged");
    std::copy_n(bytes.begin() + 16, id_.size(), id_.begin());
}

StateEntry StateReader::read_section(std::uint64_t& at, std::uint64_t end) {
    const auto number = " (section " + std::to_string(entries_.size() + 1) + ")";
    if (end - at < kSectionFixed + 1 + 4 + kFooterSize) throw StateError("the state is cut short" + number);
    std::vector<std::uint8_t> header(kSectionFixed);
    source_->read(at, header);
    if (!begins_with(header, kSectionMark)) throw StateError("a section's header is damaged" + number);
    const std::size_t name_length = get_number(std::span(header).subspan(6, 2));
    if (name_length == 0 || name_length > kMostName)
        throw StateError("a section's name has an impossible length" + number);
    if (end - at < kSectionFixed + name_length + 4 + kFooterSize)
        throw StateError("the state is cut short" + number);
    header.resize(kSectionFixed + name_length + 4);
    source_->read(at, header);
    if (!sealed(header)) throw StateError("a section's header is damaged" + number);
    at += header.size();

    StateEntry entry;
    entry.type = static_cast<Type>(header[4]);
    entry.flags = header[5];
    entry.stored = get_number(std::span(header).subspan(8, 8));
    entry.raw = get_number(std::span(header).subspan(16, 8));
    entry.name.assign(header.begin() + kSectionFixed, header.end() - 4);
    // Names are printed: they must not be able to do anything to a terminal.
    if (!std::all_of(entry.name.begin(), entry.name.end(), [](char c) { return c > 0x1f && c < 0x7f; }))
        throw StateError("a section's name is not plain text" + number);
    if (find(entry.name)) throw StateError("two sections are named \"" + entry.name + "\"");
    entry.offset = at;
    if (entry.stored > end - at - kFooterSize) throw StateError(quote(entry.name) + " is cut short");
    if (!(entry.flags & kZstd) && entry.known() && entry.raw != entry.stored)
        throw StateError(quote(entry.name) + ": two lengths that differ");
    at += entry.stored;
    std::array<std::uint8_t, kFooterSize> footer{};
    source_->read(at, footer);
    if (!std::equal(kDoneMark.begin(), kDoneMark.end(), footer.begin() + 4))
        throw StateError(quote(entry.name) + " does not end where it says");
    entry.crc = static_cast<std::uint32_t>(get_number(std::span(footer).first(4)));
    at += kFooterSize;
    return entry;
}

void StateReader::read_sections() {
    const std::uint64_t end = source_->size() - kEndSize;
    std::array<std::uint8_t, kEndSize> last{};
    source_->read(end, last);
    if (!begins_with(last, kEndMark)) throw StateError("the state is cut short: its end is not there");
    if (!sealed(last)) throw StateError("the state's end is damaged");
    if (get_number(std::span(last).subspan(8, 8)) != end)
        throw StateError("the state's end says that it has another length");
    std::uint32_t sum = 0;
    for (std::uint64_t at = kHeaderSize; at < end;) {
        if (entries_.size() == kMostSections) throw StateError("the state has too many sections");
        entries_.push_back(read_section(at, end));
        std::vector<std::uint8_t> crc;
        put_number(crc, entries_.back().crc, 4);
        sum = crc32(crc, sum);
    }
    if (get_number(std::span(last).subspan(4, 4)) != entries_.size() ||
        get_number(std::span(last).subspan(16, 4)) != sum)
        throw StateError("the state's sections are not those that its end names");
}

const StateEntry* StateReader::find(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [name](const StateEntry& entry) { return entry.name == name; });
    return found == entries_.end() ? nullptr : &*found;
}

const StateEntry& StateReader::get(std::string_view name, Type type) const {
    const StateEntry* const entry = find(name);
    if (!entry) throw StateError("the state has no " + quote(std::string(name)));
    if (entry->type != type)
        throw StateError(quote(entry->name) + " is " + type_name(entry->type) + ", not " + type_name(type));
    return *entry;
}

std::vector<std::uint8_t> StateReader::payload(const StateEntry& entry) const {
    if (!entry.known()) throw StateError(quote(entry.name) + " is of a kind that this program does not know");
    if (entry.type != Type::Pages && entry.raw > kMostRaw)
        throw StateError(quote(entry.name) + " is larger than any can be");
    std::vector<std::uint8_t> bytes(entry.stored); // within the file, so paid for
    source_->read(entry.offset, bytes);
    if (crc32(bytes) != entry.crc) throw StateError(quote(entry.name) + " is damaged");
    if (!(entry.flags & kZstd)) return bytes;
    return decompress(bytes, entry.raw, quote(entry.name));
}

StateSection StateReader::fields(const StateEntry& entry) const {
    const std::vector<std::uint8_t> bytes = payload(entry);
    std::span<const std::uint8_t> rest = bytes;
    StateSection section;
    try {
        section = take_section(rest);
    } catch (const StateError& error) {
        throw StateError(quote(entry.name) + ": " + error.what());
    }
    if (!rest.empty()) throw StateError(quote(entry.name) + ": more than its fields is in it");
    if (section.name != entry.name) throw StateError(quote(entry.name) + ": another name is in it");
    return section;
}

std::string StateReader::text(const StateEntry& entry) const {
    const std::vector<std::uint8_t> bytes = payload(entry);
    return {bytes.begin(), bytes.end()};
}

} // namespace btvm
