#include "tests/unit/state/leave_out.hh"

#include <algorithm>
#include <sstream>

namespace btvm::test {

namespace {

using Type = StateNode::Type;

const StateNode* child(const std::vector<StateNode>& nodes, bool list, const std::string& name) {
    if (list) {
        const std::size_t index = std::stoul(name);
        return index < nodes.size() ? &nodes[index] : nullptr;
    }
    const auto found =
        std::find_if(nodes.begin(), nodes.end(), [&](const StateNode& n) { return n.name == name; });
    return found == nodes.end() ? nullptr : &*found;
}

/// The field at the path, or null.
const StateNode* find(const Sections& sections, const std::vector<std::string>& names) {
    const auto section = std::find_if(sections.begin(), sections.end(),
                                      [&](const StateSection& s) { return s.name == names[0]; });
    if (section == sections.end()) return nullptr;
    const std::vector<StateNode>* nodes = &section->fields;
    bool list = false;
    const StateNode* node = nullptr;
    for (std::size_t i = 1; i < names.size(); i++) {
        node = child(*nodes, list, names[i]);
        if (!node) return nullptr;
        nodes = &node->children;
        list = node->type == Type::List;
    }
    return node;
}

/// What a variable is before anybody has given it a value.
StateNode blank(const StateNode& node) {
    StateNode zero = node;
    zero.number = 0;
    std::fill(zero.bytes.begin(), zero.bytes.end(), 0);
    std::fill(zero.numbers.begin(), zero.numbers.end(), 0);
    zero.children.clear();
    return zero;
}

using Visit = std::function<void(const std::string& path, bool differs)>;

/// `path` is that of the nodes' owner, and is so again in the end.
void visit_fields(const std::vector<StateNode>& nodes, const std::vector<StateNode>* initial, bool list,
                  std::string& path, const Visit& visit) {
    const std::size_t length = path.size();
    for (std::size_t i = 0; i < nodes.size(); i++) {
        const StateNode& node = nodes[i];
        const std::string name = list ? std::to_string(i) : node.name;
        const StateNode* before = nullptr;
        // Mostly they come in the same order.
        if (initial)
            before = i < initial->size() && (*initial)[i].name == node.name ? &(*initial)[i]
                                                                            : child(*initial, list, name);
        const bool grows = node.type == Type::List && (node.children.empty() || !before ||
                                                       before->children.size() != node.children.size());
        const bool inner = node.type == Type::Group || node.type == Type::List;
        path.append(1, '.').append(name);
        if (inner && !grows)
            visit_fields(node.children, before ? &before->children : nullptr, node.type == Type::List, path,
                         visit);
        else
            visit(path, node != (before ? *before : blank(node)));
        path.resize(length);
    }
}

} // namespace

FieldPath::FieldPath(const std::string& text) {
    std::istringstream in(text);
    for (std::string name; std::getline(in, name, '.');)
        names_.push_back(name);
}

bool FieldPath::leave_out(Sections& sections, const Sections& initial) const {
    const StateNode* const found = find(sections, names_);
    if (!found) return false;
    const StateNode* const before = find(initial, names_);
    const StateNode value = before ? *before : blank(*found);
    if (*found == value) return false;
    *const_cast<StateNode*>(found) = value; // `sections` can be changed
    return true;
}

bool FieldPath::alter(Sections& sections) const {
    auto* const node = const_cast<StateNode*>(find(sections, names_));
    if (!node) return false;
    if (!node->numbers.empty())
        node->numbers[0] ^= 1;
    else if (!node->bytes.empty())
        node->bytes[0] ^= 1;
    else
        node->number ^= 1;
    return true;
}

void for_each_field(const Sections& sections, const Sections& initial, const Visit& field) {
    for (const StateSection& section : sections) {
        const auto before = std::find_if(initial.begin(), initial.end(),
                                         [&](const StateSection& s) { return s.name == section.name; });
        std::string path = section.name;
        visit_fields(section.fields, before == initial.end() ? nullptr : &before->fields, false, path, field);
    }
}

} // namespace btvm::test
