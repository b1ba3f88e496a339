#include "vmm/plan/search.hh"

namespace btvm {

namespace {

bool traps_by_itself(const PointOfInterest& point) {
    return point.kind == StopKind::Instruction && point.cls == InstructionClass::Privileged;
}

} // namespace

PlanSearch::PlanSearch(CodeView& code, u64 pc, const WalkBudget& budget) : flow_(code, pages_, budget) {
    u8 node;
    // Cannot fail: the table of nodes is empty.
    if (follow(pc, true, node, first_pages_) && node != kNone) reach(node);
}

/// Finds the node that control reaches from `from`, through unconditional branches: they cost no breakpoint,
/// so there is never a reason to stop at one. False: no room for another node.
bool PlanSearch::follow(u64 from, bool first, u8& node, u8& pages) {
    u64 chain[kMaxChain];
    u32 length = 0;
    for (;;) {
        const PointOfInterest point = flow_.walk(from, first && length == 0);
        pages |= point.pages;
        const bool branch =
            point.kind == StopKind::Instruction && point.cls == InstructionClass::UnconditionalBranch;
        if (!branch || length == kMaxChain) return intern(point, node);
        for (u32 i = 0; i < length; i++)
            if (chain[i] == point.pc) {
                // A loop without an exit: only interrupts end it, and they need no breakpoint.
                node = kNone;
                return true;
            }
        chain[length++] = point.pc;
        if (!flow_.target(point, from)) return intern(point, node);
    }
}

/// One address is one node, whatever the walks to it called it: once expanded it stays so, and once a
/// breakpoint stands there it stops control however it comes.
bool PlanSearch::intern(const PointOfInterest& point, u8& node) {
    for (node = 0; node < node_count_; node++)
        if (nodes_[node].point.pc == point.pc) return true;
    if (node_count_ == kMaxNodes) return false;
    nodes_[node_count_++].point = point;
    return true;
}

/// Finds out where both sides of a conditional branch lead.
bool PlanSearch::find_sides(Node& node) {
    const PointOfInterest& point = node.point;
    if (point.kind != StopKind::Instruction || point.cls != InstructionClass::ConditionalBranch) return false;
    u64 taken;
    if (!flow_.target(point, taken)) return false;
    return follow(flow_.following(point), false, node.side[0], node.side_pages) &&
           follow(taken, false, node.side[1], node.side_pages);
}

int PlanSearch::growth(u32 i) {
    const u8 self = position_.frontier[i];
    Node& node = nodes_[self];
    if (node.sides == Unknown) node.sides = find_sides(node) ? Known : Unknowable;
    if (node.sides == Unknowable) return kCannot;
    int change = -1;
    for (u32 s = 0; s < 2; s++) {
        const u8 side = node.side[s];
        if (side == kNone || side == self || (s == 1 && side == node.side[0])) continue;
        if (position_.state[side] == New && !traps_by_itself(nodes_[side].point)) change++;
    }
    return position_.count + change > static_cast<int>(kMaxFrontier) ? kCannot : change;
}

void PlanSearch::expand(u32 i) {
    const u8 self = position_.frontier[i];
    for (u32 j = i + 1; j < position_.count; j++)
        position_.frontier[j - 1] = position_.frontier[j];
    position_.count--;
    position_.state[self] = Expanded;
    for (const u8 side : nodes_[self].side)
        if (side != kNone) reach(side);
}

void PlanSearch::reach(u8 node) {
    if (position_.state[node] != New) return;
    if (traps_by_itself(nodes_[node].point)) {
        position_.state[node] = Trapping;
        return;
    }
    position_.state[node] = Frontier;
    position_.frontier[position_.count++] = node;
}

void PlanSearch::used_pages(CodePages& out) const {
    u8 used = first_pages_;
    for (u32 i = 0; i < node_count_; i++)
        if (position_.state[i] == Expanded) used |= nodes_[i].side_pages;
    out.count = 0;
    for (u32 i = 0; i < pages_.count; i++)
        if (used & 1u << i) out.add(pages_.linear_page[i], pages_.id[i]);
}

} // namespace btvm
