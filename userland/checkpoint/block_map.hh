// A map from numbers to blocks that is copied at no cost: copies share all they have in common. What is in a
// checkpoint, and what a guest has written to a disk since, are such maps. A change copies the few nodes that
// lead to it, if others share them; two maps are compared by looking only at what they do not share; and to
// drop one takes with it what nobody else has.
//
// It is a tree of nodes with 64 branches each (a persistent radix tree); its depth follows from the largest
// number there can be.
#pragma once

#include <array>
#include <cstddef>

#include "userland/checkpoint/ref.hh"

namespace btvm {

/// `Value` is RefCounted, and copied by own() where it is shared.
template <class Value>
class BlockMap {
public:
    BlockMap() = default;
    /// For numbers below `capacity`.
    explicit BlockMap(std::uint64_t capacity) {
        for (levels_ = 1; levels_ * kBits < 64 && (capacity - 1) >> (levels_ * kBits) != 0;)
            levels_++;
    }

    /// How many numbers have a block.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    [[nodiscard]] const Value* find(std::uint64_t number) const { return look_up(number); }
    [[nodiscard]] Ref<Value> get(std::uint64_t number) const { return Ref<Value>(look_up(number)); }

    /// Puts a block in place of what is there, or, with none, takes it out.
    void set(std::uint64_t number, Ref<Value> block) {
        Ref<RefCounted>& place = unshared_place(number);
        if (place) size_--;
        if (block) size_++;
        place = block;
    }

    /// The block of a number, for writing in this map alone; it must have one.
    [[nodiscard]] Value& own(std::uint64_t number) {
        Ref<RefCounted>& place = unshared_place(number);
        if (place.shared()) place = make_ref<Value>(static_cast<const Value&>(*place));
        return static_cast<Value&>(*place);
    }

    /// Calls f(number, block) for each block in order.
    template <class F>
    void for_each(F f) const {
        compare(nullptr, root_.get(), levels_, 0,
                [&f](std::uint64_t number, const Value*, const Value* block) {
                    if (block) f(number, *block);
                });
    }

    /// Calls f(number, block in a, block in b) in order for each number whose blocks are not one and the same
    /// object; null stands for none. The maps have one capacity.
    template <class F>
    static void for_each_difference(const BlockMap& a, const BlockMap& b, F f) {
        compare(a.root_.get(), b.root_.get(), a.levels_ ? a.levels_ : b.levels_, 0, f);
    }

private:
    static constexpr unsigned kBits = 6;
    static constexpr std::size_t kBranches = 1u << kBits;

    struct Node final : RefCounted {
        std::array<Ref<RefCounted>, kBranches> branch; ///< Nodes, or blocks on the lowest level.
    };

    [[nodiscard]] static std::size_t branch_of(std::uint64_t number, unsigned level) {
        return (number >> (level * kBits)) % kBranches;
    }

    [[nodiscard]] Value* look_up(std::uint64_t number) const {
        RefCounted* at = root_.get();
        for (unsigned level = levels_; at && level-- > 0;)
            at = static_cast<Node*>(at)->branch[branch_of(number, level)].get();
        return static_cast<Value*>(at);
    }

    /// Where a number's block is or would be, with nodes on the way that no other map shares.
    [[nodiscard]] Ref<RefCounted>& unshared_place(std::uint64_t number) {
        Ref<RefCounted>* at = &root_;
        for (unsigned level = levels_; level-- > 0;) {
            if (!*at)
                *at = make_ref<Node>();
            else if (at->shared())
                *at = make_ref<Node>(static_cast<const Node&>(**at));
            at = &static_cast<Node&>(**at).branch[branch_of(number, level)];
        }
        return *at;
    }

    template <class F>
    static void compare(RefCounted* a, RefCounted* b, unsigned levels, std::uint64_t number, const F& f) {
        if (a == b) return;
        if (levels == 0) return f(number, static_cast<const Value*>(a), static_cast<const Value*>(b));
        for (std::size_t i = 0; i < kBranches; i++)
            compare(a ? static_cast<Node*>(a)->branch[i].get() : nullptr,
                    b ? static_cast<Node*>(b)->branch[i].get() : nullptr, levels - 1, number << kBits | i, f);
    }

    Ref<RefCounted> root_;
    unsigned levels_{};
    std::uint64_t size_{};
};

} // namespace btvm
