// AMD XOP and TBM instructions (AMD64 APM Vol. 3 appendix A.1.3). The lightweight profiling instructions
// (opcode 12 of maps 9 and A) are not listed: their state is hidden from the guest.
#include "vmm/decode/vector_table.hh"

namespace btvm::opcode {

namespace {

using enum Mandatory;

// clang-format off
constexpr VectorRow kXop8[] = {
    {None, 0x85, 0x87, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMACSSWW VPMACSSWD VPMACSSDQL
    {None, 0x8e, 0x8f, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMACSSDD VPMACSSDQH
    {None, 0x95, 0x97, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMACSWW VPMACSWD VPMACSDQL
    {None, 0x9e, 0x9f, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMACSDD VPMACSDQH
    {None, 0xa2, 0xa2, kAny, kW | kXY | kRegMem | kVvvv}, // VPCMOV
    {None, 0xa3, 0xa3, kAny, kW | kX | kRegMem | kVvvv}, // VPPERM
    {None, 0xa6, 0xa6, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMADCSSWD
    {None, 0xb6, 0xb6, kAny, kW0 | kX | kRegMem | kVvvv}, // VPMADCSWD
    {None, 0xc0, 0xc3, kAny, kW0 | kX | kRegMem}, // VPROTB VPROTW VPROTD VPROTQ
    {None, 0xcc, 0xcf, kAny, kW0 | kX | kRegMem | kVvvv}, // VPCOMB VPCOMW VPCOMD VPCOMQ
    {None, 0xec, 0xef, kAny, kW0 | kX | kRegMem | kVvvv}, // VPCOMUB VPCOMUW VPCOMUD VPCOMUQ
};

constexpr VectorRow kXop9[] = {
    {None, 0x01, 0x01, 0xfe, kW | kX | kRegMem | kVvvv}, // BLCFILL BLSFILL BLCS TZMSK BLCIC BLSIC T1MSKC
    {None, 0x02, 0x02, 0x42, kW | kX | kRegMem | kVvvv}, // BLCMSK BLCI
    {None, 0x80, 0x81, kAny, kW0 | kXY | kRegMem}, // VFRCZPS VFRCZPD
    {None, 0x82, 0x83, kAny, kW0 | kX | kRegMem}, // VFRCZSS VFRCZSD
    {None, 0x90, 0x9b, kAny, kW | kX | kRegMem | kVvvv}, // VPROTB VPROTW VPROTD VPROTQ VPSHLB .. VPSHAQ
    {None, 0xc1, 0xc3, kAny, kW0 | kX | kRegMem}, // VPHADDBW VPHADDBD VPHADDBQ
    {None, 0xc6, 0xc7, kAny, kW0 | kX | kRegMem}, // VPHADDWD VPHADDWQ
    {None, 0xcb, 0xcb, kAny, kW0 | kX | kRegMem}, // VPHADDDQ
    {None, 0xd1, 0xd3, kAny, kW0 | kX | kRegMem}, // VPHADDUBW VPHADDUBD VPHADDUBQ
    {None, 0xd6, 0xd7, kAny, kW0 | kX | kRegMem}, // VPHADDUWD VPHADDUWQ
    {None, 0xdb, 0xdb, kAny, kW0 | kX | kRegMem}, // VPHADDUDQ
    {None, 0xe1, 0xe3, kAny, kW0 | kX | kRegMem}, // VPHSUBBW VPHSUBWD VPHSUBDQ
};

constexpr VectorRow kXopA[] = {
    {None, 0x10, 0x10, kAny, kW | kX | kRegMem}, // BEXTR
};
// clang-format on

} // namespace

std::span<const VectorRow> xop_rows(OpcodeMap map) {
    switch (map) {
    case OpcodeMap::Xop8: return kXop8;
    case OpcodeMap::Xop9: return kXop9;
    case OpcodeMap::XopA: return kXopA;
    default: return {};
    }
}

} // namespace btvm::opcode
