#include "tests/unit/decode/capstone_oracle.hh"

#include <cstdlib>
#include <stdexcept>

namespace btvm::test {

namespace {

bool has_group(const cs_insn& i, unsigned group) {
    for (unsigned n = 0; n < i.detail->groups_count; ++n)
        if (i.detail->groups[n] == group) return true;
    return false;
}

bool names_segment_register(const cs_x86& x) {
    for (unsigned n = 0; n < x.op_count; ++n) {
        if (x.operands[n].type != X86_OP_REG) continue;
        switch (x.operands[n].reg) {
        case X86_REG_CS:
        case X86_REG_DS:
        case X86_REG_ES:
        case X86_REG_FS:
        case X86_REG_GS:
        case X86_REG_SS: return true;
        default: break;
        }
    }
    return false;
}

bool names_control_register(const cs_x86& x) {
    for (unsigned n = 0; n < x.op_count; ++n) {
        if (x.operands[n].type != X86_OP_REG) continue;
        const unsigned reg = x.operands[n].reg;
        if (reg >= X86_REG_CR0 && reg <= X86_REG_DR15) return true;
    }
    return false;
}

/// The class that DESIGN.md asks for, by mnemonic: written without a look at the decoder's tables.
InstructionClass class_by_id(const cs_insn& i) {
    const cs_x86& x = i.detail->x86;
    switch (i.id) {
    // Silent at CPL 3
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
    case X86_INS_PUSHFQ:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
    case X86_INS_LDS:
    case X86_INS_LES:
    case X86_INS_LFS:
    case X86_INS_LGS:
    case X86_INS_LSS:
    case X86_INS_LCALL:
    case X86_INS_LJMP:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_SGDT:
    case X86_INS_SIDT:
    case X86_INS_SLDT:
    case X86_INS_STR:
    case X86_INS_SMSW:
    case X86_INS_LAR:
    case X86_INS_LSL:
    case X86_INS_VERR:
    case X86_INS_VERW:
    case X86_INS_ARPL:
    case X86_INS_CPUID:
    case X86_INS_XGETBV:
    case X86_INS_RDFSBASE:
    case X86_INS_RDGSBASE:
    case X86_INS_WRFSBASE:
    case X86_INS_WRGSBASE:
    case X86_INS_INTO:
    case X86_INS_INT1:
    case X86_INS_XSAVE:
    case X86_INS_XSAVE64:
    case X86_INS_XSAVEOPT:
    case X86_INS_XSAVEOPT64:
    case X86_INS_XSAVEC:
    case X86_INS_XSAVEC64:
    case X86_INS_XRSTOR:
    case X86_INS_XRSTOR64:
    case X86_INS_VMCALL:
    case X86_INS_VMMCALL: return InstructionClass::Sensitive;
    // Traps by itself
    case X86_INS_RDTSC:
    case X86_INS_RDTSCP:
    case X86_INS_RDPMC:
    case X86_INS_HLT:
    case X86_INS_CLI:
    case X86_INS_STI:
    case X86_INS_IN:
    case X86_INS_OUT:
    case X86_INS_INSB:
    case X86_INS_INSW:
    case X86_INS_INSD:
    case X86_INS_OUTSB:
    case X86_INS_OUTSW:
    case X86_INS_OUTSD:
    case X86_INS_CLTS:
    case X86_INS_LMSW:
    case X86_INS_INVD:
    case X86_INS_WBINVD:
    case X86_INS_LGDT:
    case X86_INS_LIDT:
    case X86_INS_LLDT:
    case X86_INS_LTR:
    case X86_INS_INVLPG:
    case X86_INS_INVPCID:
    case X86_INS_RDMSR:
    case X86_INS_WRMSR:
    case X86_INS_INT3:
    case X86_INS_INT:
    case X86_INS_SWAPGS:
    case X86_INS_MONITOR:
    case X86_INS_MWAIT:
    case X86_INS_XSETBV:
    case X86_INS_CLAC:
    case X86_INS_STAC:
    case X86_INS_UD0:
    case X86_INS_UD2:
    case X86_INS_UD2B:
    case X86_INS_SYSCALL:
    case X86_INS_SYSENTER:
    case X86_INS_SYSEXIT:
    case X86_INS_SYSRET:
    case X86_INS_RSM:
    case X86_INS_GETSEC:
    case X86_INS_XSAVES:
    case X86_INS_XSAVES64:
    case X86_INS_XRSTORS:
    case X86_INS_XRSTORS64:
    case X86_INS_VMLAUNCH:
    case X86_INS_VMRESUME:
    case X86_INS_VMXOFF:
    case X86_INS_VMXON:
    case X86_INS_VMCLEAR:
    case X86_INS_VMPTRLD:
    case X86_INS_VMPTRST:
    case X86_INS_VMREAD:
    case X86_INS_VMWRITE:
    case X86_INS_INVEPT:
    case X86_INS_INVVPID:
    case X86_INS_VMRUN:
    case X86_INS_VMLOAD:
    case X86_INS_VMSAVE:
    case X86_INS_STGI:
    case X86_INS_CLGI:
    case X86_INS_SKINIT:
    case X86_INS_INVLPGA: return InstructionClass::Privileged;
    case X86_INS_MOV:
        if (names_segment_register(x)) return InstructionClass::Sensitive;
        return names_control_register(x) ? InstructionClass::Privileged : InstructionClass::Plain;
    case X86_INS_PUSH:
    case X86_INS_POP:
        return names_segment_register(x) ? InstructionClass::Sensitive : InstructionClass::Plain;
    case X86_INS_JMP:
    case X86_INS_CALL:
        return x.operands[0].type == X86_OP_IMM ? InstructionClass::UnconditionalBranch
                                                : InstructionClass::PointerBranch;
    case X86_INS_RET: return InstructionClass::PointerBranch;
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE: return InstructionClass::ConditionalBranch;
    case X86_INS_XBEGIN: return InstructionClass::Unrecognised;
    default: return has_group(i, CS_GRP_JUMP) ? InstructionClass::ConditionalBranch : InstructionClass::Plain;
    }
}

} // namespace

CapstoneOracle::CapstoneOracle(CodeSize size) {
    const cs_mode mode = size == CodeSize::Bits16   ? CS_MODE_16
                         : size == CodeSize::Bits32 ? CS_MODE_32
                                                    : CS_MODE_64;
    if (cs_open(CS_ARCH_X86, mode, &handle_) != CS_ERR_OK) throw std::runtime_error("cs_open failed");
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = cs_malloc(handle_);
}

CapstoneOracle::~CapstoneOracle() {
    cs_free(instruction_, 1);
    cs_close(&handle_);
}

CapstoneView CapstoneOracle::view(const Encoding& encoding, bool with_text) {
    const uint8_t* code = encoding.data();
    size_t left = encoding.size();
    uint64_t address = 0x1000;
    CapstoneView out;
    if (!cs_disasm_iter(handle_, &code, &left, &address, instruction_)) return out;
    out.length = instruction_->size;
    out.id = instruction_->id;
    out.cls = class_by_id(*instruction_);
    if (with_text) out.text = std::string(instruction_->mnemonic) + " " + instruction_->op_str;
    return out;
}

} // namespace btvm::test
