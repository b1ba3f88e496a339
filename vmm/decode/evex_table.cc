// EVEX-encoded instructions: AVX-512 in all its parts, FP16 included (SDM Vol. 2D appendix A.3, Vol. 2
// instruction pages).
#include "vmm/decode/vector_table.hh"

namespace btvm::opcode {

namespace {

using enum Mandatory;

// clang-format off
constexpr VectorRow kEvex1[] = {
    {None, 0x10, 0x10, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVUPS
    {None, 0x11, 0x11, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVUPS
    {None, 0x12, 0x12, kAny, kW0 | kX | kRegMem | kVvvv}, // VMOVHLPS
    {None, 0x13, 0x13, kAny, kW0 | kX | kMem}, // VMOVLPS
    {None, 0x14, 0x15, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VUNPCKLPS
    {None, 0x16, 0x16, kAny, kW0 | kX | kRegMem | kVvvv}, // VMOVLHPS
    {None, 0x17, 0x17, kAny, kW0 | kX | kMem}, // VMOVHPS
    {None, 0x28, 0x28, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVAPS
    {None, 0x29, 0x29, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVAPS
    {None, 0x2b, 0x2b, kAny, kW0 | kXYZ | kMem}, // VMOVNTPS
    {None, 0x2e, 0x2f, kAny, kW0 | kXYZ | kRegMem | kRound}, // VUCOMISS VCOMISS
    {None, 0x51, 0x51, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VSQRTPS
    {None, 0x54, 0x57, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VANDPS
    {None, 0x58, 0x59, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VADDPS
    {None, 0x5a, 0x5a, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPS2PD
    {None, 0x5b, 0x5b, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTDQ2PS
    {None, 0x5c, 0x5f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VSUBPS
    {None, 0x78, 0x79, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPS2UDQ
    {None, 0xc2, 0xc2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBcast | kRound}, // VCMPPS
    {None, 0xc6, 0xc6, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VSHUFPS
    {P66, 0x10, 0x10, kAny, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVUPD
    {P66, 0x11, 0x11, kAny, kW1 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVUPD
    {P66, 0x12, 0x12, kAny, kW1 | kX | kMem | kVvvv}, // VMOVLPD
    {P66, 0x13, 0x13, kAny, kW1 | kX | kMem}, // VMOVLPD
    {P66, 0x14, 0x15, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VUNPCKLPD
    {P66, 0x16, 0x16, kAny, kW1 | kX | kMem | kVvvv}, // VMOVHPD
    {P66, 0x17, 0x17, kAny, kW1 | kX | kMem}, // VMOVHPD
    {P66, 0x28, 0x28, kAny, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVAPD
    {P66, 0x29, 0x29, kAny, kW1 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVAPD
    {P66, 0x2b, 0x2b, kAny, kW1 | kXYZ | kMem}, // VMOVNTPD
    {P66, 0x2e, 0x2f, kAny, kW1 | kXYZ | kRegMem | kRound}, // VUCOMISD VCOMISD
    {P66, 0x51, 0x51, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VSQRTPD
    {P66, 0x54, 0x57, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VANDPD .. VXORPD
    {P66, 0x58, 0x59, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VADDPD
    {P66, 0x5a, 0x5a, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPD2PS
    {P66, 0x5b, 0x5b, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPS2DQ
    {P66, 0x5c, 0x5f, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VSUBPD
    {P66, 0x60, 0x61, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPUNPCKLBW VPUNPCKLWD
    {P66, 0x62, 0x62, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPUNPCKLDQ
    {P66, 0x63, 0x63, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPACKSSWB
    {P66, 0x64, 0x65, kAny, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPGTB VPCMPGTW
    {P66, 0x66, 0x66, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPCMPGTD
    {P66, 0x67, 0x69, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPACKUSWB .. VPUNPCKHWD
    {P66, 0x6a, 0x6b, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPUNPCKHDQ
    {P66, 0x6c, 0x6d, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPUNPCKLQDQ
    {P66, 0x6e, 0x6e, kAny, kW | kX | kRegMem}, // VMOVD
    {P66, 0x6f, 0x6f, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQA32
    {P66, 0x70, 0x70, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPSHUFD
    {P66, 0x71, 0x71, 0x54, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLW VPSRAW VPSLLW
    {P66, 0x72, 0x72, 0x13, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPRORD .. VPSRAQ
    {P66, 0x72, 0x72, 0x44, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSRLD VPSLLD
    {P66, 0x73, 0x73, 0x44, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSRLQ VPSLLQ
    {P66, 0x73, 0x73, 0x88, kW | kXYZ | kRegMem | kVvvv}, // VPSRLDQ VPSLLDQ
    {P66, 0x74, 0x75, kAny, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPEQB VPCMPEQW
    {P66, 0x76, 0x76, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPCMPEQD
    {P66, 0x78, 0x7b, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPS2UQQ
    {P66, 0x7e, 0x7e, kAny, kW | kX | kRegMem}, // VMOVD
    {P66, 0x7f, 0x7f, kAny, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQA32
    {P66, 0xc2, 0xc2, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBcast | kRound}, // VCMPPD
    {P66, 0xc4, 0xc4, kAny, kW | kX | kRegMem | kVvvv}, // VPINSRW
    {P66, 0xc5, 0xc5, kAny, kW | kX | kReg}, // VPEXTRW
    {P66, 0xc6, 0xc6, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VSHUFPD
    {P66, 0xd1, 0xd1, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLW
    {P66, 0xd2, 0xd2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLD
    {P66, 0xd3, 0xd3, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLQ
    {P66, 0xd4, 0xd4, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPADDQ
    {P66, 0xd5, 0xd5, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMULLW
    {P66, 0xd6, 0xd6, kAny, kW1 | kX | kRegMem}, // VMOVQ
    {P66, 0xd8, 0xda, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBUSB VPSUBUSW VPMINUB
    {P66, 0xdb, 0xdb, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPANDD VPANDQ
    {P66, 0xdc, 0xde, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDUSB VPADDUSW VPMAXUB
    {P66, 0xdf, 0xdf, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPANDND VPANDNQ
    {P66, 0xe0, 0xe0, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPAVGB
    {P66, 0xe1, 0xe1, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRAW
    {P66, 0xe2, 0xe5, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRAD VPSRAQ .. VPMULHW
    {P66, 0xe6, 0xe6, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPD2DQ
    {P66, 0xe7, 0xe7, kAny, kW0 | kXYZ | kMem}, // VMOVNTDQ
    {P66, 0xe8, 0xea, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBSB VPSUBSW VPMINSW
    {P66, 0xeb, 0xeb, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPORD VPORQ
    {P66, 0xec, 0xee, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDSB VPADDSW VPMAXSW
    {P66, 0xef, 0xef, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPXORD VPXORQ
    {P66, 0xf1, 0xf1, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSLLW
    {P66, 0xf2, 0xf2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSLLD
    {P66, 0xf3, 0xf3, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSLLQ
    {P66, 0xf4, 0xf4, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMULUDQ
    {P66, 0xf5, 0xf5, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMADDWD
    {P66, 0xf6, 0xf6, kAny, kW | kXYZ | kRegMem | kVvvv}, // VPSADBW
    {P66, 0xf8, 0xf9, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBB VPSUBW
    {P66, 0xfa, 0xfa, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSUBD
    {P66, 0xfb, 0xfb, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSUBQ
    {P66, 0xfc, 0xfd, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDB VPADDW
    {P66, 0xfe, 0xfe, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPADDD
    {F3, 0x10, 0x10, kAny, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSS
    {F3, 0x11, 0x11, kAny, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSS
    {F3, 0x12, 0x12, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVSLDUP
    {F3, 0x16, 0x16, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVSHDUP
    {F3, 0x2a, 0x2a, kAny, kW | kXYZ | kRegMem | kVvvv | kRound}, // VCVTSI2SS
    {F3, 0x2c, 0x2d, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSS2SI VCVTSS2SI
    {F3, 0x51, 0x51, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSQRTSS
    {F3, 0x58, 0x5a, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VADDSS
    {F3, 0x5b, 0x5b, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPS2DQ
    {F3, 0x5c, 0x5f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSUBSS .. VMAXSS
    {F3, 0x6f, 0x70, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQU32 VPSHUFHW
    {F3, 0x78, 0x79, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSS2USI VCVTSS2USI
    {F3, 0x7a, 0x7a, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VCVTUDQ2PD
    {F3, 0x7a, 0x7a, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTUQQ2PD
    {F3, 0x7b, 0x7b, kAny, kW | kXYZ | kRegMem | kVvvv | kRound}, // VCVTUSI2SS
    {F3, 0x7e, 0x7e, kAny, kW1 | kX | kRegMem}, // VMOVQ
    {F3, 0x7f, 0x7f, kAny, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQU32
    {F3, 0xc2, 0xc2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kRound}, // VCMPSS
    {F3, 0xe6, 0xe6, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VCVTDQ2PD
    {F3, 0xe6, 0xe6, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTQQ2PD
    {F2, 0x10, 0x10, kAny, kW1 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSD
    {F2, 0x11, 0x11, kAny, kW1 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSD
    {F2, 0x12, 0x12, kAny, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVDDUP
    {F2, 0x2a, 0x2a, kAny, kW | kXYZ | kRegMem | kVvvv}, // VCVTSI2SD
    {F2, 0x2c, 0x2d, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSD2SI VCVTSD2SI
    {F2, 0x51, 0x51, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSQRTSD
    {F2, 0x58, 0x5a, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VADDSD
    {F2, 0x5c, 0x5f, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSUBSD .. VMAXSD
    {F2, 0x6f, 0x70, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQU8 VMOVDQU16 VPSHUFLW
    {F2, 0x78, 0x79, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSD2USI VCVTSD2USI
    {F2, 0x7a, 0x7a, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTUDQ2PS
    {F2, 0x7b, 0x7b, kAny, kW | kXYZ | kRegMem | kVvvv}, // VCVTUSI2SD
    {F2, 0x7f, 0x7f, kAny, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQU8 VMOVDQU16
    {F2, 0xc2, 0xc2, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kRound}, // VCMPSD
    {F2, 0xe6, 0xe6, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPD2DQ
};

constexpr VectorRow kEvex2[] = {
    {P66, 0x00, 0x00, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHUFB
    {P66, 0x04, 0x04, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMADDUBSW
    {P66, 0x0b, 0x0b, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMULHRSW
    {P66, 0x0c, 0x0c, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMILPS
    {P66, 0x0d, 0x0d, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMILPD
    {P66, 0x10, 0x12, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLVW VPSRAVW VPSLLVW
    {P66, 0x13, 0x13, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kRound}, // VCVTPH2PS
    {P66, 0x14, 0x15, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPRORVD
    {P66, 0x16, 0x16, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMPS VPERMPD
    {P66, 0x18, 0x18, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VBROADCASTSS
    {P66, 0x19, 0x19, kAny, kW | kYZ | kRegMem | kMask | kZero}, // VBROADCASTF32X2 VBROADCASTSD
    {P66, 0x1a, 0x1a, kAny, kW | kYZ | kMem | kMask | kZero}, // VBROADCASTF32X4
    {P66, 0x1b, 0x1b, kAny, kW | kZmm | kMem | kMask | kZero}, // VBROADCASTF32X8
    {P66, 0x1c, 0x1d, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VPABSB VPABSW
    {P66, 0x1e, 0x1e, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPABSD
    {P66, 0x1f, 0x1f, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPABSQ
    {P66, 0x20, 0x24, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VPMOVSXBW VPMOVSXBD .. VPMOVSXWQ
    {P66, 0x25, 0x25, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPMOVSXDQ
    {P66, 0x26, 0x26, kAny, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPTESTMB VPTESTMW
    {P66, 0x27, 0x27, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPTESTMD VPTESTMQ
    {P66, 0x28, 0x28, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMULDQ
    {P66, 0x29, 0x29, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPCMPEQQ
    {P66, 0x2a, 0x2a, kAny, kW0 | kXYZ | kMem}, // VMOVNTDQA
    {P66, 0x2b, 0x2b, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPACKUSDW
    {P66, 0x2c, 0x2c, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VSCALEFPS
    {P66, 0x2d, 0x2d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSCALEFSS
    {P66, 0x30, 0x34, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VPMOVZXBW VPMOVZXBD .. VPMOVZXWQ
    {P66, 0x35, 0x35, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPMOVZXDQ
    {P66, 0x36, 0x36, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMD VPERMQ
    {P66, 0x37, 0x37, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPCMPGTQ
    {P66, 0x38, 0x38, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMINSB
    {P66, 0x39, 0x39, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMINSD VPMINSQ
    {P66, 0x3a, 0x3a, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMINUW
    {P66, 0x3b, 0x3b, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMINUD VPMINUQ
    {P66, 0x3c, 0x3c, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMAXSB
    {P66, 0x3d, 0x3d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMAXSD VPMAXSQ
    {P66, 0x3e, 0x3e, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMAXUW
    {P66, 0x3f, 0x40, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMAXUD
    {P66, 0x42, 0x42, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VGETEXPPS
    {P66, 0x43, 0x43, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VGETEXPSS
    {P66, 0x44, 0x44, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPLZCNTD VPLZCNTQ
    {P66, 0x45, 0x47, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSRLVD
    {P66, 0x4c, 0x4c, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast}, // VRCP14PS VRCP14PD
    {P66, 0x4d, 0x4d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRCP14SS VRCP14SD
    {P66, 0x4e, 0x4e, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast}, // VRSQRT14PS VRSQRT14PD
    {P66, 0x4f, 0x4f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRSQRT14SS VRSQRT14SD
    {P66, 0x50, 0x53, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPDPBUSD
    {P66, 0x54, 0x54, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VPOPCNTB VPOPCNTW
    {P66, 0x55, 0x55, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPOPCNTD VPOPCNTQ
    {P66, 0x58, 0x58, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPBROADCASTD
    {P66, 0x59, 0x59, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VBROADCASTI32X2 VPBROADCASTQ
    {P66, 0x5a, 0x5a, kAny, kW | kYZ | kMem | kMask | kZero}, // VBROADCASTI32X4
    {P66, 0x5b, 0x5b, kAny, kW | kZmm | kMem | kMask | kZero}, // VBROADCASTI32X8
    {P66, 0x62, 0x62, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VPEXPANDB VPEXPANDW
    {P66, 0x63, 0x63, kAny, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VPCOMPRESSB VPCOMPRESSW
    {P66, 0x64, 0x65, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPBLENDMD
    {P66, 0x66, 0x66, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPBLENDMB VPBLENDMW
    {P66, 0x70, 0x70, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHLDVW
    {P66, 0x71, 0x71, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSHLDVD VPSHLDVQ
    {P66, 0x72, 0x72, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHRDVW
    {P66, 0x73, 0x73, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSHRDVD VPSHRDVQ
    {P66, 0x75, 0x75, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMI2B VPERMI2W
    {P66, 0x76, 0x77, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMI2D
    {P66, 0x78, 0x79, kAny, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPBROADCASTB VPBROADCASTW
    {P66, 0x7a, 0x7b, kAny, kW0 | kXYZ | kReg | kMask | kZero}, // VPBROADCASTB VPBROADCASTW
    {P66, 0x7c, 0x7c, kAny, kW | kXYZ | kReg | kMask | kZero}, // VPBROADCASTD VPBROADCASTQ
    {P66, 0x7d, 0x7d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMT2B VPERMT2W
    {P66, 0x7e, 0x7f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPERMT2D
    {P66, 0x83, 0x83, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMULTISHIFTQB
    {P66, 0x88, 0x89, kAny, kW | kXYZ | kRegMem | kMask | kZero}, // VEXPANDPS VEXPANDPD .. VPEXPANDQ
    {P66, 0x8a, 0x8b, kAny, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VCOMPRESSPS .. VPCOMPRESSQ
    {P66, 0x8d, 0x8d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMB VPERMW
    {P66, 0x8f, 0x8f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask}, // VPSHUFBITQMB
    {P66, 0x90, 0x93, kAny, kW | kXYZ | kVsib | kMaskNeeded}, // VPGATHERDD VPGATHERDQ .. VGATHERQPD
    {P66, 0x96, 0x98, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB132PS
    {P66, 0x99, 0x99, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD132SS
    {P66, 0x9a, 0x9a, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB132PS
    {P66, 0x9b, 0x9b, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB132SS
    {P66, 0x9c, 0x9c, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD132PS
    {P66, 0x9d, 0x9d, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD132SS
    {P66, 0x9e, 0x9e, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB132PS
    {P66, 0x9f, 0x9f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB132SS
    {P66, 0xa0, 0xa3, kAny, kW | kXYZ | kVsib | kMaskNeeded}, // VPSCATTERDD VPSCATTERDQ .. VSCATTERQPD
    {P66, 0xa6, 0xa8, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB213PS
    {P66, 0xa9, 0xa9, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD213SS
    {P66, 0xaa, 0xaa, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB213PS
    {P66, 0xab, 0xab, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB213SS
    {P66, 0xac, 0xac, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD213PS
    {P66, 0xad, 0xad, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD213SS
    {P66, 0xae, 0xae, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB213PS
    {P66, 0xaf, 0xaf, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB213SS
    {P66, 0xb4, 0xb5, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPMADD52LUQ
    {P66, 0xb6, 0xb8, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB231PS
    {P66, 0xb9, 0xb9, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD231SS
    {P66, 0xba, 0xba, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB231PS
    {P66, 0xbb, 0xbb, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB231SS
    {P66, 0xbc, 0xbc, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD231PS
    {P66, 0xbd, 0xbd, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD231SS
    {P66, 0xbe, 0xbe, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB231PS
    {P66, 0xbf, 0xbf, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB231SS
    {P66, 0xc4, 0xc4, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPCONFLICTD VPCONFLICTQ
    {P66, 0xc6, 0xc7, 0x66, kW | kZmm | kVsib | kMaskNeeded}, // VGATHERPF0DPS VGATHERPF0DPD .. VSCATTERPF1QPD
    {P66, 0xc8, 0xc8, kAny, kW | kZmm | kRegMem | kMask | kZero | kBcast | kRound}, // VEXP2PS
    {P66, 0xca, 0xca, kAny, kW | kZmm | kRegMem | kMask | kZero | kBcast | kRound}, // VRCP28PS
    {P66, 0xcb, 0xcb, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRCP28SS VRCP28SD
    {P66, 0xcc, 0xcc, kAny, kW | kZmm | kRegMem | kMask | kZero | kBcast | kRound}, // VRSQRT28PS
    {P66, 0xcd, 0xcd, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRSQRT28SS
    {P66, 0xcf, 0xcf, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VGF2P8MULB
    {P66, 0xdc, 0xdf, kAny, kW | kXYZ | kRegMem | kVvvv}, // VAESENC VAESENCLAST VAESDEC VAESDECLAST
    {F3, 0x10, 0x15, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVUSWB VPMOVUSDB .. VPMOVUSQD
    {F3, 0x20, 0x25, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVSWB VPMOVSDB .. VPMOVSQD
    {F3, 0x26, 0x26, kAny, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPTESTNMB VPTESTNMW
    {F3, 0x27, 0x27, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPTESTNMD VPTESTNMQ
    {F3, 0x28, 0x29, kAny, kW | kXYZ | kReg}, // VPMOVM2B VPMOVM2W VPMOVB2M VPMOVW2M
    {F3, 0x2a, 0x2a, kAny, kW1 | kXYZ | kReg}, // VPBROADCASTMB2Q
    {F3, 0x30, 0x35, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVWB VPMOVDB VPMOVQB .. VPMOVQD
    {F3, 0x38, 0x39, kAny, kW | kXYZ | kReg}, // VPMOVM2D VPMOVM2Q VPMOVD2M VPMOVQ2M
    {F3, 0x3a, 0x3a, kAny, kW0 | kXYZ | kReg}, // VPBROADCASTMW2D
    {F3, 0x52, 0x52, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VDPBF16PS
    {F3, 0x72, 0x72, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VCVTNEPS2BF16
    {F2, 0x52, 0x53, kAny, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // VP4DPWSSD VP4DPWSSDS
    {F2, 0x68, 0x68, kAny, kW | kXYZ | kRegMem | kVvvv | kBcast}, // VP2INTERSECTD VP2INTERSECTQ
    {F2, 0x72, 0x72, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VCVTNE2PS2BF16
    {F2, 0x9a, 0x9a, kAny, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // V4FMADDPS
    {F2, 0x9b, 0x9b, kAny, kW0 | kXYZ | kMem | kVvvv | kMask | kZero}, // V4FMADDSS
    {F2, 0xaa, 0xaa, kAny, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // V4FNMADDPS
    {F2, 0xab, 0xab, kAny, kW0 | kXYZ | kMem | kVvvv | kMask | kZero}, // V4FNMADDSS
};

constexpr VectorRow kEvex3[] = {
    {None, 0x08, 0x08, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VRNDSCALEPH
    {None, 0x0a, 0x0a, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRNDSCALESH
    {None, 0x26, 0x26, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VGETMANTPH
    {None, 0x27, 0x27, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VGETMANTSH
    {None, 0x56, 0x56, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VREDUCEPH
    {None, 0x57, 0x57, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VREDUCESH
    {None, 0x66, 0x66, kAny, kW0 | kXYZ | kRegMem | kMask | kBcast}, // VFPCLASSPH
    {None, 0x67, 0x67, kAny, kW0 | kXYZ | kRegMem | kMask}, // VFPCLASSSH
    {None, 0xc2, 0xc2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBcast | kRound}, // VCMPPH
    {P66, 0x00, 0x01, kAny, kW1 | kYZ | kRegMem | kMask | kZero | kBcast}, // VPERMQ VPERMPD
    {P66, 0x03, 0x03, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VALIGND VALIGNQ
    {P66, 0x04, 0x04, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPERMILPS
    {P66, 0x05, 0x05, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VPERMILPD
    {P66, 0x08, 0x08, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VRNDSCALEPS
    {P66, 0x09, 0x09, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VRNDSCALEPD
    {P66, 0x0a, 0x0a, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRNDSCALESS
    {P66, 0x0b, 0x0b, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRNDSCALESD
    {P66, 0x0f, 0x0f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPALIGNR
    {P66, 0x14, 0x17, kAny, kW | kX | kRegMem}, // VPEXTRB VPEXTRW VPEXTRD VPEXTRQ VEXTRACTPS
    {P66, 0x18, 0x18, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero}, // VINSERTF32X4
    {P66, 0x19, 0x19, kAny, kW | kYZ | kRegMem | kMask | kZeroReg}, // VEXTRACTF32X4
    {P66, 0x1a, 0x1a, kAny, kW | kZmm | kRegMem | kVvvv | kMask | kZero}, // VINSERTF32X8
    {P66, 0x1b, 0x1b, kAny, kW | kZmm | kRegMem | kMask | kZeroReg}, // VEXTRACTF32X8
    {P66, 0x1d, 0x1d, kAny, kW0 | kXYZ | kRegMem | kMask | kZeroReg | kRound}, // VCVTPS2PH
    {P66, 0x1e, 0x1f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kBcast}, // VPCMPUD VPCMPUQ .. VPCMPQ
    {P66, 0x20, 0x20, kAny, kW | kX | kRegMem | kVvvv}, // VPINSRB
    {P66, 0x21, 0x21, kAny, kW0 | kX | kRegMem | kVvvv}, // VINSERTPS
    {P66, 0x22, 0x22, kAny, kW | kX | kRegMem | kVvvv}, // VPINSRD VPINSRQ
    {P66, 0x23, 0x23, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VSHUFF32X4
    {P66, 0x25, 0x25, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPTERNLOGD
    {P66, 0x26, 0x26, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VGETMANTPS
    {P66, 0x27, 0x27, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VGETMANTSS
    {P66, 0x38, 0x38, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero}, // VINSERTI32X4
    {P66, 0x39, 0x39, kAny, kW | kYZ | kRegMem | kMask | kZeroReg}, // VEXTRACTI32X4
    {P66, 0x3a, 0x3a, kAny, kW | kZmm | kRegMem | kVvvv | kMask | kZero}, // VINSERTI32X8
    {P66, 0x3b, 0x3b, kAny, kW | kZmm | kRegMem | kMask | kZeroReg}, // VEXTRACTI32X8
    {P66, 0x3e, 0x3f, kAny, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPUB VPCMPUW VPCMPB VPCMPW
    {P66, 0x42, 0x42, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VDBPSADBW
    {P66, 0x43, 0x43, kAny, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VSHUFI32X4
    {P66, 0x44, 0x44, kAny, kW | kXYZ | kRegMem | kVvvv}, // VPCLMULQDQ
    {P66, 0x50, 0x50, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VRANGEPS
    {P66, 0x51, 0x51, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VRANGESS VRANGESD
    {P66, 0x54, 0x54, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFIXUPIMMPS
    {P66, 0x55, 0x55, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFIXUPIMMSS
    {P66, 0x56, 0x56, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VREDUCEPS
    {P66, 0x57, 0x57, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VREDUCESS
    {P66, 0x66, 0x66, kAny, kW | kXYZ | kRegMem | kMask | kBcast}, // VFPCLASSPS VFPCLASSPD
    {P66, 0x67, 0x67, kAny, kW | kXYZ | kRegMem | kMask}, // VFPCLASSSS VFPCLASSSD
    {P66, 0x70, 0x70, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHLDW
    {P66, 0x71, 0x71, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSHLDD VPSHLDQ
    {P66, 0x72, 0x72, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHRDW
    {P66, 0x73, 0x73, kAny, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VPSHRDD VPSHRDQ
    {P66, 0xce, 0xcf, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast}, // VGF2P8AFFINEQB
    {F3, 0xc2, 0xc2, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kRound}, // VCMPSH
};

constexpr VectorRow kEvex5[] = {
    {None, 0x1d, 0x1d, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VCVTSS2SH
    {None, 0x2e, 0x2f, kAny, kW0 | kXYZ | kRegMem | kRound}, // VUCOMISH VCOMISH
    {None, 0x51, 0x51, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VSQRTPH
    {None, 0x58, 0x59, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VADDPH
    {None, 0x5a, 0x5a, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPH2PD
    {None, 0x5b, 0x5b, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTDQ2PH
    {None, 0x5c, 0x5f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VSUBPH
    {None, 0x78, 0x79, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPH2UDQ
    {None, 0x7c, 0x7d, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPH2UW
    {P66, 0x1d, 0x1d, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPS2PHX
    {P66, 0x5a, 0x5a, kAny, kW1 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPD2PH
    {P66, 0x5b, 0x5b, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPH2DQ
    {P66, 0x6e, 0x6e, kAny, kW | kX | kRegMem}, // VMOVW
    {P66, 0x78, 0x7d, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPH2UQQ
    {P66, 0x7e, 0x7e, kAny, kW | kX | kRegMem}, // VMOVW
    {F3, 0x10, 0x10, kAny, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSH
    {F3, 0x11, 0x11, kAny, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSH
    {F3, 0x2a, 0x2a, kAny, kW | kXYZ | kRegMem | kVvvv | kRound}, // VCVTSI2SH
    {F3, 0x2c, 0x2d, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSH2SI VCVTSH2SI
    {F3, 0x51, 0x51, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSQRTSH
    {F3, 0x58, 0x5a, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VADDSH
    {F3, 0x5b, 0x5b, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTTPH2DQ
    {F3, 0x5c, 0x5f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSUBSH .. VMAXSH
    {F3, 0x78, 0x79, kAny, kW | kXYZ | kRegMem | kRound}, // VCVTTSH2USI VCVTSH2USI
    {F3, 0x7b, 0x7b, kAny, kW | kXYZ | kRegMem | kVvvv | kRound}, // VCVTUSI2SH
    {F3, 0x7d, 0x7d, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTW2PH
    {F2, 0x5a, 0x5a, kAny, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VCVTSD2SH
    {F2, 0x7a, 0x7a, kAny, kW | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTUDQ2PH
    {F2, 0x7d, 0x7d, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTUW2PH
};

constexpr VectorRow kEvex6[] = {
    {None, 0x13, 0x13, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VCVTSH2SS
    {P66, 0x13, 0x13, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VCVTPH2PSX
    {P66, 0x2c, 0x2c, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VSCALEFPH
    {P66, 0x2d, 0x2d, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VSCALEFSH
    {P66, 0x42, 0x42, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast | kRound}, // VGETEXPPH
    {P66, 0x43, 0x43, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VGETEXPSH
    {P66, 0x4c, 0x4c, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VRCPPH
    {P66, 0x4d, 0x4d, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRCPSH
    {P66, 0x4e, 0x4e, kAny, kW0 | kXYZ | kRegMem | kMask | kZero | kBcast}, // VRSQRTPH
    {P66, 0x4f, 0x4f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRSQRTSH
    {P66, 0x96, 0x98, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB132PH
    {P66, 0x99, 0x99, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD132SH
    {P66, 0x9a, 0x9a, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB132PH
    {P66, 0x9b, 0x9b, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB132SH
    {P66, 0x9c, 0x9c, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD132PH
    {P66, 0x9d, 0x9d, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD132SH
    {P66, 0x9e, 0x9e, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB132PH
    {P66, 0x9f, 0x9f, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB132SH
    {P66, 0xa6, 0xa8, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB213PH
    {P66, 0xa9, 0xa9, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD213SH
    {P66, 0xaa, 0xaa, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB213PH
    {P66, 0xab, 0xab, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB213SH
    {P66, 0xac, 0xac, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD213PH
    {P66, 0xad, 0xad, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD213SH
    {P66, 0xae, 0xae, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB213PH
    {P66, 0xaf, 0xaf, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB213SH
    {P66, 0xb6, 0xb8, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDSUB231PH
    {P66, 0xb9, 0xb9, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADD231SH
    {P66, 0xba, 0xba, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMSUB231PH
    {P66, 0xbb, 0xbb, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMSUB231SH
    {P66, 0xbc, 0xbc, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMADD231PH
    {P66, 0xbd, 0xbd, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMADD231SH
    {P66, 0xbe, 0xbe, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFNMSUB231PH
    {P66, 0xbf, 0xbf, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFNMSUB231SH
    {F3, 0x56, 0x56, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMADDCPH
    {F3, 0x57, 0x57, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMADDCSH
    {F3, 0xd6, 0xd6, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFMULCPH
    {F3, 0xd7, 0xd7, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFMULCSH
    {F2, 0x56, 0x56, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFCMADDCPH
    {F2, 0x57, 0x57, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFCMADDCSH
    {F2, 0xd6, 0xd6, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBcast | kRound}, // VFCMULCPH
    {F2, 0xd7, 0xd7, kAny, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRound}, // VFCMULCSH
};
// clang-format on

} // namespace

std::span<const VectorRow> evex_rows(OpcodeMap map) {
    switch (map) {
    case OpcodeMap::Evex1: return kEvex1;
    case OpcodeMap::Evex2: return kEvex2;
    case OpcodeMap::Evex3: return kEvex3;
    case OpcodeMap::Evex5: return kEvex5;
    case OpcodeMap::Evex6: return kEvex6;
    default: return {};
    }
}

} // namespace btvm::opcode
