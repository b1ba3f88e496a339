// Tables, handlers and page tables of the processor's program, and all of it put together.
#include "tests/unit/state/processor_emitter.hh"

namespace btvm::test::program {

namespace {

void put64(Code& table, std::size_t at, std::uint64_t value) {
    if (table.size() < at + 8) table.resize(at + 8);
    for (std::size_t i = 0; i < 8; i++)
        table[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
}

/// SDM Vol. 3A 3.4.5. `access`: type and rights, and at bits 12 to 15 G and D.
std::uint64_t descriptor(std::uint32_t base, std::uint32_t limit, unsigned access) {
    return (limit & 0xffff) | std::uint64_t{base & 0xffffff} << 16 | std::uint64_t{access & 0xff} << 40 |
           std::uint64_t{limit >> 16 & 0xf} << 48 | std::uint64_t{access >> 12} << 52 |
           std::uint64_t{base >> 24} << 56;
}

std::uint64_t gate(std::uint16_t selector, std::uint32_t offset, unsigned access) {
    return (offset & 0xffff) | std::uint64_t{selector} << 16 | std::uint64_t{access} << 40 |
           std::uint64_t{offset >> 16} << 48;
}

/// The second one's data segments lie elsewhere.
Code gdt(std::uint32_t shift) {
    Code table(0x80);
    put64(table, kCode0, descriptor(0, 0xfffff, 0xc09b));
    put64(table, kData0, descriptor(0, 0xfffff, 0xc093));
    put64(table, 0x18, descriptor(kData + shift, 0xfff, 0x4093));
    put64(table, 0x20, descriptor(kData + 0x1000 + shift, 0xff, 0x4091));
    put64(table, 0x28, descriptor(kData + 0x2000 + shift, 0x7f, 0x4097)); // expand-down
    for (unsigned i = 0; i < 2; i++)
        put64(table, kLdtSelectors[i], descriptor(kLdts[i], i ? 0xf : 0x7, 0x0082));
    put64(table, kTssSelectors[0], descriptor(kTss[0], 0x67, 0x0089));
    put64(table, kTssSelectors[1], descriptor(kTss[1], 0x7fff, 0x0089)); // with a map of ports
    put64(table, kTssSelectors[2], descriptor(kTss[2], 0x2b, 0x0081));   // of 16 bits
    put64(table, kCode3 & ~7u, descriptor(0, 0xfffff, 0xc0fb));
    put64(table, kData3 & ~7u, descriptor(0, 0xfffff, 0xc0f3));
    return table;
}

Code ldt(std::uint32_t shift) {
    Code table(16);
    put64(table, 0, descriptor(kData + 0x3000 + shift, 0xff, 0x4093));
    put64(table, 8, descriptor(kData + 0x3800 + shift, 0x1ff, 0x4093));
    return table;
}

bool has_error_code(unsigned vector) { return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17; }

struct Handlers {
    std::uint32_t fault, fault_with_code, timer, nmi, debug, back;
};

/// Handlers of exceptions note them and go on at kResume, where the next snippet begins.
Code handlers(Handlers& at) {
    Emitter e;
    const auto here = [&e] { return kHandlers + static_cast<std::uint32_t>(e.out.size()); };
    for (const bool code : {false, true}) {
        (code ? at.fault_with_code : at.fault) = here(); // on the stack: the vector, perhaps a code, EIP
        e.b({0x1e}).flat_ds().b({0x50, 0x8b, 0x44, 0x24, 0x08, 0xa3}).d(kVector); // [esp+8] -> kVector
        e.b({0xff, 0x05}).d(kFaults);
        if (code) e.b({0x8b, 0x44, 0x24, 0x0c, 0xa3}).d(kError);
        e.b({0xa1}).d(kResume).b({0x89, 0x44, 0x24, code ? 0x10u : 0x0cu}); // the EIP to go back to
        e.b({0x58, 0x1f, 0x83, 0xc4, code ? 8u : 4u, 0xcf});
    }
    at.timer = here(); // inc; end of interrupt
    e.b({0x1e}).flat_ds().b({0x50, 0xff, 0x05}).d(kTicks).b({0xb0, 0x20, 0xe6, 0x20, 0x58, 0x1f, 0xcf});
    at.nmi = here();
    e.b({0xe6, kNmiPort, 0xcf});
    at.debug = here(); // DR6 as it is
    e.b({0x1e}).flat_ds().b({0x50, 0x0f, 0x21, 0xf0, 0xa3}).d(kDebugs + 4).b({0xff, 0x05}).d(kDebugs);
    e.b({0x58, 0x1f, 0xcf});
    at.back = here(); // from ring 3
    e.b({0x66, 0xb8, kData0, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8});
    e.b({0xbc}).d(kStack).b({0xff, 0x25}).d(kKernelResume);
    return e.out;
}

/// Each stub pushes its vector, which differs between the two tables, and goes to a handler.
void interrupt_table(unsigned which, const Handlers& at, std::map<std::uint32_t, Code>& memory) {
    Code table;
    Emitter stubs;
    for (unsigned vector = 0; vector <= kReturnVector; vector++) {
        const std::uint32_t stub = kStubs[which] + vector * 8;
        stubs.b({0x6a, vector | which << 6, 0xe9});
        stubs.d((has_error_code(vector) ? at.fault_with_code : at.fault) - (stub + 7)).b({0x90});
        std::uint32_t entry = stub;
        if (vector == 1) entry = at.debug;
        if (vector == 2) entry = at.nmi;
        if (vector >= kTimerVector && vector < kReturnVector) entry = at.timer;
        if (vector == kReturnVector) entry = at.back;
        put64(table, vector * 8, gate(kCode0, entry, vector == kReturnVector ? 0xee : 0x8e));
    }
    memory[kIdts[which]] = table;
    memory[kStubs[which]] = stubs.out;
}

Code task_state(unsigned which) {
    Code tss(which == 1 ? 0x2100 : 0x68);
    const auto put = [&tss](std::size_t at, std::uint32_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; i++)
            tss[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
    };
    const std::uint32_t stack = kStack - 0x40 * (which + 1);
    if (which == 2) { // SDM Vol. 3A figure 8-10
        put(2, 0xfff0, 2);
        put(4, kData0, 2);
    } else {
        put(4, stack, 4);
        put(8, kData0, 4);
        put(0x66, 0x68, 2); // the map of ports; all of it zeros
    }
    return tss;
}

/// Both map all there is to itself, but for one page.
void page_tables(std::map<std::uint32_t, Code>& memory) {
    const auto table = [](std::size_t entries, std::size_t size, std::uint32_t to) {
        Code out(4096);
        for (std::size_t i = 0; i < entries; i++) {
            const std::uint32_t frame =
                i == (kData + 0x7000) >> 12 ? to : static_cast<std::uint32_t>(i << 12);
            for (std::size_t byte = 0; byte < 4; byte++)
                out[i * size + byte] = static_cast<std::uint8_t>((frame | 7) >> 8 * byte);
        }
        return out;
    };
    const auto directory = [](std::uint32_t to) { return Emitter().d(to | 7).out; };
    memory[kDirectories[0]] = directory(0xb000);
    memory[kDirectories[1]] = directory(0xc000);
    memory[0xb000] = table(256, 4, kData + 0x5000);
    memory[0xc000] = table(256, 4, kData + 0x6000);
    memory[0xd000] = directory(0xe000); // PAE: of entries of 8 bytes
    memory[0xe000] = table(256, 8, kData + 0x4000);
}

} // namespace

Code firmware() {
    Emitter e;
    e.b({0xfa, 0x31, 0xc0, 0x8e, 0xd8});                               // cli; ds = 0
    e.b({0x0f, 0x01, 0x16, 0x00, 0x0f, 0x0f, 0x01, 0x1e, 0x08, 0x0f}); // lgdt [0f00h]; lidt [0f08h]
    e.b({0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea}).d(kStart).b({kCode0, 0});
    return e.out;
}

std::map<std::uint32_t, Code> make(Random& random, unsigned snippets) {
    std::map<std::uint32_t, Code> memory;
    for (unsigned i = 0; i < 2; i++) {
        memory[kGdts[i]] = gdt(0x400 * i);
        memory[kLdts[i]] = ldt(0x100 * i);
    }
    for (unsigned i = 0; i < 3; i++)
        memory[kTss[i]] = task_state(i);
    Handlers at{};
    memory[kHandlers] = handlers(at);
    for (unsigned i = 0; i < 2; i++)
        interrupt_table(i, at, memory);
    page_tables(memory);
    Code data(0x8000);
    for (auto& byte : data)
        byte = random.byte();
    memory[kData] = data;
    memory[0xf00] = Emitter().b({0x7f, 0x00}).d(kGdts[0]).b({0, 0}).b({0x87, 0x01}).d(kIdts[0]).out;

    Emitter start; // the stack, flat segments, the task, and to the snippets
    start.b({0x66, 0xb8, kData0, 0x00, 0x8e, 0xd0, 0xbc}).d(kStack);
    start.b({0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8});
    start.b({0xc6, 0x05})
        .d(kGdts[0] + kTssSelectors[0] + 5)
        .b({0x89})
        .eax(kTssSelectors[0])
        .b({0x0f, 0x00, 0xd8});
    start.b({0xff, 0x25}).d(kKernelResume); // where it was before a reset
    memory[kFlat] = {kData0, 0};
    memory[kKernelResume] = Emitter().d(kSnippets).out;
    memory[kStart] = start.out;
    Code& all = memory[kSnippets];
    while (snippets--) {
        const Code one = make_snippet(random, kSnippets + static_cast<std::uint32_t>(all.size()));
        all.insert(all.end(), one.begin(), one.end());
    }
    Emitter again;
    again.b({0xe9}).d(static_cast<std::uint32_t>(-static_cast<int>(all.size()) - 5));
    all.insert(all.end(), again.out.begin(), again.out.end());
    return memory;
}

} // namespace btvm::test::program
