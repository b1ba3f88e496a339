#include "userland/devices/state.hh"

#include <algorithm>

namespace btvm {

StateArchive::StateArchive(StateSection* into, const StateSection* from, Media media)
    : into_(into), from_(from), out_(into ? &into->fields : nullptr), media_(media), source_{nullptr, {}, 0} {
    if (from) source_ = Source{&from->fields, std::vector<bool>(from->fields.size()), 0};
}

void StateArchive::version(std::uint32_t version) {
    program_version_ = version;
    if (!loading())
        into_->version = version;
    else if (from_->version > version)
        throw StateError(from_->name + ": saved by a newer program (version " +
                         std::to_string(from_->version) + ", this one reads up to " +
                         std::to_string(version) + ")");
}

StateNode StateArchive::make_node(std::string_view name, StateNode::Type type) const {
    const auto same = [&](const StateNode& n) { return n.name == name; };
    if (name.empty() || std::any_of(out_->begin(), out_->end(), same))
        throw std::logic_error(into_->name + ": field '" + std::string(name) +
                               "' has no name or is declared twice");
    StateNode node;
    node.name = name;
    node.type = type;
    return node;
}

const StateNode* StateArchive::take(std::string_view name, const FieldOptions& options) {
    const auto& fields = *source_.fields;
    // Fields come in the order they were declared in, so the next one is nearly always the right one.
    const std::size_t start = source_.next;
    for (std::size_t k = 0; k < fields.size(); k++) {
        const std::size_t i = (start + k) % fields.size();
        if (source_.used[i] || fields[i].name != name) continue;
        if (options.since > from_->version)
            fail(name, "does not exist before version " + std::to_string(options.since));
        source_.used[i] = true;
        source_.next = i + 1;
        return &fields[i];
    }
    if (options.since > from_->version) return nullptr;
    fail(name, "missing");
}

void StateArchive::expect(const StateNode& node, StateNode::Type type) const {
    if (node.type != type)
        fail(node.name,
             "is " + std::string(type_name(node.type)) + ", expected " + std::string(type_name(type)));
}

void StateArchive::expect_count(const StateNode& node, std::size_t have, std::size_t want) const {
    if (have != want)
        fail(node.name, "has " + std::to_string(have) + " elements, expected " + std::to_string(want));
}

void StateArchive::expect_at_most(const StateNode& node, std::size_t have, std::size_t most) const {
    if (have > most)
        fail(node.name,
             "has " + std::to_string(have) + " elements, at most " + std::to_string(most) + " allowed");
}

void StateArchive::fail(std::string_view field, std::string_view what) const {
    throw StateError(from_->name + ": " + path_ + std::string(field) + ": " + std::string(what));
}

void StateArchive::check(bool ok, std::string_view message) const {
    if (loading() && !ok) throw StateError(from_->name + ": " + path_ + std::string(message));
}

void StateArchive::leave(const Source& source) const {
    for (std::size_t i = 0; i < source.used.size(); i++)
        if (!source.used[i]) fail((*source.fields)[i].name, "unknown field");
}

void StateArchive::finish() {
    if (!loading()) return;
    if (from_->version > program_version_) version(program_version_);
    leave(source_);
}

} // namespace btvm
