#include "userland/checkpoint/checkpoint_tree.hh"

#include <algorithm>

#include "userland/machine/utf8.hh"

namespace btvm {

void CheckpointTree::check_name(const std::string& name) const {
    if (name.empty()) throw CheckpointError("a checkpoint's name is not empty");
    if (name.size() > kMostName)
        throw CheckpointError("a checkpoint's name has " + std::to_string(kMostName) + " bytes at most");
    // It is printed: it must not be able to do anything to a terminal.
    if (plain(name) != name)
        throw CheckpointError("a checkpoint's name is UTF-8 text without control characters");
    for (const auto& [id, node] : nodes_)
        if (node.name == name) throw CheckpointError("there is a checkpoint \"" + name + "\" already");
}

std::string CheckpointTree::free_name(const std::string& prefix) const {
    for (std::uint64_t number = last_id_ + 1;; number++) {
        const std::string name = prefix + std::to_string(number);
        if (std::none_of(nodes_.begin(), nodes_.end(),
                         [&name](const auto& entry) { return entry.second.name == name; }))
            return name;
    }
}

CheckpointNode& CheckpointTree::add(CheckpointNode node) {
    check_name(node.name);
    node.id = ++last_id_;
    node.parent = present_;
    present_ = node.id;
    return nodes_[node.id] = std::move(node);
}

void CheckpointTree::put_back(CheckpointNode node) {
    check_name(node.name);
    nodes_[node.id] = std::move(node);
}

CheckpointNode& CheckpointTree::find(const std::string& name) {
    for (auto& [id, node] : nodes_)
        if (node.name == name) return node;
    throw CheckpointError("there is no checkpoint \"" + name + "\"");
}

CheckpointNode* CheckpointTree::at(std::uint64_t id) {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

void CheckpointTree::rename(const std::string& name, const std::string& to) {
    CheckpointNode& node = find(name);
    if (name == to) return;
    check_name(to);
    node.name = to;
    node.ring = 0; // somebody cares for it now: it is not thinned out
}

std::vector<std::uint64_t> CheckpointTree::remove(std::uint64_t id) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end()) return {};
    const std::uint64_t parent = found->second.parent;
    nodes_.erase(found);
    if (present_ == id) present_ = parent;
    std::vector<std::uint64_t> children;
    for (auto& [other, node] : nodes_)
        if (node.parent == id) {
            node.parent = parent;
            children.push_back(other);
        }
    return children;
}

void CheckpointTree::add_lines(const Children& children, std::uint64_t parent, const std::string& graph,
                               std::vector<Line>& out) {
    for (;;) {
        const auto found = children.find(parent);
        if (found == children.end()) return;
        const auto& nodes = found->second;
        if (nodes.size() > 1) {
            for (const CheckpointNode* node : nodes) {
                const bool last = node == nodes.back();
                out.push_back({node, graph + (last ? "└─ " : "├─ ")});
                add_lines(children, node->id, graph + (last ? "   " : "│  "), out);
            }
            return;
        }
        out.push_back({nodes.front(), graph});
        parent = nodes.front()->id;
    }
}

std::vector<CheckpointTree::Line> CheckpointTree::lines() const {
    Children children;
    for (const auto& [id, node] : nodes_)
        children[node.parent].push_back(&node);
    std::vector<Line> out;
    add_lines(children, 0, "", out);
    return out;
}

} // namespace btvm
