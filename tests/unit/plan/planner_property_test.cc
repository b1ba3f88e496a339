// Random small programs, as real instruction bytes: whatever the graph, the number of breakpoints and the
// planner, no path from the start of a plan gets past its breakpoints.
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

#include "tests/unit/plan/code_world.hh"
#include "vmm/plan/check.hh"

namespace btvm::test {
namespace {

enum class Kind { Plain, Conditional, Jump, Pointer, Sensitive, Unrecognised, SelfTrapping };

struct Line {
    Kind kind;
    u64 length;
    u64 target; ///< Of Conditional and Jump.
};

/// A program whose instructions are known by construction, not by the decoder under test.
class RandomProgram {
public:
    RandomProgram(u64 seed, u32 blocks) : random_(seed) {
        std::vector<u64> starts;
        u64 at = 0x1000 + pick(0x1000);
        // Two passes: lay the blocks out, then write the branches. Blocks fall through into each other, and
        // gaps of a few hundred bytes put some of them on other pages and across page ends.
        struct Ending {
            u64 at;
            Kind kind;
            bool near;
        };
        std::vector<Ending> endings;
        for (u32 b = 0; b < blocks; b++) {
            starts.push_back(at);
            for (u64 n = pick(6); n > 0; n--)
                plain(at);
            const Kind kind = ending();
            endings.push_back({at, kind, false});
            at += 6; // The longest ending; shorter ones are padded with NOPs.
            if (pick(5) == 0) {
                endings.push_back({at, Kind::Jump, true}); // Over a gap.
                at += 5 + pick(1200);
            }
        }
        starts.push_back(at);
        add(at, {0x9c}, Kind::Sensitive);
        for (const Ending& e : endings)
            end_block(e.at, e.kind, starts, e.near);
        entry_ = starts[0];
        starts_ = starts;
    }

    CodeWorld w;

    [[nodiscard]] const Line* at(u64 pc) const {
        const auto i = lines_.find(pc);
        return i == lines_.end() ? nullptr : &i->second;
    }
    [[nodiscard]] u64 entry() const { return entry_; }
    [[nodiscard]] const std::vector<u64>& starts() const { return starts_; }
    [[nodiscard]] const std::map<u64, Line>& lines() const { return lines_; }

private:
    u64 pick(u64 n) { return random_() % n; }

    Kind ending() {
        static constexpr Kind kinds[] = {Kind::Conditional, Kind::Conditional,  Kind::Conditional,
                                         Kind::Conditional, Kind::Conditional,  Kind::Jump,
                                         Kind::Jump,        Kind::Plain,        Kind::Pointer,
                                         Kind::Sensitive,   Kind::Unrecognised, Kind::SelfTrapping};
        return kinds[pick(std::size(kinds))];
    }

    void add(u64 pc, std::initializer_list<u8> bytes, Kind kind, u64 target = 0) {
        w.put(pc, bytes);
        lines_[pc] = {kind, bytes.size(), target};
    }
    void plain(u64& at) {
        const u64 from = at;
        switch (pick(5)) {
        case 0: add(at, {0x90}, Kind::Plain); break;                               // nop
        case 1: add(at, {0x89, 0xc8}, Kind::Plain); break;                         // mov eax, ecx
        case 2: add(at, {0xb8, 0x9c, 0x9c, 0x9c, 0xc3}, Kind::Plain); break;       // mov eax, imm32
        case 3: add(at, {0x83, 0xc0, 0x01}, Kind::Plain); break;                   // add eax, 1
        case 4: add(at, {0x8b, 0x80, 0x00, 0x00, 0xfa, 0x00}, Kind::Plain); break; // mov eax, [eax + disp32]
        }
        at += lines_[from].length;
    }
    void end_block(u64 at, Kind kind, const std::vector<u64>& starts, bool near) {
        const u64 begin = at;
        const auto next = std::upper_bound(starts.begin(), starts.end(), at);
        u64 target = near ? *next : starts[pick(starts.size())];
        switch (kind) {
        case Kind::Plain: break;
        case Kind::Conditional: {
            const u64 distance = target - at - 2;
            if (static_cast<s64>(distance) == static_cast<s8>(distance) && pick(2)) {
                static constexpr u8 kShort[] = {0x70, 0x7f, 0xe0, 0xe2, 0xe3};
                add(at, {kShort[pick(5)], static_cast<u8>(distance)}, Kind::Conditional, target);
            } else {
                w.jcc(at, target);
                lines_[at] = {Kind::Conditional, 6, target};
            }
            break;
        }
        case Kind::Jump:
            if (!near && pick(2))
                w.call(at, target);
            else
                w.jmp(at, target);
            lines_[at] = {Kind::Jump, 5, target};
            break;
        case Kind::Pointer:
            if (pick(2))
                add(at, {0xc3}, kind);
            else
                add(at, {0xff, 0xe0}, kind);
            break;
        case Kind::Sensitive:
            switch (pick(3)) {
            case 0: add(at, {0x9c}, kind); break;       // pushf
            case 1: add(at, {0x8c, 0xd8}, kind); break; // mov eax, ds
            case 2: add(at, {0xcf}, kind); break;       // iret
            }
            break;
        case Kind::Unrecognised: add(at, {0x0f, 0x04}, kind); break;
        case Kind::SelfTrapping:
            if (pick(2))
                add(at, {0xfa}, kind); // cli
            else
                add(at, {0xe6, 0x80}, kind); // out 80h, al
            break;
        }
        if (kind != Kind::Plain) at += lines_[begin].length;
        if (!near)
            for (; at < begin + 6; at++)
                add(at, {0x90}, Kind::Plain);
    }

    std::mt19937_64 random_;
    std::map<u64, Line> lines_;
    u64 entry_{};
    std::vector<u64> starts_;
};

/// The reference: follows every path instruction by instruction until each has ended at a breakpoint or at an
/// instruction that traps by itself. Returns what is wrong, or an empty string.
std::string follow_all_paths(const RandomProgram& program, const Plan& plan, const CodeWorld& w) {
    std::set<u64> seen;
    std::vector<u64> work;
    const auto go = [&](u64 pc, bool resumed) {
        if ((!plan.has(pc) || resumed) && seen.insert(pc).second) work.push_back(pc);
    };
    go(plan.pc, plan.needs_rf);
    while (!work.empty()) {
        const u64 pc = work.back();
        work.pop_back();
        const Line* line = program.at(pc);
        char where[64];
        snprintf(where, sizeof where, " at %llx", static_cast<unsigned long long>(pc));
        if (!line) return std::string("left the program") + where;
        for (u64 page = pc >> kPageShift; page <= (pc + line->length - 1) >> kPageShift; page++) {
            if (!(w.state(page) & page_state::kCode)) return std::string("runs in an unwatched page") + where;
            if (plan.pages.find(page) < 0)
                return std::string("runs in a page the plan does not know") + where;
        }
        switch (line->kind) {
        case Kind::Plain: go(pc + line->length, false); break;
        case Kind::Conditional:
            go(pc + line->length, false);
            go(line->target, false);
            break;
        case Kind::Jump: go(line->target, false); break;
        case Kind::SelfTrapping: break;
        case Kind::Pointer: return std::string("a pointer branch runs untrapped") + where;
        case Kind::Sensitive: return std::string("a sensitive instruction runs untrapped") + where;
        case Kind::Unrecognised: return std::string("an unrecognised instruction runs untrapped") + where;
        }
    }
    return "";
}

struct Case {
    PlannerKind kind;
    u8 breakpoints;
};

class PlannerProperty : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(
    All, PlannerProperty,
    testing::Values(Case{PlannerKind::BreadthFirst, 1}, Case{PlannerKind::BreadthFirst, 2},
                    Case{PlannerKind::BreadthFirst, 3}, Case{PlannerKind::BreadthFirst, 4},
                    Case{PlannerKind::Lookahead, 1}, Case{PlannerKind::Lookahead, 2},
                    Case{PlannerKind::Lookahead, 3}, Case{PlannerKind::Lookahead, 4}),
    [](const auto& info) {
        return std::string(info.param.kind == PlannerKind::Lookahead ? "Lookahead" : "Breadth") +
               std::to_string(info.param.breakpoints);
    });

TEST_P(PlannerProperty, NoPathGetsPast) {
    for (u64 seed = 0; seed < 80; seed++) {
        RandomProgram program(seed, 4 + seed % 40);
        CodeWorld& w = program.w;
        std::mt19937_64 random(seed);
        for (const auto& [pc, line] : program.lines()) {
            // Small budgets at times, so that plans are cut at odd places.
            PlannerOptions options;
            options.kind = GetParam().kind;
            options.breakpoints = GetParam().breakpoints;
            if (random() % 4 == 0)
                options.budget = {static_cast<u32>(random() % 60), static_cast<u32>(random() % 20),
                                  static_cast<u32>(random() % 10)};
            const Plan plan = w.plan(pc, options);
            ASSERT_LE(plan.count, options.breakpoints);
            for (u32 i = 1; i < plan.count; i++)
                ASSERT_LT(plan.address[i - 1], plan.address[i]);
            const bool must_stop =
                line.kind == Kind::Pointer || line.kind == Kind::Sensitive || line.kind == Kind::Unrecognised;
            const bool may_stop = must_stop || line.kind == Kind::Conditional;
            if (plan.stop_at_pc) {
                ASSERT_TRUE(may_stop) << "seed " << seed << std::hex << " pc " << pc;
                ASSERT_EQ(plan.count, 0);
                if (!must_stop && options.breakpoints >= 2)
                    FAIL() << "both sides of one branch fit into two: seed " << seed << std::hex << " pc "
                           << pc;
                continue;
            }
            ASSERT_FALSE(must_stop) << "seed " << seed << std::hex << " pc " << pc;
            ASSERT_EQ(plan.has(pc), plan.needs_rf);
            ASSERT_TRUE(current(plan, w.cache()));
            ASSERT_EQ(follow_all_paths(program, plan, w), "") << "seed " << seed << std::hex << " pc " << pc;
            ASSERT_EQ(check_plan(w.view(), plan), Violation::None)
                << "seed " << seed << std::hex << " pc " << pc;
        }
    }
}

TEST_P(PlannerProperty, ThePlantedBugIsFound) {
    u32 wrong = 0, found = 0;
    for (u64 seed = 0; seed < 40; seed++) {
        RandomProgram program(seed, 4 + seed % 40);
        for (const auto& [pc, line] : program.lines()) {
            PlannerOptions options;
            options.kind = GetParam().kind;
            options.breakpoints = GetParam().breakpoints;
            options.leave_one_out = true;
            const Plan plan = program.w.plan(pc, options);
            if (plan.stop_at_pc) continue;
            const bool bad = !follow_all_paths(program, plan, program.w).empty();
            const bool caught = check_plan(program.w.view(), plan) != Violation::None;
            ASSERT_TRUE(caught || !bad) << "seed " << seed << std::hex << " pc " << pc;
            wrong += bad;
            found += bad && caught;
        }
    }
    EXPECT_GT(wrong, 500u);
    EXPECT_EQ(found, wrong);
}

struct Walk {
    u64 instructions{};
    u64 traps{};
    u64 violations{};
};

/// Runs a program as the monitor would: natively under a plan with each step checked, emulating at each trap.
/// All outcomes (branches, pointer targets) are taken from the seed in order of execution, so every planner
/// sees one run.
Walk run(RandomProgram& program, u64 seed, const PlannerOptions& options, u64 length) {
    Walk walk;
    std::mt19937_64 random(seed);
    u64 pc = program.entry();
    const auto execute = [&] {
        const Line& line = *program.at(pc);
        const u64 outcome = random();
        walk.instructions++;
        switch (line.kind) {
        case Kind::Conditional: pc = outcome % 3 ? line.target : pc + line.length; break;
        case Kind::Jump: pc = line.target; break;
        case Kind::Pointer: pc = program.starts()[outcome % program.starts().size()]; break;
        default: pc = program.at(pc + line.length) ? pc + line.length : program.entry();
        }
    };
    const auto native = [&] {
        const Kind k = program.at(pc)->kind;
        return k == Kind::Plain || k == Kind::Conditional || k == Kind::Jump;
    };
    while (walk.instructions < length) {
        if (!native()) {
            execute(); // emulated
            continue;
        }
        const Plan plan = program.w.plan(pc, options);
        if (plan.stop_at_pc) {
            execute();
            walk.traps++;
            continue;
        }
        u64 previous = kNoPreviousPc;
        bool resumed = plan.needs_rf;
        while (walk.instructions < length) {
            if (check_step(program.w.view(), previous, pc, plan) != Violation::None) walk.violations++;
            if ((plan.has(pc) && !resumed) || program.at(pc)->kind == Kind::SelfTrapping || !native()) break;
            resumed = false;
            previous = pc;
            execute();
        }
        walk.traps++;
    }
    return walk;
}

TEST(PlannerRuns, MoreBreakpointsTrapLess) {
    for (const PlannerKind kind : {PlannerKind::BreadthFirst, PlannerKind::Lookahead}) {
        u64 before = ~u64{0};
        for (u8 n = 1; n <= 4; n++) {
            u64 traps = 0;
            for (u64 seed = 0; seed < 25; seed++) {
                RandomProgram program(seed, 30);
                PlannerOptions options;
                options.kind = kind;
                options.breakpoints = n;
                const Walk walk = run(program, seed, options, 1500);
                ASSERT_EQ(walk.violations, 0u) << "seed " << seed;
                traps += walk.traps;
            }
            EXPECT_LE(traps, before) << "with " << int{n} << " breakpoints";
            before = traps;
            RecordProperty((kind == PlannerKind::Lookahead ? "lookahead_" : "breadth_") + std::to_string(n),
                           std::to_string(traps));
        }
    }
}

TEST(PlannerRuns, LookaheadTrapsNoMoreThanBreadthFirst) {
    u64 breadth = 0, lookahead = 0;
    for (u64 seed = 0; seed < 30; seed++) {
        RandomProgram program(seed, 30);
        PlannerOptions options;
        options.breakpoints = 2;
        breadth += run(program, seed, options, 1500).traps;
        options.kind = PlannerKind::Lookahead;
        lookahead += run(program, seed, options, 1500).traps;
    }
    EXPECT_LE(lookahead, breadth);
}

TEST(PlannerRuns, StepChecksFindThePlantedBug) {
    u32 runs = 0;
    for (u64 seed = 0; seed < 25; seed++) {
        RandomProgram program(seed, 30);
        PlannerOptions options;
        options.leave_one_out = true;
        runs += run(program, seed, options, 1000).violations > 0;
    }
    EXPECT_GE(runs, 20u) << "a run may be lucky and never come where the breakpoint is missing; most are not";
}

} // namespace
} // namespace btvm::test
