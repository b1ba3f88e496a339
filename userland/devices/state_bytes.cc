// The byte form of state sections; its grammar is in state_section.hh.
#include <algorithm>
#include <limits>

#include "userland/devices/state_section.hh"

namespace btvm {

namespace {

using Type = StateNode::Type;

constexpr std::string_view kMagic = "BTVS";
/// Groups in groups deeper than this are refused: no device needs it, and parsing recurses.
constexpr int kMaxDepth = 16;
/// No device has more fields in one group: comparing two groups takes the square of it.
constexpr std::size_t kMostFields = 1024;
/// Fields and elements of lists in a section. One costs a few bytes there, and a hundred times that here.
constexpr std::size_t kMostNodes = std::size_t{1} << 18;

void put(std::vector<std::uint8_t>& out, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; i++)
        out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

/// A length of `size` bytes (1, 2 or 4).
void put_length(std::vector<std::uint8_t>& out, std::size_t length, std::size_t size) {
    if (length >> 8 * size) throw StateError("a name or value is too long to be saved");
    put(out, length, size);
}

void put_fields(std::vector<std::uint8_t>& out, const std::vector<StateNode>& fields);

void put_group(std::vector<std::uint8_t>& out, const StateNode& node) {
    std::vector<std::uint8_t> body;
    put_fields(body, node.children);
    put_length(out, body.size(), 4);
    out.insert(out.end(), body.begin(), body.end());
}

void put_value(std::vector<std::uint8_t>& out, const StateNode& node) {
    switch (node.type) {
    case Type::Text:
    case Type::Blob:
        put_length(out, node.bytes.size(), 4);
        out.insert(out.end(), node.bytes.begin(), node.bytes.end());
        break;
    case Type::Array:
        out.push_back(static_cast<std::uint8_t>(node.element));
        put_length(out, node.numbers.size(), 4);
        for (const std::uint64_t n : node.numbers)
            put(out, n, scalar_size(node.element));
        break;
    case Type::Group: put_group(out, node); break;
    case Type::List:
        put_length(out, node.children.size(), 4);
        for (const StateNode& child : node.children)
            put_group(out, child);
        break;
    default: put(out, node.number, scalar_size(node.type)); break;
    }
}

void put_fields(std::vector<std::uint8_t>& out, const std::vector<StateNode>& fields) {
    for (const StateNode& node : fields) {
        out.push_back(static_cast<std::uint8_t>(node.type));
        put_length(out, node.name.size(), 1);
        out.insert(out.end(), node.name.begin(), node.name.end());
        put_value(out, node);
    }
}

/// Takes values off the front of a run of bytes; every length is checked against what is left.
class Reader {
public:
    explicit Reader(std::span<const std::uint8_t> in) : in_(in) {}

    [[nodiscard]] bool empty() const { return in_.empty(); }
    [[nodiscard]] std::span<const std::uint8_t> rest() const { return in_; }

    std::span<const std::uint8_t> take(std::uint64_t count) {
        if (count > in_.size()) throw StateError("saved state is cut short");
        const auto front = in_.first(static_cast<std::size_t>(count));
        in_ = in_.subspan(front.size());
        return front;
    }
    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        const auto bytes = take(size);
        for (std::size_t i = 0; i < size; i++)
            value |= static_cast<std::uint64_t>(bytes[i]) << 8 * i;
        return value;
    }
    std::string text(std::size_t length_size) {
        const auto bytes = take(number(length_size));
        return {bytes.begin(), bytes.end()};
    }

private:
    std::span<const std::uint8_t> in_;
};

std::uint64_t read_scalar(Reader& in, Type type) {
    const std::size_t size = scalar_size(type);
    std::uint64_t value = in.number(size);
    if (type == Type::Bool && value > 1) throw StateError("saved state: a bool is neither 0 nor 1");
    if (type >= Type::S8 && type <= Type::S32) { // sign extend
        const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
        value = (value ^ sign) - sign;
    }
    return value;
}

/// Reads a section's fields.
class FieldsReader {
public:
    std::vector<StateNode> group(Reader in, int depth);

private:
    void value(Reader& in, StateNode& node, int depth);
    void count_node() {
        if (++nodes_ > kMostNodes) throw StateError("saved state: more fields than any device has");
    }

    std::size_t nodes_{};
};

/// Names are printed: they must not be able to do anything to a terminal.
bool is_plain(std::string_view name) {
    return std::all_of(name.begin(), name.end(), [](char c) { return c > 0x1f && c < 0x7f; });
}

void FieldsReader::value(Reader& in, StateNode& node, int depth) {
    switch (node.type) {
    case Type::None: break;
    case Type::Text:
    case Type::Blob: {
        const auto bytes = in.take(in.number(4));
        node.bytes.assign(bytes.begin(), bytes.end());
        break;
    }
    case Type::Array: {
        node.element = static_cast<Type>(in.number(1));
        const std::size_t size = scalar_size(node.element);
        if (size == 0) throw StateError("saved state: " + node.name + ": array of what is no scalar");
        const std::uint64_t count = in.number(4);
        Reader elements(in.take(count * size));
        node.numbers.reserve(count);
        while (!elements.empty())
            node.numbers.push_back(read_scalar(elements, node.element));
        break;
    }
    case Type::Group: node.children = group(Reader(in.take(in.number(4))), depth + 1); break;
    case Type::List:
        for (std::uint64_t left = in.number(4); left; left--) {
            count_node();
            StateNode child;
            child.type = Type::Group;
            child.children = group(Reader(in.take(in.number(4))), depth + 1);
            node.children.push_back(std::move(child));
        }
        break;
    default:
        if (scalar_size(node.type) == 0) throw StateError("saved state: " + node.name + ": unknown type");
        node.number = read_scalar(in, node.type);
        break;
    }
}

std::vector<StateNode> FieldsReader::group(Reader in, int depth) {
    if (depth > kMaxDepth) throw StateError("saved state: groups are nested too deeply");
    std::vector<StateNode> fields;
    while (!in.empty()) {
        count_node();
        if (fields.size() == kMostFields) throw StateError("saved state: more fields than any device has");
        StateNode node;
        node.type = static_cast<Type>(in.number(1));
        node.name = in.text(1);
        if (node.name.empty()) throw StateError("saved state: a field has no name");
        if (!is_plain(node.name)) throw StateError("saved state: a field's name is not plain text");
        value(in, node, depth);
        fields.push_back(std::move(node));
    }
    return fields;
}

} // namespace

std::size_t scalar_size(Type type) {
    switch (type) {
    case Type::Bool:
    case Type::U8:
    case Type::S8: return 1;
    case Type::U16:
    case Type::S16: return 2;
    case Type::U32:
    case Type::S32: return 4;
    case Type::U64:
    case Type::S64:
    case Type::Time: return 8;
    default: return 0;
    }
}

void append_bytes(const StateSection& section, std::vector<std::uint8_t>& out) {
    std::vector<std::uint8_t> body;
    put_fields(body, section.fields);
    out.insert(out.end(), kMagic.begin(), kMagic.end());
    put_length(out, section.name.size(), 2);
    out.insert(out.end(), section.name.begin(), section.name.end());
    put(out, section.version, 4);
    put(out, body.size(), 8);
    out.insert(out.end(), body.begin(), body.end());
}

StateSection take_section(std::span<const std::uint8_t>& in) {
    Reader reader(in);
    const auto magic = reader.take(kMagic.size());
    if (!std::equal(magic.begin(), magic.end(), kMagic.begin()))
        throw StateError("saved state: this is not a device's section");
    StateSection section;
    section.name = reader.text(2);
    section.version = static_cast<std::uint32_t>(reader.number(4));
    if (!is_plain(section.name)) throw StateError("saved state: a section's name is not plain text");
    section.fields = FieldsReader().group(Reader(reader.take(reader.number(8))), 0);
    in = reader.rest();
    return section;
}

} // namespace btvm
