// The region of the control-flow graph that a planner lets run unseen, and its frontier. Used by the planners
// only.
#pragma once

#include "vmm/base/types.hh"
#include "vmm/cfg/control_flow.hh"

namespace btvm {

class PlanSearch {
public:
    static constexpr u32 kMaxNodes = 40;
    /// Unconditional branches followed in a row.
    static constexpr u32 kMaxChain = 16;
    /// A search may let the frontier grow past the breakpoints for a while (Lookahead).
    static constexpr u32 kMaxFrontier = 12;
    static constexpr u8 kNone = 0xff;

    /// Where a search stands; copied to be able to go back.
    struct Position {
        u8 state[kMaxNodes]{};
        u8 frontier[kMaxFrontier]{}; ///< Nodes, in the order they were reached.
        u8 count{};
    };

    PlanSearch(CodeView& code, u64 pc, const WalkBudget& budget);

    [[nodiscard]] u32 frontier_count() const { return position_.count; }
    [[nodiscard]] const PointOfInterest& frontier(u32 i) const { return nodes_[position_.frontier[i]].point; }
    [[nodiscard]] const Position& position() const { return position_; }
    void go_back(const Position& position) { position_ = position; }

    static constexpr int kCannot = 127;
    /// By how many breakpoints expanding frontier node `i` changes the frontier (-1 to 1), or kCannot.
    [[nodiscard]] int growth(u32 i);
    /// Replaces frontier node `i`, a conditional branch, by what its two sides lead to. growth(i) is not
    /// kCannot.
    void expand(u32 i);

    [[nodiscard]] bool starved() const { return flow_.starved(); }
    /// The pages that the region and its frontier lie in.
    void used_pages(CodePages& out) const;

private:
    enum State : u8 { New, Frontier, Expanded, Trapping };
    enum Sides : u8 { Unknown, Known, Unknowable };

    struct Node {
        PointOfInterest point{};
        Sides sides{Unknown};
        u8 side[2]{kNone, kNone}; ///< The nodes that both sides lead to; kNone: round and round for ever.
        u8 side_pages{};          ///< Walked through on the way there.
    };

    [[nodiscard]] bool follow(u64 from, bool first, u8& node, u8& pages);
    [[nodiscard]] bool intern(const PointOfInterest& point, u8& node);
    [[nodiscard]] bool find_sides(Node& node);
    void reach(u8 node);

    CodePages pages_{};
    ControlFlow flow_;
    Position position_{};
    u8 node_count_{};
    u8 first_pages_{};
    Node nodes_[kMaxNodes]{};
};

} // namespace btvm
