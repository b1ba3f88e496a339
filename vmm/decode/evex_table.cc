// EVEX-encoded instructions: AVX-512 in all its parts, FP16 included (SDM Vol. 2D appendix A.3, Vol. 2
// instruction pages).
#include "vmm/decode/vector_table.hh"

namespace btvm::opcode {

namespace {

using enum Mandatory;

// clang-format off
constexpr VectorRow kEvex1[] = {
    {None, 0x10, 0x10, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVUPS
    {None, 0x11, 0x11, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVUPS
    {None, 0x12, 0x12, kAnyReg, kW0 | kX | kRegMem | kVvvv}, // VMOVHLPS
    {None, 0x13, 0x13, kAnyReg, kW0 | kX | kMem}, // VMOVLPS
    {None, 0x14, 0x15, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VUNPCKLPS
    {None, 0x16, 0x16, kAnyReg, kW0 | kX | kRegMem | kVvvv}, // VMOVLHPS
    {None, 0x17, 0x17, kAnyReg, kW0 | kX | kMem}, // VMOVHPS
    {None, 0x28, 0x28, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVAPS
    {None, 0x29, 0x29, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVAPS
    {None, 0x2b, 0x2b, kAnyReg, kW0 | kXYZ | kMem}, // VMOVNTPS
    {None, 0x2e, 0x2f, kAnyReg, kW0 | kXYZ | kRegMem | kRounding}, // VUCOMISS VCOMISS
    {None, 0x51, 0x51, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VSQRTPS
    {None, 0x54, 0x57, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VANDPS
    {None, 0x58, 0x59, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VADDPS
    {None, 0x5a, 0x5a, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPS2PD
    {None, 0x5b, 0x5b, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTDQ2PS
    {None, 0x5c, 0x5f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VSUBPS
    {None, 0x78, 0x79, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPS2UDQ
    {None, 0xc2, 0xc2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast | kRounding}, // VCMPPS
    {None, 0xc6, 0xc6, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VSHUFPS
    {P66, 0x10, 0x10, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVUPD
    {P66, 0x11, 0x11, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVUPD
    {P66, 0x12, 0x12, kAnyReg, kW1 | kX | kMem | kVvvv}, // VMOVLPD
    {P66, 0x13, 0x13, kAnyReg, kW1 | kX | kMem}, // VMOVLPD
    {P66, 0x14, 0x15, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VUNPCKLPD
    {P66, 0x16, 0x16, kAnyReg, kW1 | kX | kMem | kVvvv}, // VMOVHPD
    {P66, 0x17, 0x17, kAnyReg, kW1 | kX | kMem}, // VMOVHPD
    {P66, 0x28, 0x28, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVAPD
    {P66, 0x29, 0x29, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVAPD
    {P66, 0x2b, 0x2b, kAnyReg, kW1 | kXYZ | kMem}, // VMOVNTPD
    {P66, 0x2e, 0x2f, kAnyReg, kW1 | kXYZ | kRegMem | kRounding}, // VUCOMISD VCOMISD
    {P66, 0x51, 0x51, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VSQRTPD
    {P66, 0x54, 0x57, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VANDPD .. VXORPD
    {P66, 0x58, 0x59, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VADDPD
    {P66, 0x5a, 0x5a, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPD2PS
    {P66, 0x5b, 0x5b, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPS2DQ
    {P66, 0x5c, 0x5f, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VSUBPD
    {P66, 0x60, 0x61, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPUNPCKLBW VPUNPCKLWD
    {P66, 0x62, 0x62, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPUNPCKLDQ
    {P66, 0x63, 0x63, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPACKSSWB
    {P66, 0x64, 0x65, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPGTB VPCMPGTW
    {P66, 0x66, 0x66, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPCMPGTD
    {P66, 0x67, 0x69, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPACKUSWB .. VPUNPCKHWD
    {P66, 0x6a, 0x6b, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPUNPCKHDQ
    {P66, 0x6c, 0x6d, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPUNPCKLQDQ
    {P66, 0x6e, 0x6e, kAnyReg, kW | kX | kRegMem}, // VMOVD
    {P66, 0x6f, 0x6f, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQA32
    {P66, 0x70, 0x70, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPSHUFD
    {P66, 0x71, 0x71, 0x54, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLW VPSRAW VPSLLW
    {P66, 0x72, 0x72, 0x13, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPRORD .. VPSRAQ
    {P66, 0x72, 0x72, 0x44, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSRLD VPSLLD
    {P66, 0x73, 0x73, 0x44, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSRLQ VPSLLQ
    {P66, 0x73, 0x73, 0x88, kW | kXYZ | kRegMem | kVvvv}, // VPSRLDQ VPSLLDQ
    {P66, 0x74, 0x75, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPEQB VPCMPEQW
    {P66, 0x76, 0x76, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPCMPEQD
    {P66, 0x78, 0x7b, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPS2UQQ
    {P66, 0x7e, 0x7e, kAnyReg, kW | kX | kRegMem}, // VMOVD
    {P66, 0x7f, 0x7f, kAnyReg, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQA32
    {P66, 0xc2, 0xc2, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast | kRounding}, // VCMPPD
    {P66, 0xc4, 0xc4, kAnyReg, kW | kX | kRegMem | kVvvv}, // VPINSRW
    {P66, 0xc5, 0xc5, kAnyReg, kW | kX | kReg}, // VPEXTRW
    {P66, 0xc6, 0xc6, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VSHUFPD
    {P66, 0xd1, 0xd2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLW VPSRLD
    {P66, 0xd3, 0xd3, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLQ
    {P66, 0xd4, 0xd4, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPADDQ
    {P66, 0xd5, 0xd5, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMULLW
    {P66, 0xd6, 0xd6, kAnyReg, kW1 | kX | kRegMem}, // VMOVQ
    {P66, 0xd8, 0xda, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBUSB VPSUBUSW VPMINUB
    {P66, 0xdb, 0xdb, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPANDD VPANDQ
    {P66, 0xdc, 0xde, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDUSB VPADDUSW VPMAXUB
    {P66, 0xdf, 0xdf, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPANDND VPANDNQ
    {P66, 0xe0, 0xe0, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPAVGB
    {P66, 0xe1, 0xe1, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRAW
    {P66, 0xe2, 0xe5, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRAD VPSRAQ .. VPMULHW
    {P66, 0xe6, 0xe6, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPD2DQ
    {P66, 0xe7, 0xe7, kAnyReg, kW0 | kXYZ | kMem}, // VMOVNTDQ
    {P66, 0xe8, 0xea, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBSB VPSUBSW VPMINSW
    {P66, 0xeb, 0xeb, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPORD VPORQ
    {P66, 0xec, 0xee, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDSB VPADDSW VPMAXSW
    {P66, 0xef, 0xef, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPXORD VPXORQ
    {P66, 0xf1, 0xf2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSLLW VPSLLD
    {P66, 0xf3, 0xf3, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSLLQ
    {P66, 0xf4, 0xf4, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMULUDQ
    {P66, 0xf5, 0xf5, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMADDWD
    {P66, 0xf6, 0xf6, kAnyReg, kW | kXYZ | kRegMem | kVvvv}, // VPSADBW
    {P66, 0xf8, 0xf9, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSUBB VPSUBW
    {P66, 0xfa, 0xfa, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSUBD
    {P66, 0xfb, 0xfb, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSUBQ
    {P66, 0xfc, 0xfd, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPADDB VPADDW
    {P66, 0xfe, 0xfe, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPADDD
    {F3, 0x10, 0x10, kAnyReg, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSS
    {F3, 0x11, 0x11, kAnyReg, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSS
    {F3, 0x12, 0x12, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVSLDUP
    {F3, 0x16, 0x16, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VMOVSHDUP
    {F3, 0x2a, 0x2a, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kRounding}, // VCVTSI2SS
    {F3, 0x2c, 0x2d, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSS2SI VCVTSS2SI
    {F3, 0x51, 0x51, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSQRTSS
    {F3, 0x58, 0x5a, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VADDSS
    {F3, 0x5b, 0x5b, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPS2DQ
    {F3, 0x5c, 0x5f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSUBSS .. VMAXSS
    {F3, 0x6f, 0x70, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQU32 VPSHUFHW
    {F3, 0x78, 0x79, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSS2USI VCVTSS2USI
    {F3, 0x7a, 0x7a, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VCVTUDQ2PD
    {F3, 0x7a, 0x7a, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTUQQ2PD
    {F3, 0x7b, 0x7b, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kRounding}, // VCVTUSI2SS
    {F3, 0x7e, 0x7e, kAnyReg, kW1 | kX | kRegMem}, // VMOVQ
    {F3, 0x7f, 0x7f, kAnyReg, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQU32
    {F3, 0xc2, 0xc2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kRounding}, // VCMPSS
    {F3, 0xe6, 0xe6, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VCVTDQ2PD
    {F3, 0xe6, 0xe6, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTQQ2PD
    {F2, 0x10, 0x10, kAnyReg, kW1 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSD
    {F2, 0x11, 0x11, kAnyReg, kW1 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSD
    {F2, 0x12, 0x12, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero}, // VMOVDDUP
    {F2, 0x2a, 0x2a, kAnyReg, kW | kXYZ | kRegMem | kVvvv}, // VCVTSI2SD
    {F2, 0x2c, 0x2d, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSD2SI VCVTSD2SI
    {F2, 0x51, 0x51, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSQRTSD
    {F2, 0x58, 0x5a, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VADDSD
    {F2, 0x5c, 0x5f, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSUBSD .. VMAXSD
    {F2, 0x6f, 0x70, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VMOVDQU8 VMOVDQU16 VPSHUFLW
    {F2, 0x78, 0x79, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSD2USI VCVTSD2USI
    {F2, 0x7a, 0x7a, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTUDQ2PS
    {F2, 0x7b, 0x7b, kAnyReg, kW | kXYZ | kRegMem | kVvvv}, // VCVTUSI2SD
    {F2, 0x7f, 0x7f, kAnyReg, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VMOVDQU8 VMOVDQU16
    {F2, 0xc2, 0xc2, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kRounding}, // VCMPSD
    {F2, 0xe6, 0xe6, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPD2DQ
};

constexpr VectorRow kEvex2[] = {
    {P66, 0x00, 0x00, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHUFB
    {P66, 0x04, 0x04, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMADDUBSW
    {P66, 0x0b, 0x0b, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMULHRSW
    {P66, 0x0c, 0x0c, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMILPS
    {P66, 0x0d, 0x0d, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMILPD
    {P66, 0x10, 0x12, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSRLVW VPSRAVW VPSLLVW
    {P66, 0x13, 0x13, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kRounding}, // VCVTPH2PS
    {P66, 0x14, 0x15, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPRORVD
    {P66, 0x16, 0x16, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMPS VPERMPD
    {P66, 0x18, 0x18, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VBROADCASTSS
    {P66, 0x19, 0x19, kAnyReg, kW | kYZ | kRegMem | kMask | kZero}, // VBROADCASTF32X2 VBROADCASTSD
    {P66, 0x1a, 0x1a, kAnyReg, kW | kYZ | kMem | kMask | kZero}, // VBROADCASTF32X4
    {P66, 0x1b, 0x1b, kAnyReg, kW | kZmm | kMem | kMask | kZero}, // VBROADCASTF32X8
    {P66, 0x1c, 0x1d, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VPABSB VPABSW
    {P66, 0x1e, 0x1e, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPABSD
    {P66, 0x1f, 0x1f, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPABSQ
    {P66, 0x20, 0x24, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VPMOVSXBW VPMOVSXBD .. VPMOVSXWQ
    {P66, 0x25, 0x25, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPMOVSXDQ
    {P66, 0x26, 0x26, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPTESTMB VPTESTMW
    {P66, 0x27, 0x27, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPTESTMD VPTESTMQ
    {P66, 0x28, 0x28, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMULDQ
    {P66, 0x29, 0x29, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPCMPEQQ
    {P66, 0x2a, 0x2a, kAnyReg, kW0 | kXYZ | kMem}, // VMOVNTDQA
    {P66, 0x2b, 0x2b, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPACKUSDW
    {P66, 0x2c, 0x2c, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VSCALEFPS
    {P66, 0x2d, 0x2d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSCALEFSS
    {P66, 0x30, 0x34, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VPMOVZXBW VPMOVZXBD .. VPMOVZXWQ
    {P66, 0x35, 0x35, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPMOVZXDQ
    {P66, 0x36, 0x36, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMD VPERMQ
    {P66, 0x37, 0x37, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPCMPGTQ
    {P66, 0x38, 0x38, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMINSB
    {P66, 0x39, 0x39, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMINSD VPMINSQ
    {P66, 0x3a, 0x3a, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMINUW
    {P66, 0x3b, 0x3b, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMINUD VPMINUQ
    {P66, 0x3c, 0x3c, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMAXSB
    {P66, 0x3d, 0x3d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMAXSD VPMAXSQ
    {P66, 0x3e, 0x3e, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPMAXUW
    {P66, 0x3f, 0x40, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMAXUD
    {P66, 0x42, 0x42, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VGETEXPPS
    {P66, 0x43, 0x43, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VGETEXPSS
    {P66, 0x44, 0x44, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPLZCNTD VPLZCNTQ
    {P66, 0x45, 0x47, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSRLVD
    {P66, 0x4c, 0x4c, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VRCP14PS VRCP14PD
    {P66, 0x4d, 0x4d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRCP14SS VRCP14SD
    {P66, 0x4e, 0x4e, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VRSQRT14PS VRSQRT14PD
    {P66, 0x4f, 0x4f, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRSQRT14SS VRSQRT14SD
    {P66, 0x50, 0x53, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPDPBUSD
    {P66, 0x54, 0x54, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VPOPCNTB VPOPCNTW
    {P66, 0x55, 0x55, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPOPCNTD VPOPCNTQ
    {P66, 0x58, 0x58, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPBROADCASTD
    {P66, 0x59, 0x59, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VBROADCASTI32X2 VPBROADCASTQ
    {P66, 0x5a, 0x5a, kAnyReg, kW | kYZ | kMem | kMask | kZero}, // VBROADCASTI32X4
    {P66, 0x5b, 0x5b, kAnyReg, kW | kZmm | kMem | kMask | kZero}, // VBROADCASTI32X8
    {P66, 0x62, 0x62, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VPEXPANDB VPEXPANDW
    {P66, 0x63, 0x63, kAnyReg, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VPCOMPRESSB VPCOMPRESSW
    {P66, 0x64, 0x65, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPBLENDMD
    {P66, 0x66, 0x66, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPBLENDMB VPBLENDMW
    {P66, 0x70, 0x70, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHLDVW
    {P66, 0x71, 0x71, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSHLDVD VPSHLDVQ
    {P66, 0x72, 0x72, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHRDVW
    {P66, 0x73, 0x73, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSHRDVD VPSHRDVQ
    {P66, 0x75, 0x75, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMI2B VPERMI2W
    {P66, 0x76, 0x77, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMI2D
    {P66, 0x78, 0x79, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero}, // VPBROADCASTB VPBROADCASTW
    {P66, 0x7a, 0x7b, kAnyReg, kW0 | kXYZ | kReg | kMask | kZero}, // VPBROADCASTB VPBROADCASTW
    {P66, 0x7c, 0x7c, kAnyReg, kW | kXYZ | kReg | kMask | kZero}, // VPBROADCASTD VPBROADCASTQ
    {P66, 0x7d, 0x7d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMT2B VPERMT2W
    {P66, 0x7e, 0x7f, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPERMT2D
    {P66, 0x83, 0x83, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMULTISHIFTQB
    {P66, 0x88, 0x89, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero}, // VEXPANDPS VEXPANDPD .. VPEXPANDQ
    {P66, 0x8a, 0x8b, kAnyReg, kW | kXYZ | kRegMem | kMask | kZeroReg}, // VCOMPRESSPS .. VPCOMPRESSQ
    {P66, 0x8d, 0x8d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPERMB VPERMW
    {P66, 0x8f, 0x8f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask}, // VPSHUFBITQMB
    {P66, 0x90, 0x93, kAnyReg, kW | kXYZ | kVsib | kMaskNeeded}, // VPGATHERDD VPGATHERDQ .. VGATHERQPD
    {P66, 0x96, 0x98, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB132PS
    {P66, 0x99, 0x99, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD132SS
    {P66, 0x9a, 0x9a, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB132PS
    {P66, 0x9b, 0x9b, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB132SS
    {P66, 0x9c, 0x9c, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD132PS
    {P66, 0x9d, 0x9d, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD132SS
    {P66, 0x9e, 0x9e, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB132PS
    {P66, 0x9f, 0x9f, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB132SS
    {P66, 0xa0, 0xa3, kAnyReg, kW | kXYZ | kVsib | kMaskNeeded}, // VPSCATTERDD VPSCATTERDQ .. VSCATTERQPD
    {P66, 0xa6, 0xa8, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB213PS
    {P66, 0xa9, 0xa9, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD213SS
    {P66, 0xaa, 0xaa, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB213PS
    {P66, 0xab, 0xab, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB213SS
    {P66, 0xac, 0xac, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD213PS
    {P66, 0xad, 0xad, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD213SS
    {P66, 0xae, 0xae, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB213PS
    {P66, 0xaf, 0xaf, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB213SS
    {P66, 0xb4, 0xb5, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPMADD52LUQ
    {P66, 0xb6, 0xb8, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB231PS
    {P66, 0xb9, 0xb9, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD231SS
    {P66, 0xba, 0xba, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB231PS
    {P66, 0xbb, 0xbb, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB231SS
    {P66, 0xbc, 0xbc, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD231PS
    {P66, 0xbd, 0xbd, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD231SS
    {P66, 0xbe, 0xbe, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB231PS
    {P66, 0xbf, 0xbf, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB231SS
    {P66, 0xc4, 0xc4, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPCONFLICTD VPCONFLICTQ
    {P66, 0xc6, 0xc7, 0x66, kW | kZmm | kVsib | kMaskNeeded}, // VGATHERPF0DPS VGATHERPF0DPD .. VSCATTERPF1QPD
    {P66, 0xc8, 0xc8, kAnyReg, kW | kZmm | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VEXP2PS
    {P66, 0xca, 0xca, kAnyReg, kW | kZmm | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VRCP28PS
    {P66, 0xcb, 0xcb, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRCP28SS VRCP28SD
    {P66, 0xcc, 0xcc, kAnyReg, kW | kZmm | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VRSQRT28PS
    {P66, 0xcd, 0xcd, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRSQRT28SS
    {P66, 0xcf, 0xcf, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VGF2P8MULB
    {P66, 0xdc, 0xdf, kAnyReg, kW | kXYZ | kRegMem | kVvvv}, // VAESENC VAESENCLAST VAESDEC VAESDECLAST
    {F3, 0x10, 0x15, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVUSWB VPMOVUSDB .. VPMOVUSQD
    {F3, 0x20, 0x25, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVSWB VPMOVSDB .. VPMOVSQD
    {F3, 0x26, 0x26, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPTESTNMB VPTESTNMW
    {F3, 0x27, 0x27, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPTESTNMD VPTESTNMQ
    {F3, 0x28, 0x29, kAnyReg, kW | kXYZ | kReg}, // VPMOVM2B VPMOVM2W VPMOVB2M VPMOVW2M
    {F3, 0x2a, 0x2a, kAnyReg, kW1 | kXYZ | kReg}, // VPBROADCASTMB2Q
    {F3, 0x30, 0x35, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg}, // VPMOVWB VPMOVDB VPMOVQB .. VPMOVQD
    {F3, 0x38, 0x39, kAnyReg, kW | kXYZ | kReg}, // VPMOVM2D VPMOVM2Q VPMOVD2M VPMOVQ2M
    {F3, 0x3a, 0x3a, kAnyReg, kW0 | kXYZ | kReg}, // VPBROADCASTMW2D
    {F3, 0x52, 0x52, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VDPBF16PS
    {F3, 0x72, 0x72, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VCVTNEPS2BF16
    {F2, 0x52, 0x53, kAnyReg, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // VP4DPWSSD VP4DPWSSDS
    {F2, 0x68, 0x68, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kBroadcast}, // VP2INTERSECTD VP2INTERSECTQ
    {F2, 0x72, 0x72, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VCVTNE2PS2BF16
    {F2, 0x9a, 0x9a, kAnyReg, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // V4FMADDPS
    {F2, 0x9b, 0x9b, kAnyReg, kW0 | kXYZ | kMem | kVvvv | kMask | kZero}, // V4FMADDSS
    {F2, 0xaa, 0xaa, kAnyReg, kW0 | kZmm | kMem | kVvvv | kMask | kZero}, // V4FNMADDPS
    {F2, 0xab, 0xab, kAnyReg, kW0 | kXYZ | kMem | kVvvv | kMask | kZero}, // V4FNMADDSS
};

constexpr VectorRow kEvex3[] = {
    {None, 0x08, 0x08, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VRNDSCALEPH
    {None, 0x0a, 0x0a, kAnyReg, kW0 | kX | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRNDSCALESH
    {None, 0x26, 0x26, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VGETMANTPH
    {None, 0x27, 0x27, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VGETMANTSH
    {None, 0x56, 0x56, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VREDUCEPH
    {None, 0x57, 0x57, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VREDUCESH
    {None, 0x66, 0x66, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kBroadcast}, // VFPCLASSPH
    {None, 0x67, 0x67, kAnyReg, kW0 | kX | kRegMem | kMask}, // VFPCLASSSH
    {None, 0xc2, 0xc2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kBroadcast | kRounding}, // VCMPPH
    {P66, 0x00, 0x01, kAnyReg, kW1 | kYZ | kRegMem | kMask | kZero | kBroadcast}, // VPERMQ VPERMPD
    {P66, 0x03, 0x03, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VALIGND VALIGNQ
    {P66, 0x04, 0x04, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPERMILPS
    {P66, 0x05, 0x05, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VPERMILPD
    {P66, 0x08, 0x08, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VRNDSCALEPS
    {P66, 0x09, 0x09, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VRNDSCALEPD
    {P66, 0x0a, 0x0a, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRNDSCALESS
    {P66, 0x0b, 0x0b, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRNDSCALESD
    {P66, 0x0f, 0x0f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPALIGNR
    {P66, 0x14, 0x17, kAnyReg, kW | kX | kRegMem}, // VPEXTRB VPEXTRW VPEXTRD VPEXTRQ VEXTRACTPS
    {P66, 0x18, 0x18, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero}, // VINSERTF32X4
    {P66, 0x19, 0x19, kAnyReg, kW | kYZ | kRegMem | kMask | kZeroReg}, // VEXTRACTF32X4
    {P66, 0x1a, 0x1a, kAnyReg, kW | kZmm | kRegMem | kVvvv | kMask | kZero}, // VINSERTF32X8
    {P66, 0x1b, 0x1b, kAnyReg, kW | kZmm | kRegMem | kMask | kZeroReg}, // VEXTRACTF32X8
    {P66, 0x1d, 0x1d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZeroReg | kRounding}, // VCVTPS2PH
    {P66, 0x1e, 0x1f, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kBroadcast}, // VPCMPUD VPCMPUQ .. VPCMPQ
    {P66, 0x20, 0x20, kAnyReg, kW | kX | kRegMem | kVvvv}, // VPINSRB
    {P66, 0x21, 0x21, kAnyReg, kW0 | kX | kRegMem | kVvvv}, // VINSERTPS
    {P66, 0x22, 0x22, kAnyReg, kW | kX | kRegMem | kVvvv}, // VPINSRD VPINSRQ
    {P66, 0x23, 0x23, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VSHUFF32X4
    {P66, 0x25, 0x25, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPTERNLOGD
    {P66, 0x26, 0x26, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VGETMANTPS
    {P66, 0x27, 0x27, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VGETMANTSS
    {P66, 0x38, 0x38, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero}, // VINSERTI32X4
    {P66, 0x39, 0x39, kAnyReg, kW | kYZ | kRegMem | kMask | kZeroReg}, // VEXTRACTI32X4
    {P66, 0x3a, 0x3a, kAnyReg, kW | kZmm | kRegMem | kVvvv | kMask | kZero}, // VINSERTI32X8
    {P66, 0x3b, 0x3b, kAnyReg, kW | kZmm | kRegMem | kMask | kZeroReg}, // VEXTRACTI32X8
    {P66, 0x3e, 0x3f, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask}, // VPCMPUB VPCMPUW VPCMPB VPCMPW
    {P66, 0x42, 0x42, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VDBPSADBW
    {P66, 0x43, 0x43, kAnyReg, kW | kYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VSHUFI32X4
    {P66, 0x44, 0x44, kAnyReg, kW | kXYZ | kRegMem | kVvvv}, // VPCLMULQDQ
    {P66, 0x50, 0x50, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VRANGEPS
    {P66, 0x51, 0x51, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VRANGESS VRANGESD
    {P66, 0x54, 0x54, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFIXUPIMMPS
    {P66, 0x55, 0x55, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFIXUPIMMSS
    {P66, 0x56, 0x56, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VREDUCEPS
    {P66, 0x57, 0x57, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VREDUCESS
    {P66, 0x66, 0x66, kAnyReg, kW | kXYZ | kRegMem | kMask | kBroadcast}, // VFPCLASSPS VFPCLASSPD
    {P66, 0x67, 0x67, kAnyReg, kW | kXYZ | kRegMem | kMask}, // VFPCLASSSS VFPCLASSSD
    {P66, 0x70, 0x70, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHLDW
    {P66, 0x71, 0x71, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSHLDD VPSHLDQ
    {P66, 0x72, 0x72, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VPSHRDW
    {P66, 0x73, 0x73, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VPSHRDD VPSHRDQ
    {P66, 0xce, 0xcf, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast}, // VGF2P8AFFINEQB
    {F3, 0xc2, 0xc2, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kRounding}, // VCMPSH
};

constexpr VectorRow kEvex5[] = {
    {None, 0x1d, 0x1d, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VCVTSS2SH
    {None, 0x2e, 0x2f, kAnyReg, kW0 | kXYZ | kRegMem | kRounding}, // VUCOMISH VCOMISH
    {None, 0x51, 0x51, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VSQRTPH
    {None, 0x58, 0x59, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VADDPH
    {None, 0x5a, 0x5a, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPH2PD
    {None, 0x5b, 0x5b, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTDQ2PH
    {None, 0x5c, 0x5f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VSUBPH
    {None, 0x78, 0x79, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPH2UDQ
    {None, 0x7c, 0x7d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPH2UW
    {P66, 0x1d, 0x1d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPS2PHX
    {P66, 0x5a, 0x5a, kAnyReg, kW1 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPD2PH
    {P66, 0x5b, 0x5b, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPH2DQ
    {P66, 0x6e, 0x6e, kAnyReg, kW0 | kX | kRegMem}, // VMOVW
    {P66, 0x6e, 0x6e, kAnyReg, kW1 | kX | kReg}, // VMOVW
    {P66, 0x78, 0x7d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPH2UQQ
    {P66, 0x7e, 0x7e, kAnyReg, kW0 | kX | kRegMem}, // VMOVW
    {P66, 0x7e, 0x7e, kAnyReg, kW1 | kX | kReg}, // VMOVW
    {F3, 0x10, 0x10, kAnyReg, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZero}, // VMOVSH
    {F3, 0x11, 0x11, kAnyReg, kW0 | kXYZ | kRegMem | kVvvvReg | kMask | kZeroReg}, // VMOVSH
    {F3, 0x2a, 0x2a, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kRounding}, // VCVTSI2SH
    {F3, 0x2c, 0x2d, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSH2SI VCVTSH2SI
    {F3, 0x51, 0x51, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSQRTSH
    {F3, 0x58, 0x5a, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VADDSH
    {F3, 0x5b, 0x5b, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTTPH2DQ
    {F3, 0x5c, 0x5f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSUBSH .. VMAXSH
    {F3, 0x78, 0x79, kAnyReg, kW | kXYZ | kRegMem | kRounding}, // VCVTTSH2USI VCVTSH2USI
    {F3, 0x7b, 0x7b, kAnyReg, kW | kXYZ | kRegMem | kVvvv | kRounding}, // VCVTUSI2SH
    {F3, 0x7d, 0x7d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTW2PH
    {F2, 0x5a, 0x5a, kAnyReg, kW1 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VCVTSD2SH
    {F2, 0x7a, 0x7a, kAnyReg, kW | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTUDQ2PH
    {F2, 0x7d, 0x7d, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTUW2PH
};

constexpr VectorRow kEvex6[] = {
    {None, 0x13, 0x13, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VCVTSH2SS
    {P66, 0x13, 0x13, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VCVTPH2PSX
    {P66, 0x2c, 0x2c, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VSCALEFPH
    {P66, 0x2d, 0x2d, kAnyReg, kW0 | kX | kRegMem | kVvvv | kMask | kZero | kRounding}, // VSCALEFSH
    {P66, 0x42, 0x42, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast | kRounding}, // VGETEXPPH
    {P66, 0x43, 0x43, kAnyReg, kW0 | kX | kRegMem | kVvvv | kMask | kZero | kRounding}, // VGETEXPSH
    {P66, 0x4c, 0x4c, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VRCPPH
    {P66, 0x4d, 0x4d, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRCPSH
    {P66, 0x4e, 0x4e, kAnyReg, kW0 | kXYZ | kRegMem | kMask | kZero | kBroadcast}, // VRSQRTPH
    {P66, 0x4f, 0x4f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero}, // VRSQRTSH
    {P66, 0x96, 0x98, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB132PH
    {P66, 0x99, 0x99, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD132SH
    {P66, 0x9a, 0x9a, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB132PH
    {P66, 0x9b, 0x9b, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB132SH
    {P66, 0x9c, 0x9c, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD132PH
    {P66, 0x9d, 0x9d, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD132SH
    {P66, 0x9e, 0x9e, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB132PH
    {P66, 0x9f, 0x9f, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB132SH
    {P66, 0xa6, 0xa8, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB213PH
    {P66, 0xa9, 0xa9, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD213SH
    {P66, 0xaa, 0xaa, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB213PH
    {P66, 0xab, 0xab, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB213SH
    {P66, 0xac, 0xac, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD213PH
    {P66, 0xad, 0xad, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD213SH
    {P66, 0xae, 0xae, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB213PH
    {P66, 0xaf, 0xaf, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB213SH
    {P66, 0xb6, 0xb8, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDSUB231PH
    {P66, 0xb9, 0xb9, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADD231SH
    {P66, 0xba, 0xba, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMSUB231PH
    {P66, 0xbb, 0xbb, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMSUB231SH
    {P66, 0xbc, 0xbc, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMADD231PH
    {P66, 0xbd, 0xbd, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMADD231SH
    {P66, 0xbe, 0xbe, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFNMSUB231PH
    {P66, 0xbf, 0xbf, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFNMSUB231SH
    {F3, 0x56, 0x56, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMADDCPH
    {F3, 0x57, 0x57, kAnyReg, kW0 | kX | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMADDCSH
    {F3, 0xd6, 0xd6, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFMULCPH
    {F3, 0xd7, 0xd7, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFMULCSH
    {F2, 0x56, 0x56, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFCMADDCPH
    {F2, 0x57, 0x57, kAnyReg, kW0 | kX | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFCMADDCSH
    {F2, 0xd6, 0xd6, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kBroadcast | kRounding}, // VFCMULCPH
    {F2, 0xd7, 0xd7, kAnyReg, kW0 | kXYZ | kRegMem | kVvvv | kMask | kZero | kRounding}, // VFCMULCSH
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
