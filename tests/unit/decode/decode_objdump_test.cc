// The vector encodings against binutils' objdump, which knows AVX-512 and what came later. Every opcode of
// every VEX, XOP and EVEX map, every W, vector length and mandatory prefix; the random fields are Capstone's
// part. Differences are explained one by one; they were found with objdump 2.40.
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "tests/unit/decode/objdump_oracle.hh"

namespace btvm::test {

namespace {

struct Comparison {
    CodeSize size{};
    Encoding encoding{};
    bool ok{};
    Instruction ours{};
    ObjdumpView theirs;
};

struct Difference {
    const char* name;
    const char* reason;
    bool (*applies)(const Comparison&);
};

bool is_evex(const Comparison& c) { return c.ours.map >= OpcodeMap::Evex1 && c.ours.map <= OpcodeMap::Evex6; }
bool only_theirs(const Comparison& c) { return !c.ok && c.theirs.length != 0; }
bool only_ours(const Comparison& c) { return c.ok && c.theirs.length == 0; }

/// Whether the encoding is defined with `bits` of payload byte `n` (1 to 3) as given instead.
bool defined_with(const Comparison& c, unsigned n, u8 mask, u8 bits) {
    Encoding e = c.encoding;
    e[n] = static_cast<u8>((e[n] & ~mask) | bits);
    Instruction i;
    return decode(e.data(), e.size(), c.size, i) == DecodeStatus::Ok;
}

bool opcode_between(const Comparison& c, unsigned first, unsigned last) {
    return c.ours.opcode >= first && c.ours.opcode <= last;
}

constexpr Difference kDifferences[] = {
    {"W",
     "objdump accepts any W with most opcodes; the instruction pages say W0 or W1 (SDM Vol. 2A 2.7.11, vol. "
     "2)",
     [](const Comparison& c) {
         return only_theirs(c) && (defined_with(c, 2, 0x80, 0x00) || defined_with(c, 2, 0x80, 0x80));
     }},
    {"mandatory prefix",
     "objdump finds VZEROUPPER, VLDMXCSR, VRSQRT14PS, VDBPSADBW, VPSHLDW and VPSHRDW under every pp, and "
     "AVX-VNNI-INT8 under EVEX, which it did not have before AVX10.2",
     [](const Comparison& c) {
         return only_theirs(c) && (defined_with(c, 2, 0x03, 0) || defined_with(c, 2, 0x03, 1) ||
                                   // with the other W at the same time
                                   defined_with(c, 2, 0x83, 0x00) || defined_with(c, 2, 0x83, 0x80) ||
                                   defined_with(c, 2, 0x83, 0x01) || defined_with(c, 2, 0x83, 0x81));
     }},
    {"vector length",
     "AVX512ER and 4FMAPS exist with 512 bits only, VMOVW with 128 (SDM Vol. 2C); XOP.L is 0 in BEXTR (AMD64 "
     "APM Vol. 3)",
     [](const Comparison& c) {
         if (only_theirs(c) && c.ours.map == OpcodeMap::XopA && c.ours.opcode == 0x10) return true;
         return only_theirs(c) && is_evex(c) &&
                (defined_with(c, 3, 0x60, 0x40) || defined_with(c, 3, 0x60, 0x00));
     }},
    {"operand form", "VMOVNTDQ and VMOVNTDQA have a memory operand, VPMOVx2M a register (SDM Vol. 2C)",
     [](const Comparison& c) {
         const bool store = c.ours.map == OpcodeMap::Evex1 && c.ours.opcode == 0xe7;
         const bool load = c.ours.map == OpcodeMap::Evex2 && c.ours.opcode == 0x2a;
         const bool to_mask = c.ours.map == OpcodeMap::Evex2 && (c.ours.opcode & 0xef) == 0x29;
         return only_theirs(c) && (c.ours.memory_operand() ? to_mask : store || load);
     }},
    {"equal registers",
     "gathers with equal registers and complex FP16 products onto a source are #UD; the decoder does not "
     "look at register numbers, the processor will (SDM Vol. 2A 2.3.12, Vol. 2C VFMADDCSH)",
     [](const Comparison& c) {
         return only_ours(c) && ((c.ours.map == OpcodeMap::Vex2 && opcode_between(c, 0x90, 0x93)) ||
                                 (c.ours.map == OpcodeMap::Evex6 && (c.ours.opcode & 0x7e) == 0x56));
     }},
    {"hidden", "hidden from the guest: AMX and CMPccXADD, which exist in 64-bit mode only, and AMD's LWP",
     [](const Comparison& c) {
         if (!only_theirs(c)) return false;
         if (c.ours.map >= OpcodeMap::Xop9) return c.ours.opcode == 0x12;
         return c.size == CodeSize::Bits64 && c.ours.map == OpcodeMap::Vex2 &&
                (opcode_between(c, 0x49, 0x4b) || opcode_between(c, 0x5c, 0x5e) ||
                 opcode_between(c, 0xe0, 0xef));
     }},
};

class DecodeAgainstObjdump : public testing::Test {
protected:
    void compare(CodeSize size, bool evex, std::set<std::string>& used) {
        std::vector<Encoding> encodings;
        Random random(2);
        // Undefined on both sides is the common case; one in three of those is enough.
        vector_encodings(evex, random, [&](const Encoding& e) {
            Instruction i;
            if (decode(e.data(), e.size(), size, i) == DecodeStatus::Ok || random() % 3 == 0)
                encodings.push_back(e);
        });
        const std::vector<ObjdumpView> views = objdump(size, encodings);
        ASSERT_EQ(views.size(), encodings.size()) << "objdump gave no complete answer";

        unsigned unexplained = 0;
        std::map<std::pair<int, int>, int> samples;
        std::ostringstream report;
        for (size_t n = 0; n < encodings.size(); ++n) {
            Comparison c{size, encodings[n], false, {}, views[n]};
            c.ok = decode(c.encoding.data(), c.encoding.size(), size, c.ours) == DecodeStatus::Ok;
            if ((c.ok ? c.ours.length : 0) == c.theirs.length) continue;
            bool explained = false;
            for (const Difference& d : kDifferences) {
                if (!d.applies(c)) continue;
                used.insert(d.name);
                explained = true;
                break;
            }
            if (explained) continue;
            ++unexplained;
            if (++samples[{static_cast<int>(c.ours.map), c.ours.opcode}] > 2 || samples.size() > 40) continue;
            report << hex(c.encoding.data(), c.encoding.size())
                   << "  ours: " << (c.ok ? std::to_string(c.ours.length) : std::string("undefined"))
                   << ", objdump: " << c.theirs.length << " " << c.theirs.text << '\n';
        }
        EXPECT_EQ(unexplained, 0u) << report.str();
    }
};

TEST_F(DecodeAgainstObjdump, VectorMaps) {
    if (!objdump_available()) GTEST_SKIP() << "objdump is missing";
    std::set<std::string> used;
    for (const bool evex : {false, true}) {
        compare(CodeSize::Bits32, evex, used);
        compare(CodeSize::Bits64, evex, used);
    }
    compare(CodeSize::Bits16, false, used);
    for (const Difference& d : kDifferences)
        EXPECT_TRUE(used.contains(d.name))
            << "nothing needs this explanation: " << d.name << ": " << d.reason;
}

} // namespace

} // namespace btvm::test
