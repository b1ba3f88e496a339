// State sections for people and scripts: text, JSON, differences.
#include <algorithm>
#include <cstdio>

#include "userland/devices/state_section.hh"

namespace btvm {

namespace {

using Type = StateNode::Type;

constexpr std::size_t kBytesALine = 32;

bool is_signed(Type type) { return type >= Type::S8 && type <= Type::Time; }

std::string decimal(Type type, std::uint64_t value) {
    return is_signed(type) ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
}

/// Decimal, and hexadecimal where that tells more.
std::string readable(Type type, std::uint64_t value) {
    if (type == Type::Bool) return value ? "true" : "false";
    if (type == Type::Time) return decimal(type, value) + " ns";
    std::string text = decimal(type, value);
    if (!is_signed(type) && value > 9) {
        char hex[24];
        std::snprintf(hex, sizeof hex, " (%llXh)", static_cast<unsigned long long>(value));
        text += hex;
    }
    return text;
}

std::string hex(const std::uint8_t* bytes, std::size_t count) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * count);
    for (std::size_t i = 0; i < count; i++) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

/// A JSON string. Bytes that are not printable ASCII are escaped one by one: names are ASCII, and foreign
/// text must not be able to leave its quotes or make the output invalid.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u < 0x20 || u > 0x7e) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", u);
            out += escape;
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string quoted(const std::vector<std::uint8_t>& bytes) {
    return quoted(std::string(bytes.begin(), bytes.end()));
}

std::string numbers(const StateNode& node, const char* separator) {
    std::string text;
    for (const std::uint64_t n : node.numbers) {
        if (!text.empty()) text += separator;
        text += node.element == Type::Bool ? (n ? "true" : "false") : decimal(node.element, n);
    }
    return text;
}

void print(std::string& out, const std::vector<StateNode>& fields, int indent) {
    for (std::size_t i = 0; i < fields.size(); i++) {
        const StateNode& node = fields[i];
        // The groups of a list have no names: they go by their number.
        const std::string name = node.name.empty() ? std::to_string(i) : node.name;
        const std::string margin(static_cast<std::size_t>(indent), ' ');
        out += margin + name + ':';
        switch (node.type) {
        case Type::None: out += " none\n"; break;
        case Type::Text: out += ' ' + quoted(node.bytes) + '\n'; break;
        case Type::Array: out += " [" + numbers(node, ", ") + "]\n"; break;
        case Type::Group:
        case Type::List:
            out += '\n';
            print(out, node.children, indent + 2);
            break;
        case Type::Blob:
            out += ' ' + std::to_string(node.bytes.size()) + " bytes\n";
            for (std::size_t at = 0; at < node.bytes.size(); at += kBytesALine) {
                char offset[32];
                std::snprintf(offset, sizeof offset, "  %06zx  ", at);
                const std::size_t count = std::min(kBytesALine, node.bytes.size() - at);
                out += margin + offset + hex(&node.bytes[at], count) + '\n';
            }
            break;
        default: out += ' ' + readable(node.type, node.number) + '\n'; break;
        }
    }
}

std::string json(const StateNode& node);

std::string json_object(const std::vector<StateNode>& fields) {
    std::string out = "{";
    for (const StateNode& node : fields) {
        if (out.size() > 1) out += ',';
        out += quoted(node.name) + ':' + json(node);
    }
    return out + '}';
}

std::string json(const StateNode& node) {
    switch (node.type) {
    case Type::None: return "null";
    case Type::Bool: return node.number ? "true" : "false";
    case Type::Text: return quoted(node.bytes);
    case Type::Blob: return '"' + hex(node.bytes.data(), node.bytes.size()) + '"';
    case Type::Array: return '[' + numbers(node, ",") + ']';
    case Type::Group: return json_object(node.children);
    case Type::List: {
        std::string out = "[";
        for (const StateNode& child : node.children) {
            if (out.size() > 1) out += ',';
            out += json_object(child.children);
        }
        return out + ']';
    }
    default: return decimal(node.type, node.number);
    }
}

/// The value in one line, for differences.
std::string brief(const StateNode& node) {
    switch (node.type) {
    case Type::Group:
    case Type::List: return std::to_string(node.children.size()) + " fields";
    case Type::Blob:
        if (node.bytes.size() > kBytesALine) return std::to_string(node.bytes.size()) + " bytes";
        return hex(node.bytes.data(), node.bytes.size());
    case Type::None: return "none";
    case Type::Text: return quoted(node.bytes);
    case Type::Array: return '[' + numbers(node, ", ") + ']';
    default: return readable(node.type, node.number);
    }
}

void compare(std::vector<std::string>& out, const std::string& path, const std::vector<StateNode>& before,
             const std::vector<StateNode>& after, bool list);

void compare(std::vector<std::string>& out, const std::string& path, const StateNode& a, const StateNode& b) {
    if (a == b) return;
    const bool same_type = a.type == b.type;
    if (same_type && (a.type == Type::Group || a.type == Type::List)) {
        compare(out, a.type == Type::List ? path : path + '.', a.children, b.children, a.type == Type::List);
    } else if (same_type && a.type == Type::Blob && a.bytes.size() == b.bytes.size() &&
               a.bytes.size() > kBytesALine) {
        const auto at = std::mismatch(a.bytes.begin(), a.bytes.end(), b.bytes.begin());
        char text[64];
        std::snprintf(text, sizeof text, ": first difference at %zxh: %02x -> %02x",
                      static_cast<std::size_t>(at.first - a.bytes.begin()), *at.first, *at.second);
        out.push_back(path + text);
    } else {
        out.push_back(path + ": " + brief(a) + " -> " + brief(b));
    }
}

void compare(std::vector<std::string>& out, const std::string& path, const std::vector<StateNode>& before,
             const std::vector<StateNode>& after, bool list) {
    if (list) {
        const std::size_t both = std::min(before.size(), after.size());
        for (std::size_t i = 0; i < both; i++)
            compare(out, path + '.' + std::to_string(i), before[i], after[i]);
        if (before.size() != after.size())
            out.push_back(path + ": " + std::to_string(before.size()) + " -> " +
                          std::to_string(after.size()) + " elements");
        return;
    }
    const auto find = [](const std::vector<StateNode>& in, const std::string& name) {
        return std::find_if(in.begin(), in.end(), [&](const StateNode& n) { return n.name == name; });
    };
    for (const StateNode& a : before) {
        const auto b = find(after, a.name);
        if (b == after.end())
            out.push_back(path + a.name + ": " + brief(a) + " -> absent");
        else
            compare(out, path + a.name, a, *b);
    }
    for (const StateNode& b : after)
        if (find(before, b.name) == before.end()) out.push_back(path + b.name + ": absent -> " + brief(b));
}

} // namespace

std::string_view type_name(Type type) {
    switch (type) {
    case Type::None: return "nothing";
    case Type::Bool: return "bool";
    case Type::U8: return "u8";
    case Type::U16: return "u16";
    case Type::U32: return "u32";
    case Type::U64: return "u64";
    case Type::S8: return "s8";
    case Type::S16: return "s16";
    case Type::S32: return "s32";
    case Type::S64: return "s64";
    case Type::Time: return "time";
    case Type::Text: return "text";
    case Type::Blob: return "blob";
    case Type::Array: return "array";
    case Type::Group: return "group";
    case Type::List: return "list";
    }
    return "of an unknown type";
}

std::string to_text(const StateSection& section) {
    std::string out = section.name + " (version " + std::to_string(section.version) + ")\n";
    print(out, section.fields, 2);
    return out;
}

std::string to_json(const StateSection& section) {
    return "{\"name\":" + quoted(section.name) + ",\"version\":" + std::to_string(section.version) +
           ",\"fields\":" + json_object(section.fields) + '}';
}

std::vector<std::string> differences(const StateSection& before, const StateSection& after) {
    std::vector<std::string> out;
    if (before.name != after.name) out.push_back("name: " + before.name + " -> " + after.name);
    if (before.version != after.version)
        out.push_back("version: " + std::to_string(before.version) + " -> " + std::to_string(after.version));
    compare(out, "", before.fields, after.fields, false);
    return out;
}

} // namespace btvm
