// How a device declares its state: once, in describe(), for saving and for loading alike.
//
// clang-format off
//     void Fdc::describe(StateArchive& a) {
//         a.version(2);
//         a.field("msr", msr_);
//         a.field("result", result_, {.below = kResults});      // checked when loading: result_ < kResults
//         a.field("fifo", fifo_);                               // std::array or C array: the length must match
//         a.field("queue", queue_, {.max_count = 16});          // vector, deque, string: at most 16 elements
//         a.field("due", due_);                                 // GuestTime, std::optional<GuestTime>
//         a.field("lock", lock_, {.since = 2});                 // not in version 1: keeps its present value then
//         a.field("seek", seek_, {.present = command_ == Seek}); // condition on fields declared above
//         a.field("drives", drives_);                           // array of structs that have describe() themselves
//         a.group("dma", [&](StateArchive& a) { a.field("channel", channel_); });
//         a.check(head_ < heads(), "head beyond the medium");   // what a single field's limits cannot say
//         if (a.loading()) recompute();                         // what is derived and not saved
//     }
// clang-format on
//
// Scalars are bool, fixed-width integers, enums (as their underlying integer) and GuestTime. A struct is a
// group if it has a member describe(StateArchive&) or a free describe(StateArchive&, T&) is found next to it.
//
// Loading is strict: every declared field must be there with the declared type, and every field that is there
// must be declared. A hostile state can therefore do no more than set fields to values that their limits and
// checks allow.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <type_traits>

#include "userland/devices/device.hh"
#include "userland/devices/state_section.hh"

namespace btvm {

struct FieldOptions {
    /// The first section version that has the field. In older ones it must be absent and the variable stays
    /// as it is.
    std::uint32_t since = 1;
    /// Whether the field exists at all; may depend on what was declared before it.
    bool present = true;
    /// For integers and enums: loading refuses values from here on (and negative ones). 0: any value.
    std::uint64_t below = 0;
    /// For growing containers: loading refuses more elements.
    std::size_t max_count = std::size_t{1} << 20;
};

class StateArchive {
public:
    /// Where what was written to a snapshot's medium is kept: in the section of the drive, or, since it may
    /// be much, elsewhere. Then the fields about it are not there.
    enum class Media : bool { Inside, Elsewhere };

    /// An archive that fills `into`.
    [[nodiscard]] static StateArchive saver(StateSection& into, Media media = Media::Inside) {
        return StateArchive(&into, nullptr, media);
    }
    /// An archive that sets fields from `from`. Call finish() after describing.
    [[nodiscard]] static StateArchive loader(const StateSection& from, Media media = Media::Inside) {
        return StateArchive(nullptr, &from, media);
    }
    [[nodiscard]] bool media_inside() const { return media_ == Media::Inside; }

    [[nodiscard]] bool loading() const { return from_ != nullptr; }
    /// Declares the version of the section that this program writes; 1 if never called. Call it first.
    /// Loading refuses newer sections.
    void version(std::uint32_t version);
    /// The version of the section being loaded, or the one being written.
    [[nodiscard]] std::uint32_t version() const { return loading() ? from_->version : into_->version; }

    /// Declares one field. Throws StateError when loading what does not fit.
    template <class T>
    void field(std::string_view name, T& value, const FieldOptions& options = {});
    /// Declares named fields that `members(archive)` declares.
    template <class F>
    void group(std::string_view name, F&& members, const FieldOptions& options = {});
    /// When loading: throws StateError with `message` unless `ok`.
    void check(bool ok, std::string_view message) const;
    /// When loading: throws StateError if the section has fields nobody declared.
    void finish();

private:
    StateArchive(StateSection* into, const StateSection* from, Media media);

    /// The fields of the group being loaded, and which of them have been asked for.
    struct Source {
        const std::vector<StateNode>* fields;
        std::vector<bool> used;
        std::size_t next = 0;
    };

    [[nodiscard]] StateNode make_node(std::string_view name, StateNode::Type type) const;
    [[nodiscard]] const StateNode* take(std::string_view name, const FieldOptions& options);
    void expect(const StateNode& node, StateNode::Type type) const;
    void expect_count(const StateNode& node, std::size_t have, std::size_t want) const;
    void expect_at_most(const StateNode& node, std::size_t have, std::size_t most) const;
    [[noreturn]] void fail(std::string_view field, std::string_view what) const;
    void leave(const Source& source) const;

    template <class T>
    void save(StateNode& node, T& value);
    template <class T>
    void load(const StateNode& node, T& value, const FieldOptions& options);
    template <class T>
    [[nodiscard]] T scalar(const StateNode& node, std::uint64_t number, const FieldOptions& options) const;
    template <class F>
    void save_members(StateNode& node, F&& members);
    template <class F>
    void load_members(const StateNode& node, std::string_view name, F&& members);

    StateSection* into_;
    const StateSection* from_;
    std::vector<StateNode>* out_;
    Media media_;
    std::uint32_t program_version_ = 1;
    Source source_;
    std::string path_;
};

namespace state_detail {

template <class T>
inline constexpr bool is_time = std::is_same_v<T, GuestTime>;
template <class T>
inline constexpr bool is_scalar = std::is_integral_v<T> || std::is_enum_v<T> || is_time<T>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_fixed = std::is_array_v<T>;
template <class T, std::size_t N>
inline constexpr bool is_fixed<std::array<T, N>> = true;

/// vector, deque, string: what can be resized and walked.
template <class T>
concept Growing = requires(T& t) {
    t.resize(std::size_t{});
    t.begin();
    { t.size() } -> std::convertible_to<std::size_t>;
};

template <class T>
constexpr StateNode::Type scalar_type() {
    using Type = StateNode::Type;
    if constexpr (is_time<T>) {
        return Type::Time;
    } else if constexpr (std::is_enum_v<T>) {
        return scalar_type<std::underlying_type_t<T>>();
    } else if constexpr (std::is_same_v<T, bool>) {
        return Type::Bool;
    } else {
        constexpr Type kUnsigned[] = {Type::U8, Type::U16, Type::U32, Type::U64};
        constexpr Type kSigned[] = {Type::S8, Type::S16, Type::S32, Type::S64};
        constexpr int kIndex = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        return std::is_signed_v<T> ? kSigned[kIndex] : kUnsigned[kIndex];
    }
}

template <class T>
std::uint64_t to_number(const T& value) {
    if constexpr (is_time<T>)
        return static_cast<std::uint64_t>(value.count());
    else
        return static_cast<std::uint64_t>(value);
}

template <class T>
void describe_any(StateArchive& archive, T& value) {
    if constexpr (requires { value.describe(archive); })
        value.describe(archive);
    else
        describe(archive, value); // found next to T
}

} // namespace state_detail

template <class T>
T StateArchive::scalar(const StateNode& node, std::uint64_t number, const FieldOptions& options) const {
    if (options.below && number >= options.below) fail(node.name, "value out of range");
    if constexpr (state_detail::is_time<T>)
        return GuestTime(static_cast<std::int64_t>(number));
    else
        return static_cast<T>(number); // the type matched, so the number fits
}

template <class T>
void StateArchive::save(StateNode& node, T& value) {
    using namespace state_detail;
    using Type = StateNode::Type;
    if constexpr (is_scalar<T>) {
        node.type = scalar_type<T>();
        node.number = to_number(value);
    } else if constexpr (is_optional<T>) {
        if (value) save(node, *value);
    } else if constexpr (is_fixed<T> || Growing<T>) {
        using Element = std::remove_cvref_t<decltype(*std::begin(value))>;
        if constexpr (std::is_same_v<Element, std::uint8_t> || std::is_same_v<Element, char>) {
            node.type = std::is_same_v<Element, char> ? Type::Text : Type::Blob;
            node.bytes.assign(std::begin(value), std::end(value));
        } else if constexpr (is_scalar<Element>) {
            node.type = Type::Array;
            node.element = scalar_type<Element>();
            for (const Element e : value)
                node.numbers.push_back(to_number(e));
        } else {
            node.type = Type::List;
            for (auto& element : value) {
                StateNode child;
                save_members(child, [&](StateArchive& a) { describe_any(a, element); });
                node.children.push_back(std::move(child));
            }
        }
    } else {
        save_members(node, [&](StateArchive& a) { describe_any(a, value); });
    }
}

template <class T>
void StateArchive::load(const StateNode& node, T& value, const FieldOptions& options) {
    using namespace state_detail;
    using Type = StateNode::Type;
    if constexpr (is_scalar<T>) {
        expect(node, scalar_type<T>());
        value = scalar<T>(node, node.number, options);
    } else if constexpr (is_optional<T>) {
        value.reset();
        if (node.type != Type::None) load(node, value.emplace(), options);
    } else if constexpr (is_fixed<T> || Growing<T>) {
        using Element = std::remove_cvref_t<decltype(*std::begin(value))>;
        constexpr bool kText = std::is_same_v<Element, char>;
        constexpr bool kBytes = kText || std::is_same_v<Element, std::uint8_t>;
        expect(node, kText                ? Type::Text
                     : kBytes             ? Type::Blob
                     : is_scalar<Element> ? Type::Array
                                          : Type::List);
        const std::size_t count = kBytes               ? node.bytes.size()
                                  : is_scalar<Element> ? node.numbers.size()
                                                       : node.children.size();
        if constexpr (is_fixed<T>) {
            expect_count(node, count, std::size(value));
        } else {
            expect_at_most(node, count, options.max_count);
            value.resize(count);
        }
        if constexpr (kBytes) {
            if (options.below == 0) { // there may be 64 KiB of them
                std::copy(node.bytes.begin(), node.bytes.end(), std::begin(value));
                return;
            }
        }
        std::size_t i = 0;
        if constexpr (is_scalar<Element> && !kBytes)
            if (node.element != scalar_type<Element>()) fail(node.name, "elements of another type");
        for (auto&& element : value) {
            if constexpr (kBytes)
                element = scalar<Element>(node, node.bytes[i], options);
            else if constexpr (is_scalar<Element>)
                element = scalar<Element>(node, node.numbers[i], options);
            else
                load_members(node.children[i], node.name + '.' + std::to_string(i),
                             [&](StateArchive& a) { describe_any(a, element); });
            i++;
        }
    } else {
        expect(node, Type::Group);
        load_members(node, node.name, [&](StateArchive& a) { describe_any(a, value); });
    }
}

template <class F>
void StateArchive::save_members(StateNode& node, F&& members) {
    node.type = StateNode::Type::Group;
    std::vector<StateNode>* outer = out_;
    out_ = &node.children;
    members(*this);
    out_ = outer;
}

template <class F>
void StateArchive::load_members(const StateNode& node, std::string_view name, F&& members) {
    Source outer = std::move(source_);
    const std::size_t outer_path = path_.size();
    source_ = Source{&node.children, std::vector<bool>(node.children.size()), 0};
    path_.append(name) += '.';
    members(*this);
    leave(source_);
    path_.resize(outer_path);
    source_ = std::move(outer);
}

template <class T>
void StateArchive::field(std::string_view name, T& value, const FieldOptions& options) {
    if (!options.present) return;
    if (loading()) {
        if (const StateNode* node = take(name, options)) load(*node, value, options);
    } else {
        StateNode node = make_node(name, StateNode::Type::None);
        save(node, value);
        out_->push_back(std::move(node));
    }
}

template <class F>
void StateArchive::group(std::string_view name, F&& members, const FieldOptions& options) {
    if (!options.present) return;
    if (loading()) {
        const StateNode* node = take(name, options);
        if (!node) return;
        expect(*node, StateNode::Type::Group);
        load_members(*node, name, members);
    } else {
        StateNode node = make_node(name, StateNode::Type::Group);
        save_members(node, members);
        out_->push_back(std::move(node));
    }
}

/// The state of anything describable, as the section `name`.
template <class T>
[[nodiscard]] StateSection save_state(std::string_view name, T& described,
                                      StateArchive::Media media = StateArchive::Media::Inside) {
    StateSection section;
    section.name = name;
    StateArchive archive = StateArchive::saver(section, media);
    state_detail::describe_any(archive, described);
    return section;
}

/// Puts a saved state back. On StateError `described` has the state it had before.
template <class T>
void load_state(T& described, const StateSection& section,
                StateArchive::Media media = StateArchive::Media::Inside) {
    const StateSection backup = save_state(section.name, described, media);
    const auto apply = [&](const StateSection& from) {
        StateArchive archive = StateArchive::loader(from, media);
        state_detail::describe_any(archive, described);
        archive.finish();
    };
    try {
        apply(section);
    } catch (...) {
        try {
            apply(backup);
        } catch (const StateError&) {
            // A device that was never reset may be in no state that can be loaded; the first error is what
            // counts.
        }
        throw;
    }
}

[[nodiscard]] inline StateSection save_state(Device& device,
                                             StateArchive::Media media = StateArchive::Media::Inside) {
    return save_state(device.name(), device, media);
}

} // namespace btvm
