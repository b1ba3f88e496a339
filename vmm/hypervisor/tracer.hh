// Breakpoint tracing: guest kernel code runs natively at ring 3 under a plan, each trap is answered here, and
// then the next plan stands. The same code runs in the monitor and, with monitor=off, in the host world.
//
// Invariant I3: nothing permanent changes before the last point of failure. Here that is cheap to keep: every
// instruction is emulated by one step of the interpreter, which completes or changes nothing, and a plan
// takes effect only in resume(), which cannot fail.
#pragma once

#include "vmm/native/native_state.hh"
#include "vmm/plan/check.hh"
#include "vmm/world.hh"

namespace btvm {

enum class Verdict : u8 {
    Resume, ///< The trap frame and debug registers are ready: go on at ring 3.
    Leave   ///< World::request tells what the host world is needed for.
};

class Tracer {
public:
    /// So many instructions are interpreted before a segment is guarded: some tenths of a second.
    static constexpr u32 kStepsBeforeGuarding = 200'000;
    /// A guard ends when code was traced so often without need of it.
    static constexpr u32 kTurnsBeforeUnguarding = 20'000;

    Tracer(World& world, View& view);

    /// Answers the trap in the trap frame: an exception that came out of natively running guest code.
    [[nodiscard]] Verdict trap();

    /// Goes on from the processor state in World::cpu: delivers what is pending, emulates what must be
    /// emulated, and plans.
    [[nodiscard]] Verdict proceed();

    /// Interprets guest code that is not the tracer's, for at most `steps` instructions or until it is or the
    /// host world is needed, or (to within a few) until guest time `until_ns`. Host world only.
    void interpret(u32 steps, u64 until_ns = ~u64{0});

    /// Interprets exactly one instruction, whatever it is: what the monitor left because it needs the host's
    /// FPU.
    void interpret_one() { (void)step(); }

    /// Brings guest time up to date and pulses the timer's interrupt line as it is due.
    void update_time();

private:
    enum class Stepped : u8 { On, Leave };

    [[nodiscard]] Verdict on_debug();
    [[nodiscard]] Verdict on_guest_debug(u64 dr6);
    [[nodiscard]] bool faults_for_itself(Vector vector) const;
    [[nodiscard]] Verdict deliver_and_proceed(const Event& event);
    [[nodiscard]] Verdict on_page_fault();
    [[nodiscard]] Verdict on_single_step();
    [[nodiscard]] Verdict read_and_proceed(GuestLinear at, ShadowSide side);
    [[nodiscard]] Verdict emulate_and_proceed();
    [[nodiscard]] Verdict leave(HostRequest why);
    [[nodiscard]] bool x87_is_interpreted() const;
    [[nodiscard]] bool prepare_native(ShadowSide side);
    void forget_stale_translations();
    [[nodiscard]] Verdict resume_user();

    [[nodiscard]] Stepped step();
    [[nodiscard]] Stepped stretch(u32 most, u32& steps);
    [[nodiscard]] u64 next_timer_ns() const;
    void follow_timers();
    void give_owed_tick();
    [[nodiscard]] bool must_arm_timer() const;
    [[nodiscard]] bool between_instructions() const;
    [[nodiscard]] bool takes_nmi() const;
    [[nodiscard]] bool takes_interrupt() const;
    [[nodiscard]] Stepped take_events();
    [[nodiscard]] bool next_uses_fpu() const;
    void note_violation(Violation violation, u64 pc);
    [[nodiscard]] bool resolve_branch();
    void count_emulated(InstructionClass what);
    void note_written_pages();
    void note_translation_changes();
    [[nodiscard]] CodeTranslation translation() const { return {cpu_, view_.memory, &world_.translations}; }
    void protect_new_code();
    void note_delivery(u32 vector, u32 error);

    // guarded_segments.cc
    [[nodiscard]] SegmentSet to_guard() const;
    void guard(SegmentSet segments);
    void note_guardable(SegmentSet segments, u32 steps);
    void review_guards();

    // planned.cc: the first provider.
    [[nodiscard]] const Plan* find_plan();
    [[nodiscard]] bool meets_own_breakpoint() const;
    void run_plan(const Plan& plan);
    [[nodiscard]] const Plan& running_plan() const;
    void note_stop();
    [[nodiscard]] bool verified();
    [[nodiscard]] Verdict resume();

    // execute_only.cc: the second provider.
    [[nodiscard]] bool traces_by_copies() const { return native::traces_by_copies(world_); }
    void drop_copies_of(u32 frame);
    void drop_all_copies();
    void drop_lost_copies();
    [[nodiscard]] u64 copy_bits(ShadowSide side, GuestLinear at, const GuestWalk& walk);
    [[nodiscard]] u32 map_copy(GuestLinear pc);
    [[nodiscard]] bool covered(InstructionClass& what);
    [[nodiscard]] bool meets_copy(GuestLinear at) const;
    [[nodiscard]] Violation check_covered() const;
    [[nodiscard]] Verdict on_int3();
    [[nodiscard]] Verdict resume_copies();

    World& world_;
    View& view_;
    CpuState& cpu_;
    PortBus ports_;
    InterruptControllers controllers_;
    Interpreter interpreter_;
    u64 began_tsc_;
    InstructionClass stopped_at_{
        InstructionClass::Plain}; ///< Known to stand at cpu_.rip, and to be emulated.
};

} // namespace btvm
