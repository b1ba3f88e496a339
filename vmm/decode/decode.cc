// The decoder: prefixes, opcode, ModRM, SIB, displacement, immediate, in the order in which the processor
// fetches them (SDM Vol. 2A 2.1, figure 2-1). It reads each byte once, never past `count` or the 15th, so
// that a strict prefix of an instruction is always Truncated.
#include "vmm/decode/opcode_attributes.hh"
#include "vmm/decode/vector_prefix.hh"

namespace btvm {

namespace {

using namespace opcode;

class Decoder {
public:
    Decoder(const u8* bytes, u32 count, CodeSize size, Instruction& out)
        : bytes_(bytes), count_(count), size_(size), i_(out) {}

    DecodeStatus run() {
        i_ = Instruction{};
        const DecodeStatus status = instruction();
        i_.length = static_cast<u8>(position_);
        if (status != DecodeStatus::Ok) i_.cls = InstructionClass::Unrecognised;
        return status;
    }

private:
    const u8* bytes_;
    u32 count_;
    u32 position_{};
    CodeSize size_;
    Instruction& i_;
    DecodeStatus failure_{DecodeStatus::Ok}; ///< Why the last fetch() gave false.

    /// Takes the next `bytes` (1, 2, 4 or 8) as a little-endian number, zero-extended.
    bool fetch(unsigned bytes, u64& value) {
        value = 0;
        for (unsigned n = 0; n < bytes; ++n) {
            if (position_ == kMaxInstructionLength) {
                failure_ = DecodeStatus::TooLong;
                return false;
            }
            if (position_ == count_) {
                failure_ = DecodeStatus::Truncated;
                return false;
            }
            value |= static_cast<u64>(bytes_[position_++]) << (8 * n);
        }
        return true;
    }

    bool fetch_byte(u8& value) {
        u64 wide = 0;
        const bool ok = fetch(1, wide);
        value = static_cast<u8>(wide);
        return ok;
    }

    static u64 sign_extend(u64 value, unsigned bytes) {
        if (bytes == 0 || bytes >= 8) return value;
        const unsigned shift = 64 - 8 * bytes;
        return static_cast<u64>(static_cast<s64>(value << shift) >> shift);
    }

    DecodeStatus instruction() {
        u8 opcode = 0;
        if (!prefixes(opcode)) return failure_;
        i_.opcode = opcode;
        i_.address_size = size_ == CodeSize::Bits64                          ? (i_.address_prefix ? 4 : 8)
                          : (size_ == CodeSize::Bits32) != i_.address_prefix ? 4
                                                                             : 2;
        bool vector = false;
        if (!starts_vector_prefix(opcode, vector)) return failure_;
        if (vector) return vector_instruction(opcode);

        if (opcode == 0x0f && !escape()) return failure_;
        Attributes a = lookup(i_.map, i_.opcode);
        if (a == kUndefined) return DecodeStatus::Invalid;
        if (a & kModrm) {
            if (!fetch_byte(i_.modrm)) return failure_;
            i_.has_modrm = true;
            if (a & kGroup) {
                const Attributes fixed = a & kIgnoreMod;
                a = refine(i_, size_, a);
                if (a == kUndefined) return DecodeStatus::Invalid;
                a |= fixed;
            }
            // The interpreter shall see the register that the processor sees.
            if (a & kIgnoreMod) i_.modrm |= 0xc0;
        }
        if (!legal(a) || !allows(a, mandatory_of(i_))) return DecodeStatus::Invalid;
        i_.operand_size = operand_size(a);
        if (!memory_operand(a)) return failure_;
        if (i_.map == OpcodeMap::Map0f && i_.opcode == 0x0f) return amd_3dnow_instruction();
        if (!immediate(a)) return failure_;
        i_.cls = ambiguous_branch(a) ? InstructionClass::Unrecognised : class_of(a);
        return DecodeStatus::Ok;
    }

    /// Takes every prefix; `opcode` is the first byte that is none. REX counts only right before the opcode.
    bool prefixes(u8& opcode) {
        while (true) {
            if (!fetch_byte(opcode)) return false;
            switch (opcode) {
            case 0x26: i_.segment = Es; break;
            case 0x2e: i_.segment = Cs; break;
            case 0x36: i_.segment = Ss; break;
            case 0x3e: i_.segment = Ds; break;
            case 0x64: i_.segment = Fs; break;
            case 0x65: i_.segment = Gs; break;
            case 0x66: i_.operand_prefix = true; break;
            case 0x67: i_.address_prefix = true; break;
            case 0xf0: i_.lock = true; break;
            case 0xf2: i_.rep = RepPrefix::Repne; break;
            case 0xf3: i_.rep = RepPrefix::Rep; break;
            default:
                if (size_ != CodeSize::Bits64 || (opcode & 0xf0) != 0x40) return true;
                i_.rex = opcode;
                continue;
            }
            i_.rex = 0;
        }
    }

    /// After 0F: the opcode or a second escape.
    bool escape() {
        i_.map = OpcodeMap::Map0f;
        if (!fetch_byte(i_.opcode)) return false;
        if (i_.opcode == 0x38)
            i_.map = OpcodeMap::Map0f38;
        else if (i_.opcode == 0x3a)
            i_.map = OpcodeMap::Map0f3a;
        else
            return true;
        return fetch_byte(i_.opcode);
    }

    /// Whether operand form and LOCK are allowed.
    [[nodiscard]] bool legal(Attributes a) const {
        const bool long_mode = size_ == CodeSize::Bits64;
        if ((a & kNot64) && long_mode) return false;
        if ((a & kOnly64) && !long_mode) return false;
        if ((a & kMemoryOnly) && !i_.memory_operand()) return false;
        if ((a & kRegisterOnly) && i_.memory_operand()) return false;
        return !i_.lock || ((a & kLockable) && i_.memory_operand());
    }

    [[nodiscard]] u8 operand_size(Attributes a) const {
        if (size_ != CodeSize::Bits64) return (size_ == CodeSize::Bits32) != i_.operand_prefix ? 4 : 2;
        if ((i_.rex & 8) || (a & kForce64)) return 8;
        if (i_.operand_prefix) return 2;
        return a & kDefault64 ? 8 : 4;
    }

    /// 66 on a near branch in 64-bit mode: Intel ignores it, AMD branches to 16 bits. No compiler emits it.
    [[nodiscard]] bool ambiguous_branch(Attributes a) const {
        return size_ == CodeSize::Bits64 && (a & kForce64) && i_.operand_prefix && !(i_.rex & 8);
    }

    /// SIB and displacement (SDM Vol. 2A tables 2-1 to 2-3).
    bool memory_operand(Attributes a) {
        if (!i_.memory_operand() || (a & kIgnoreMod)) return true;
        const u8 mod = i_.mod();
        u8 size = mod == 1 ? 1 : 0;
        if (i_.address_size == 2) {
            if (mod == 2 || (mod == 0 && i_.rm() == 6)) size = 2;
        } else {
            u8 base = i_.rm();
            if (base == 4) {
                if (!fetch_byte(i_.sib)) return false;
                i_.has_sib = true;
                base = i_.sib & 7;
            }
            if (mod == 2 || (mod == 0 && base == 5)) size = 4;
        }
        u64 value = 0;
        if (!fetch(size, value)) return false;
        i_.displacement_size = size;
        i_.displacement = static_cast<s32>(sign_extend(value, size));
        return true;
    }

    bool immediate(Attributes a) {
        const u8 full = i_.operand_size == 2 ? 2 : 4;
        switch (immediate_of(a)) {
        case Immediate::None: return true;
        case Immediate::Byte: return immediates(1, 0);
        case Immediate::Word: return immediates(2, 0);
        case Immediate::Full: return immediates(full, 0);
        case Immediate::Wide: return immediates(i_.operand_size, 0);
        case Immediate::Dword: return immediates(4, 0);
        case Immediate::FarPointer: return immediates(full, 2);
        case Immediate::WordByte: return immediates(2, 1);
        case Immediate::ByteByte: return immediates(1, 1);
        case Immediate::Offset:
            i_.immediate_size = i_.address_size;
            return fetch(i_.address_size, i_.immediate);
        }
        return true;
    }

    bool immediates(u8 first, u8 second) {
        u64 value = 0;
        if (!fetch(first, value)) return false;
        i_.immediate_size = first;
        i_.immediate = sign_extend(value, first);
        if (!fetch(second, value)) return false;
        i_.immediate2_size = second;
        i_.immediate2 = static_cast<u16>(value);
        return true;
    }

    DecodeStatus amd_3dnow_instruction() {
        i_.map = OpcodeMap::Amd3dNow;
        if (!fetch_byte(i_.opcode)) return failure_;
        if (!amd_3dnow(i_.opcode)) return DecodeStatus::Invalid;
        i_.cls = InstructionClass::Plain;
        return DecodeStatus::Ok;
    }

    /// Tells VEX from LES and LDS, EVEX from BOUND, XOP from POP by peeking at the byte that follows: outside
    /// 64-bit mode the older instructions have a memory operand (SDM Vol. 2A 2.3.5; AMD64 APM Vol. 3 1.2.6).
    bool starts_vector_prefix(u8 opcode, bool& vector) {
        if (opcode != 0xc4 && opcode != 0xc5 && opcode != 0x62 && opcode != 0x8f) return true;
        u8 next = 0;
        if (!fetch_byte(next)) return false;
        --position_;
        if (opcode == 0x8f)
            vector = (next & 0x1f) >= 8;
        else
            vector = size_ == CodeSize::Bits64 || next >= 0xc0;
        return true;
    }

    DecodeStatus vector_instruction(u8 escape) {
        u64 payload = 0;
        if (!fetch(vector_payload_size(escape), payload)) return failure_;
        const VectorPrefix prefix = parse_vector_prefix(escape, static_cast<u32>(payload));
        // LOCK, 66, F2, F3 or REX before the prefix, or a map that does not exist (SDM Vol. 2A 2.3.2
        // to 2.3.4).
        if (i_.lock || i_.rep != RepPrefix::None || i_.operand_prefix || i_.rex ||
            prefix.map == OpcodeMap::OneByte)
            return DecodeStatus::Invalid;
        i_.map = prefix.map;
        i_.operand_size = prefix.w && size_ == CodeSize::Bits64 ? 8 : 4;
        if (!fetch_byte(i_.opcode)) return failure_;
        if (vector_has_modrm(prefix.map, i_.opcode)) {
            if (!fetch_byte(i_.modrm)) return failure_;
            i_.has_modrm = true;
        }
        const Attributes a = vector_attributes(prefix, i_, size_);
        if (a == kUndefined) return DecodeStatus::Invalid;
        if (!memory_operand(a) || !immediate(a)) return failure_;
        i_.cls = class_of(a);
        return DecodeStatus::Ok;
    }
};

} // namespace

DecodeStatus decode(const u8* bytes, u32 count, CodeSize size, Instruction& out) {
    return Decoder(bytes, count, size, out).run();
}

} // namespace btvm
