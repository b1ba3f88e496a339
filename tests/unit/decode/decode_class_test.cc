// The class of every instruction that is not plain: what invariant I1 rests on.
#include <gtest/gtest.h>
#include <vector>

#include "vmm/decode/instruction.hh"

namespace btvm {

namespace {

using enum InstructionClass;

struct Case {
    const char* name;
    std::vector<u8> bytes;
};

InstructionClass class_of(CodeSize size, const std::vector<u8>& bytes) {
    u8 padded[kMaxInstructionLength] = {};
    std::copy(bytes.begin(), bytes.end(), padded);
    Instruction i;
    EXPECT_EQ(decode(padded, sizeof padded, size, i), DecodeStatus::Ok);
    return i.cls;
}

void expect_class(InstructionClass cls, const std::vector<Case>& cases, CodeSize only = CodeSize::Bits32) {
    for (const Case& c : cases) {
        EXPECT_EQ(class_of(only, c.bytes), cls) << c.name;
        if (only == CodeSize::Bits32) {
            EXPECT_EQ(class_of(CodeSize::Bits16, c.bytes), cls) << c.name << ", 16-bit";
        }
    }
}

TEST(DecodeClass, Sensitive) {
    expect_class(Sensitive, {{"pushf", {0x9c}},
                             {"popf", {0x9d}},
                             {"popf with 66", {0x66, 0x9d}},
                             {"iret", {0xcf}},
                             {"push es", {0x06}},
                             {"pop es", {0x07}},
                             {"push cs", {0x0e}},
                             {"push ss", {0x16}},
                             {"pop ss", {0x17}},
                             {"push ds", {0x1e}},
                             {"pop ds", {0x1f}},
                             {"push fs", {0x0f, 0xa0}},
                             {"pop fs", {0x0f, 0xa1}},
                             {"push gs", {0x0f, 0xa8}},
                             {"pop gs", {0x0f, 0xa9}},
                             {"mov eax, cs", {0x8c, 0xc8}},
                             {"mov [eax], ds", {0x8c, 0x18}},
                             {"mov ss, eax", {0x8e, 0xd0}},
                             {"mov es, [eax]", {0x8e, 0x00}},
                             {"les", {0xc4, 0x00}},
                             {"lds", {0xc5, 0x00}},
                             {"lss", {0x0f, 0xb2, 0x00}},
                             {"lfs", {0x0f, 0xb4, 0x00}},
                             {"lgs", {0x0f, 0xb5, 0x00}},
                             {"call far", {0x9a}},
                             {"jmp far", {0xea}},
                             {"ret far n", {0xca}},
                             {"ret far", {0xcb}},
                             {"call far [eax]", {0xff, 0x18}},
                             {"jmp far [eax]", {0xff, 0x28}},
                             {"sldt", {0x0f, 0x00, 0xc0}},
                             {"str", {0x0f, 0x00, 0xc8}},
                             {"verr", {0x0f, 0x00, 0xe0}},
                             {"verw", {0x0f, 0x00, 0xe8}},
                             {"sgdt", {0x0f, 0x01, 0x00}},
                             {"sidt", {0x0f, 0x01, 0x08}},
                             {"smsw", {0x0f, 0x01, 0xe0}},
                             {"smsw [eax]", {0x0f, 0x01, 0x20}},
                             {"vmcall", {0x0f, 0x01, 0xc1}},
                             {"vmmcall", {0x0f, 0x01, 0xd9}},
                             {"xgetbv", {0x0f, 0x01, 0xd0}},
                             {"rdpkru", {0x0f, 0x01, 0xee}},
                             {"wrpkru", {0x0f, 0x01, 0xef}},
                             {"lar", {0x0f, 0x02, 0xc0}},
                             {"lsl", {0x0f, 0x03, 0xc0}},
                             {"arpl", {0x63, 0xc0}},
                             {"cpuid", {0x0f, 0xa2}},
                             {"rdpid", {0xf3, 0x0f, 0xc7, 0xf8}},
                             {"xsave", {0x0f, 0xae, 0x20}},
                             {"xrstor", {0x0f, 0xae, 0x28}},
                             {"xsaveopt", {0x0f, 0xae, 0x30}},
                             {"xsavec", {0x0f, 0xc7, 0x20}},
                             {"into", {0xce}},
                             {"int1", {0xf1}}});
    expect_class(Sensitive,
                 {{"rdfsbase", {0xf3, 0x0f, 0xae, 0xc0}},
                  {"wrgsbase", {0xf3, 0x48, 0x0f, 0xae, 0xd8}},
                  {"iretq", {0x48, 0xcf}},
                  {"retfq", {0x48, 0xcb}}},
                 CodeSize::Bits64);
}

TEST(DecodeClass, Privileged) {
    expect_class(Privileged, {{"hlt", {0xf4}},
                              {"cli", {0xfa}},
                              {"sti", {0xfb}},
                              {"rdtsc", {0x0f, 0x31}},
                              {"rdpmc", {0x0f, 0x33}},
                              {"rdtscp", {0x0f, 0x01, 0xf9}},
                              {"in al, n", {0xe4}},
                              {"in eax, n", {0xe5}},
                              {"out n, al", {0xe6}},
                              {"out n, eax", {0xe7}},
                              {"in al, dx", {0xec}},
                              {"out dx, eax", {0xef}},
                              {"insb", {0x6c}},
                              {"rep insd", {0xf3, 0x6d}},
                              {"outsb", {0x6e}},
                              {"outsd", {0x6f}},
                              {"int3", {0xcc}},
                              {"int n", {0xcd, 0x13}},
                              {"mov eax, cr0", {0x0f, 0x20, 0xc0}},
                              {"mov cr3, eax", {0x0f, 0x22, 0xd8}},
                              {"mov eax, dr7", {0x0f, 0x21, 0xf8}},
                              {"mov dr0, eax", {0x0f, 0x23, 0xc0}},
                              {"lldt", {0x0f, 0x00, 0xd0}},
                              {"ltr", {0x0f, 0x00, 0xd8}},
                              {"lgdt", {0x0f, 0x01, 0x10}},
                              {"lidt", {0x0f, 0x01, 0x18}},
                              {"lmsw", {0x0f, 0x01, 0xf0}},
                              {"invlpg", {0x0f, 0x01, 0x38}},
                              {"monitor", {0x0f, 0x01, 0xc8}},
                              {"mwait", {0x0f, 0x01, 0xc9}},
                              {"clac", {0x0f, 0x01, 0xca}},
                              {"stac", {0x0f, 0x01, 0xcb}},
                              {"xsetbv", {0x0f, 0x01, 0xd1}},
                              {"vmlaunch", {0x0f, 0x01, 0xc2}},
                              {"vmrun", {0x0f, 0x01, 0xd8}},
                              {"syscall", {0x0f, 0x05}},
                              {"clts", {0x0f, 0x06}},
                              {"sysret", {0x0f, 0x07}},
                              {"invd", {0x0f, 0x08}},
                              {"wbinvd", {0x0f, 0x09}},
                              {"ud2", {0x0f, 0x0b}},
                              {"wrmsr", {0x0f, 0x30}},
                              {"rdmsr", {0x0f, 0x32}},
                              {"sysenter", {0x0f, 0x34}},
                              {"sysexit", {0x0f, 0x35}},
                              {"vmread", {0x0f, 0x78, 0xc0}},
                              {"rsm", {0x0f, 0xaa}},
                              {"ud1", {0x0f, 0xb9, 0xc0}},
                              {"ud0", {0x0f, 0xff, 0xc0}},
                              {"xsaves", {0x0f, 0xc7, 0x28}},
                              {"xrstors", {0x0f, 0xc7, 0x18}},
                              {"vmxon", {0xf3, 0x0f, 0xc7, 0x30}},
                              {"invpcid", {0x66, 0x0f, 0x38, 0x82, 0x00}}});
    expect_class(Privileged, {{"swapgs", {0x0f, 0x01, 0xf8}}}, CodeSize::Bits64);
}

TEST(DecodeClass, Branches) {
    for (u8 opcode = 0x70; opcode <= 0x7f; ++opcode) {
        expect_class(ConditionalBranch, {{"jcc rel8", {opcode}}});
        expect_class(ConditionalBranch, {{"jcc rel", {0x0f, static_cast<u8>(opcode + 0x10)}}});
    }
    expect_class(ConditionalBranch,
                 {{"loopne", {0xe0}}, {"loope", {0xe1}}, {"loop", {0xe2}}, {"jcxz", {0x67, 0xe3}}});
    expect_class(UnconditionalBranch,
                 {{"call", {0xe8}}, {"jmp", {0xe9}}, {"jmp short", {0xeb}}, {"jmp rel16", {0x66, 0xe9}}});
    expect_class(PointerBranch, {{"ret", {0xc3}},
                                 {"ret n", {0xc2}},
                                 {"repz ret", {0xf3, 0xc3}},
                                 {"call eax", {0xff, 0xd0}},
                                 {"call [eax]", {0xff, 0x10}},
                                 {"jmp eax", {0xff, 0xe0}},
                                 {"jmp [ebx * 4]", {0xff, 0x24, 0x9d}},
                                 {"notrack jmp eax", {0x3e, 0xff, 0xe0}}});
}

TEST(DecodeClass, BranchSizesIn64BitModeAreNotGuessed) {
    expect_class(Unrecognised, {{"jmp with 66", {0x66, 0xe9}}, {"ret with 66", {0x66, 0xc3}}},
                 CodeSize::Bits64);
    expect_class(UnconditionalBranch, {{"call with 66 and REX.W", {0x66, 0x48, 0xe8}}}, CodeSize::Bits64);
}

TEST(DecodeClass, Plain) {
    expect_class(Plain, {{"bound", {0x62, 0x00}},
                         {"fwait", {0x9b}},
                         {"lahf", {0x9f}},
                         {"sahf", {0x9e}},
                         {"pusha", {0x60}},
                         {"leave", {0xc9}},
                         {"push eax", {0x50}},
                         {"push [eax]", {0xff, 0x30}},
                         {"pop [eax]", {0x8f, 0x00}},
                         {"nop", {0x90}},
                         {"pause", {0xf3, 0x90}},
                         {"nop [eax]", {0x0f, 0x1f, 0x00}},
                         {"endbr32", {0xf3, 0x0f, 0x1e, 0xfb}},
                         {"prefetch", {0x0f, 0x18, 0x08}},
                         {"prefetchw", {0x0f, 0x0d, 0x08}},
                         {"clflush", {0x0f, 0xae, 0x38}},
                         {"clwb", {0x66, 0x0f, 0xae, 0x30}},
                         {"lfence", {0x0f, 0xae, 0xe8}},
                         {"fxsave", {0x0f, 0xae, 0x00}},
                         {"cmpxchg8b", {0x0f, 0xc7, 0x08}},
                         {"rdrand", {0x0f, 0xc7, 0xf0}},
                         {"serialize", {0x0f, 0x01, 0xe8}},
                         {"fninit", {0xdb, 0xe3}},
                         {"salc", {0xd6}},
                         {"popcnt", {0xf3, 0x0f, 0xb8, 0xc0}}});
}

} // namespace

} // namespace btvm
