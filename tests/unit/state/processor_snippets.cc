// Snippets of the processor's program: each sets or shows some of the state, or both.
#include "tests/unit/state/processor_emitter.hh"

namespace btvm::test::program {

namespace {

class Snippet {
public:
    Snippet(Random& random, std::uint32_t at) : r_(random), at_(at) {}
    Code make() {
        // Whatever the one before has left: mov ss,[cs:kFlat]; mov ds,[cs:kFlat].
        e_.b({0x2e, 0x8e, 0x15}).d(kFlat).b({0x2e, 0x8e, 0x1d}).d(kFlat);
        e_.b({0xbc}).d(kStack).store(kResume, 0).store(kKernelResume, 0);
        body();
        const std::uint32_t end = at_ + static_cast<std::uint32_t>(e_.out.size());
        for (std::size_t i = 0; i < 4; i++) {
            if (!own_resume_) e_.out[kResumeAt + i] = static_cast<std::uint8_t>(end >> 8 * i);
            e_.out[kKernelResumeAt + i] = static_cast<std::uint8_t>(end >> 8 * i);
        }
        return e_.out;
    }

private:
    void body() {
        switch (r_.below(36)) {
        case 0:
        case 1: registers(); break;
        case 2: arithmetic(); break;
        case 3: show_registers(); break;
        case 4:
        case 5: load_segment(); break;
        case 6:
        case 7: use_segment(); break;
        case 8: show_tables(); break;
        case 9: load_tables(); break;
        case 10: user(); break;
        case 11: control_bits(); break;
        case 12: paging(); break;
        case 13: e_.eax(r_.bits()).b({0x0f, 0x22, 0xd0}).b({0x0f, 0x20, 0xd0}).show_eax(); break; // CR2
        case 14: debug_registers(); break;
        case 15: stack_breakpoint(); break;
        case 16: set_msr(); break;
        case 17: show_msr(); break;
        case 18: flags(); break;
        case 19: floating_point(); break;
        case 20: ports(); break;
        case 21: timer(); break;
        case 22: looks_around(); break;
        case 23: ends(); break;
        case 24:
        case 25: load_tables(); break;
        case 26: user(); break;
        case 27: set_msr(); break;
        case 28: show_msr(); break;
        case 29: paging(); break;
        case 30:
        case 31:
        case 32: load_segment(); break;
        case 33:
        case 34:
        case 35: use_segment(); break;
        }
    }
    void registers() {
        for (unsigned n = 1 + r_.below(4); n; n--) {
            const unsigned reg = r_.below(8);
            if (reg != 4) e_.b({0xb8 + reg}).d(r_.bits());
        }
    }
    void arithmetic() {
        static constexpr unsigned kOps[] = {0x01, 0x11, 0x19, 0x29, 0x31, 0x39};
        for (unsigned n = 3; n; n--) {
            const unsigned to = r_.below(8);
            e_.b({r_.one_of(kOps), 0xc0 | r_.below(8) << 3 | (to == 4 ? 0 : to)});
        }
        e_.b({0x9c, 0x58}); // pushfd; pop eax
    }
    void show_registers() {
        for (unsigned reg = 0; reg < 8; reg++)
            e_.b({0x89, 0x05 | reg << 3}).d(kRegisters + 4 * reg);
        e_.b({0x9c, 0x8f, 0x05}).d(kRegisters + 32); // pushfd; pop
        for (unsigned seg = 0; seg < 6; seg++)
            e_.b({0x8c, 0x05 | seg << 3}).d(kRegisters + 36 + 4 * seg); // their selectors
    }
    void load_segment() {
        static constexpr unsigned kSegments[] = {0, 2, 3, 4, 5}; // es, ss, ds, fs, gs
        const unsigned segment = r_.one_of(kSegments);
        const bool stack = segment == 2 && r_.once_in(2); // one that can be one
        e_.eax(stack ? 0x18 : r_.one_of(kDataSelectors)).b({0x8e, 0xc0 | segment << 3});
        if (segment == 2) { // a stack in it, for some instructions
            e_.b({0xbc}).d(0xf0).b({0x68}).d(r_.bits()).b({0x5b, 0x53, 0x5b});
            e_.eax(kData0).b({0x8e, 0xd0, 0xbc}).d(kStack);
        } else if (segment == 3) {
            e_.b({0xa1}).d(0x10).show_eax().b({0xa3}).d(0x14);
        } else {
            for (unsigned n = 2; n; n--)
                access(segment == 0 ? 0x26 : 0x60 | segment); // of es, fs or gs
        }
    }
    void use_segment() {
        static constexpr unsigned kPrefixes[] = {0x26, 0x64, 0x65};
        for (unsigned n = 3; n; n--)
            access(r_.one_of(kPrefixes));
    }
    /// Reads or writes near where segments begin or end.
    void access(unsigned prefix) {
        static constexpr std::uint32_t kOffsets[] = {0, 0x7c, 0x80, 0xfc, 0x100, 0x1fc, 0x7fc, 0xffc, 0x1000};
        e_.b({prefix, r_.once_in(2) ? 0xa3u : 0xa1u}).d(r_.one_of(kOffsets)).show_eax();
    }
    void show_tables() {
        e_.b({0x0f, 0x00, 0x0d}).d(kTables).b({0x0f, 0x00, 0x05}).d(kTables + 4);      // str, sldt
        e_.b({0x0f, 0x01, 0x05}).d(kTables + 8).b({0x0f, 0x01, 0x0d}).d(kTables + 16); // sgdt, sidt
        e_.b({0x0f, 0x20, 0xc0}).show_eax().b({0x0f, 0x20, 0xd8}).show_eax().b({0x0f, 0x20, 0xe0}).show_eax();
    }
    void load_tables() {
        const auto pseudo = [this](std::uint32_t limit, std::uint32_t base, unsigned op) {
            e_.store(kTables + 32, limit << 16).store(kTables + 36, base);
            e_.b({0x0f, 0x01, op}).d(kTables + 34);
        };
        switch (r_.below(4)) {
        case 0: pseudo(0x7f + 8 * r_.below(2), kGdts[r_.below(2)], 0x15); break;
        case 1: pseudo(0x187 + 8 * r_.below(2), kIdts[r_.below(2)], 0x1d); break;
        case 2:
            e_.eax(r_.once_in(4) ? 0 : r_.one_of(kLdtSelectors)).b({0x0f, 0x00, 0xd0}); // lldt
            e_.eax(0x0c).b({0x8e, 0xc0}); // its second segment, if it has two
            break;
        default: // ltr, of one that is not busy in either table
            const unsigned which = r_.below(3);
            for (const std::uint32_t table : kGdts)
                e_.b({0xc6, 0x05}).d(table + kTssSelectors[which] + 5).b({which == 2 ? 0x81u : 0x89u});
            e_.eax(kTssSelectors[which]).b({0x0f, 0x00, 0xd8});
        }
    }
    /// Ring 3 looks at the map of ports, and comes back by the stack of the task.
    void user() {
        for (const std::uint32_t each :
             {std::uint32_t{kData3}, kData + 0x7f00, 0x202u & ~0x200u, std::uint32_t{kCode3}})
            e_.b({0x68}).d(each);
        const std::size_t entry = e_.out.size() + 1;
        e_.b({0x68}).d(0).b({0xcf});
        const std::uint32_t user = at_ + static_cast<std::uint32_t>(e_.out.size());
        e_.b({0xe4, kUserland});
        const std::uint32_t done = at_ + static_cast<std::uint32_t>(e_.out.size());
        e_.b({0xcd, kReturnVector});
        for (std::size_t i = 0; i < 4; i++) {
            e_.out[entry + i] = static_cast<std::uint8_t>(user >> 8 * i);
            e_.out[kResumeAt + i] = static_cast<std::uint8_t>(done >> 8 * i);
        }
        own_resume_ = true;
    }
    void control_bits() {
        // CR0: TS, EM, MP, NE, WP, AM, never CD; CR4: TSD, DE, PGE.
        e_.b({0x0f, 0x20, 0xc0, 0x25})
            .d(~0x5002eu)
            .b({0x0d})
            .d(r_.bits() & (r_.once_in(3) ? 0x5002eu : 0x50022u));
        e_.b({0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xe0, 0x25})
            .d(~0x8cu)
            .b({0x0d})
            .d(r_.bits() & 0x8c)
            .b({0x0f, 0x22, 0xe0});
    }
    void paging() {
        constexpr std::uint32_t kPg = 0x80000000;
        e_.b({0x0f, 0x20, 0xc0, 0x25}).d(~kPg).b({0x0f, 0x22, 0xc0});
        const unsigned kind = r_.below(4);
        const bool pae = kind == 2;
        e_.b({0x0f, 0x20, 0xe0, 0x25}).d(~0x20u).b({0x0d}).d(pae ? 0x20 : 0).b({0x0f, 0x22, 0xe0});
        if (kind == 3) return;
        if (pae) e_.store(kPointers, 0xd001);
        e_.eax(pae ? kPointers : kDirectories[kind]).b({0x0f, 0x22, 0xd8});
        e_.b({0x0f, 0x20, 0xc0, 0x0d}).d(kPg).b({0x0f, 0x22, 0xc0});
        // The processor has them now, whatever becomes of the table (SDM Vol. 3A 4.4.1).
        if (pae) e_.store(kPointers, 0);
    }
    void debug_registers() {
        const unsigned n = r_.below(4);
        e_.eax(kData + 4 * r_.below(4)).b({0x0f, 0x23, 0xc0 | n << 3});
        // Breakpoints on data, of four bytes.
        e_.eax(0x400 | (r_.bits() & 0xff) | 0xffff0000).b({0x0f, 0x23, 0xf8});
        if (r_.once_in(2)) e_.eax(0xffff0ff0 | r_.below(16)).b({0x0f, 0x23, 0xf0});
        e_.b({0xa1}).d(kData + 4 * r_.below(4)).b({0x0f, 0x21, 0xc0 | r_.below(4) << 3}).show_eax();
        e_.b({0x0f, 0x21, 0xf0}).show_eax().b({0x0f, 0x21, 0xf8}).show_eax();
    }
    /// A breakpoint that waits until the stack pointer is loaded, too.
    void stack_breakpoint() {
        e_.store(kData + 0x10, kData0).eax(kData + 0x10).b({0x0f, 0x23, 0xd8}); // dr3
        e_.eax(0xf0000440 | 0x80).b({0x0f, 0x23, 0xf8});
        e_.b({0x8e, 0x15}).d(kData + 0x10).b({0xbc}).d(kStack).b({0x40, 0x90});
        e_.eax(0x400).b({0x0f, 0x23, 0xf8});
    }
    void select_msr(std::uint32_t msr) { e_.b({0xb9}).d(msr); }
    void set_msr() {
        static constexpr std::uint32_t kMsrs[] = {0x10, 0x174, 0x175, 0x176, 0x277, 0x1a0, 0xc0000080};
        const std::uint32_t msr = r_.one_of(kMsrs);
        std::uint32_t low = r_.bits(), high = r_.bits();
        if (msr == 0x10) low = 0, high = r_.below(0x100) << 24 | 0x800000;
        if (msr == 0x277) low = low & 0x01010101, high = high & 0x04040404;
        if (msr == 0xc0000080) low = low & 0x800, high = 0;
        select_msr(msr);
        e_.eax(low).b({0xba}).d(high).b({0x0f, 0x30});
        if (msr != 0x10) e_.b({0x31, 0xc0, 0x0f, 0x32}).show_eax(); // rdmsr
    }
    void show_msr() {
        static constexpr std::uint32_t kMsrs[] = {0x1b, 0x174, 0x175, 0x176, 0x277, 0x1a0, 0xc0000080};
        for (unsigned n = 3; n; n--) {
            select_msr(r_.one_of(kMsrs));
            e_.b({0x0f, 0x32}).show_eax().b({0x52, 0x5a});
        }
        // cli; rdtsc; xor eax,eax; shr edx,24; test edx,edx: its high bits are the same each time.
        e_.b({0xfa, 0x0f, 0x31, 0x31, 0xc0, 0xc1, 0xea, 0x18, 0x85, 0xd2, 0x52, 0x5a});
        e_.eax(1).b({0x0f, 0xa2, 0x52, 0x5a, 0x31, 0xc0}); // cpuid
    }
    void flags() {
        // Status flags, IF, DF, AC, ID, IOPL.
        e_.b({0x68}).d(2 | (r_.bits() & 0x243ed5)).b({0x9d});
        if (r_.once_in(2)) e_.b({0xfb, 0x90, 0x90}); // sti; an interrupt comes one later
        e_.b({0x9c, 0x58}).show_eax();
    }
    void floating_point() {
        if (r_.once_in(4)) e_.b({0xdb, 0xe3});
        e_.store(kData + 0x40, 0x3f800000 | (r_.bits() & 0xffffff));
        for (unsigned n = 1 + r_.below(3); n; n--)
            e_.b({0xd9, 0x05}).d(kData + 0x40).b({0xd8, 0x05}).d(kData + 0x40);
        e_.b({0x0f, 0xae, 0x05}).d(kFpu); // fxsave
        if (r_.once_in(2)) e_.b({0xdd, 0xd8, 0xd9, 0x1d}).d(kData + 0x44);
    }
    void ports() {
        switch (r_.below(4)) {
        case 0: e_.b({0xe6 | r_.below(2), kUserland}); break;
        case 1: e_.b({0xe4 | r_.below(2), kUserland}).show_eax(); break;
        case 2: // rep outsb, outsd
            e_.b({0xbe}).d(kData + 0x20).b({0xb9}).d(1 + r_.below(8)).b({0xba}).d(kUserland);
            e_.b({0xf3, 0x6e | r_.below(2)});
            break;
        default: // rep insb, insd
            e_.b({0xbf}).d(kData + 0x50).b({0x1e, 0x07, 0xb9}).d(1 + r_.below(8)).b({0xba}).d(kUserland);
            e_.b({0xf3, 0x6c | r_.below(2)});
            break;
        }
    }
    void timer() {
        for (const auto& [port, value] : {std::pair{0x20u, 0x11u},
                                          {0x21u, kTimerVector},
                                          {0x21u, 4u},
                                          {0x21u, 1u},
                                          {0x21u, r_.once_in(4) ? 0xffu : 0xf4u},
                                          {0x43u, 0x34u},
                                          {0x40u, 0xa9u},
                                          {0x40u, 4u}})
            e_.b({0xb0, value, 0xe6, port});
    }
    void looks_around() {
        e_.b({0xba}).d(kTimerPort).b({0xed}).show_eax();
        e_.b({0xa1}).d(kData + 0x7000).show_eax();          // what paging leads to
        e_.b({0xa1}).d(0x100000 | kShown).show_eax();       // A20
        e_.b({0xa1}).d(kData + 4 * r_.below(4)).show_eax(); // breakpoints
    }
    void ends() {
        if (r_.once_in(4)) { // a triple fault
            e_.store(kTables + 32, 0).store(kTables + 36, 0).b({0x0f, 0x01, 0x1d}).d(kTables + 32).b({0xcc});
        } else {
            e_.b({0xfa, 0xf4}); // cli; hlt
        }
    }

    static constexpr std::size_t kResumeAt = 25, kKernelResumeAt = 35; ///< What is stored there, in the code.
    Random& r_;
    std::uint32_t at_;
    Emitter e_;
    bool own_resume_{};
};

} // namespace

Code make_snippet(Random& random, std::uint32_t at) { return Snippet(random, at).make(); }

} // namespace btvm::test::program
