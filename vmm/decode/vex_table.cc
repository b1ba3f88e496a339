// VEX-encoded instructions: AVX, AVX2, FMA, BMI, opmasks, AVX-VNNI, AVX-NE-CONVERT (SDM Vol. 2D appendix A.3,
// Vol. 2 instruction pages). AMX is not listed: its tile state is hidden from the guest.
#include "vmm/decode/vector_table.hh"

namespace btvm::opcode {

namespace {

using enum Mandatory;

// clang-format off
constexpr VectorRow kVex1[] = {
    {None, 0x10, 0x11, kAny, kW | kXY | kRegMem}, // VMOVUPS
    {None, 0x12, 0x12, kAny, kW | kX | kRegMem | kVvvv}, // VMOVHLPS
    {None, 0x13, 0x13, kAny, kW | kX | kMem}, // VMOVLPS
    {None, 0x14, 0x15, kAny, kW | kXY | kRegMem | kVvvv}, // VUNPCKLPS VUNPCKHPS
    {None, 0x16, 0x16, kAny, kW | kX | kRegMem | kVvvv}, // VMOVLHPS
    {None, 0x17, 0x17, kAny, kW | kX | kMem}, // VMOVHPS
    {None, 0x28, 0x29, kAny, kW | kXY | kRegMem}, // VMOVAPS
    {None, 0x2b, 0x2b, kAny, kW | kXY | kMem}, // VMOVNTPS
    {None, 0x2e, 0x2f, kAny, kW | kXY | kRegMem}, // VUCOMISS VCOMISS
    {None, 0x41, 0x42, kAny, kW | kY | kReg | kVvvv}, // KANDW KANDQ KANDNW KANDNQ
    {None, 0x44, 0x44, kAny, kW | kX | kReg}, // KNOTW KNOTQ
    {None, 0x45, 0x47, kAny, kW | kY | kReg | kVvvv}, // KORW KORQ KXNORW KXNORQ KXORW KXORQ
    {None, 0x4a, 0x4b, kAny, kW | kY | kReg | kVvvv}, // KADDW KADDQ KUNPCKWD KUNPCKDQ
    {None, 0x50, 0x50, kAny, kW | kXY | kReg}, // VMOVMSKPS
    {None, 0x51, 0x53, kAny, kW | kXY | kRegMem}, // VSQRTPS VRSQRTPS VRCPPS
    {None, 0x54, 0x59, kAny, kW | kXY | kRegMem | kVvvv}, // VANDPS VANDNPS VORPS VXORPS VADDPS VMULPS
    {None, 0x5a, 0x5b, kAny, kW | kXY | kRegMem}, // VCVTPS2PD VCVTDQ2PS
    {None, 0x5c, 0x5f, kAny, kW | kXY | kRegMem | kVvvv}, // VSUBPS VMINPS VDIVPS VMAXPS
    {None, 0x77, 0x77, kAny, kW | kXY | kRegMem}, // VZEROUPPER VZEROALL
    {None, 0x90, 0x90, kAny, kW | kX | kRegMem}, // KMOVW KMOVQ
    {None, 0x91, 0x91, kAny, kW | kX | kMem}, // KMOVW KMOVQ
    {None, 0x92, 0x93, kAny, kW0 | kX | kReg}, // KMOVW
    {None, 0x98, 0x99, kAny, kW | kX | kReg}, // KORTESTW KORTESTQ KTESTW KTESTQ
    {None, 0xae, 0xae, 0x0c, kW | kX | kMem}, // VLDMXCSR VSTMXCSR
    {None, 0xc2, 0xc2, kAny, kW | kXY | kRegMem | kVvvv}, // VCMPPS
    {None, 0xc6, 0xc6, kAny, kW | kXY | kRegMem | kVvvv}, // VSHUFPS
    {P66, 0x10, 0x11, kAny, kW | kXY | kRegMem}, // VMOVUPD
    {P66, 0x12, 0x12, kAny, kW | kX | kMem | kVvvv}, // VMOVLPD
    {P66, 0x13, 0x13, kAny, kW | kX | kMem}, // VMOVLPD
    {P66, 0x14, 0x15, kAny, kW | kXY | kRegMem | kVvvv}, // VUNPCKLPD VUNPCKHPD
    {P66, 0x16, 0x16, kAny, kW | kX | kMem | kVvvv}, // VMOVHPD
    {P66, 0x17, 0x17, kAny, kW | kX | kMem}, // VMOVHPD
    {P66, 0x28, 0x29, kAny, kW | kXY | kRegMem}, // VMOVAPD
    {P66, 0x2b, 0x2b, kAny, kW | kXY | kMem}, // VMOVNTPD
    {P66, 0x2e, 0x2f, kAny, kW | kXY | kRegMem}, // VUCOMISD VCOMISD
    {P66, 0x41, 0x42, kAny, kW | kY | kReg | kVvvv}, // KANDB KANDD KANDNB KANDND
    {P66, 0x44, 0x44, kAny, kW | kX | kReg}, // KNOTB KNOTD
    {P66, 0x45, 0x47, kAny, kW | kY | kReg | kVvvv}, // KORB KORD KXNORB KXNORD KXORB KXORD
    {P66, 0x4a, 0x4a, kAny, kW | kY | kReg | kVvvv}, // KADDB KADDD
    {P66, 0x4b, 0x4b, kAny, kW0 | kY | kReg | kVvvv}, // KUNPCKBW
    {P66, 0x50, 0x50, kAny, kW | kXY | kReg}, // VMOVMSKPD
    {P66, 0x51, 0x51, kAny, kW | kXY | kRegMem}, // VSQRTPD
    {P66, 0x54, 0x59, kAny, kW | kXY | kRegMem | kVvvv}, // VANDPD VANDNPD VORPD VXORPD VADDPD VMULPD
    {P66, 0x5a, 0x5b, kAny, kW | kXY | kRegMem}, // VCVTPD2PS VCVTPS2DQ
    {P66, 0x5c, 0x6d, kAny, kW | kXY | kRegMem | kVvvv}, // VSUBPD VMINPD VDIVPD VMAXPD .. VPUNPCKHQDQ
    {P66, 0x6e, 0x6e, kAny, kW | kX | kRegMem}, // VMOVD
    {P66, 0x6f, 0x70, kAny, kW | kXY | kRegMem}, // VMOVDQA VPSHUFD
    {P66, 0x71, 0x72, 0x54, kW | kXY | kReg | kVvvv}, // VPSRLW VPSRAW VPSLLW VPSRLD VPSRAD VPSLLD
    {P66, 0x73, 0x73, 0xcc, kW | kXY | kReg | kVvvv}, // VPSRLQ VPSRLDQ VPSLLQ VPSLLDQ
    {P66, 0x74, 0x76, kAny, kW | kXY | kRegMem | kVvvv}, // VPCMPEQB VPCMPEQW VPCMPEQD
    {P66, 0x7c, 0x7d, kAny, kW | kXY | kRegMem | kVvvv}, // VHADDPD VHSUBPD
    {P66, 0x7e, 0x7e, kAny, kW | kX | kRegMem}, // VMOVD
    {P66, 0x7f, 0x7f, kAny, kW | kXY | kRegMem}, // VMOVDQA
    {P66, 0x90, 0x90, kAny, kW | kX | kRegMem}, // KMOVB KMOVD
    {P66, 0x91, 0x91, kAny, kW | kX | kMem}, // KMOVB KMOVD
    {P66, 0x92, 0x93, kAny, kW0 | kX | kReg}, // KMOVB
    {P66, 0x98, 0x99, kAny, kW | kX | kReg}, // KORTESTB KORTESTD KTESTB KTESTD
    {P66, 0xc2, 0xc2, kAny, kW | kXY | kRegMem | kVvvv}, // VCMPPD
    {P66, 0xc4, 0xc4, kAny, kW | kX | kRegMem | kVvvv}, // VPINSRW
    {P66, 0xc5, 0xc5, kAny, kW | kX | kReg}, // VPEXTRW
    {P66, 0xc6, 0xc6, kAny, kW | kXY | kRegMem | kVvvv}, // VSHUFPD
    {P66, 0xd0, 0xd5, kAny, kW | kXY | kRegMem | kVvvv}, // VADDSUBPD VPSRLW VPSRLD VPSRLQ VPADDQ VPMULLW
    {P66, 0xd6, 0xd6, kAny, kW | kX | kRegMem}, // VMOVQ
    {P66, 0xd7, 0xd7, kAny, kW | kXY | kReg}, // VPMOVMSKB
    {P66, 0xd8, 0xe5, kAny, kW | kXY | kRegMem | kVvvv}, // VPSUBUSB VPSUBUSW VPMINUB VPAND .. VPMULHW
    {P66, 0xe6, 0xe6, kAny, kW | kXY | kRegMem}, // VCVTTPD2DQ
    {P66, 0xe7, 0xe7, kAny, kW | kXY | kMem}, // VMOVNTDQ
    {P66, 0xe8, 0xef, kAny, kW | kXY | kRegMem | kVvvv}, // VPSUBSB VPSUBSW VPMINSW VPOR VPADDSB .. VPXOR
    {P66, 0xf1, 0xf6, kAny, kW | kXY | kRegMem | kVvvv}, // VPSLLW VPSLLD VPSLLQ VPMULUDQ VPMADDWD VPSADBW
    {P66, 0xf7, 0xf7, kAny, kW | kX | kReg}, // VMASKMOVDQU
    {P66, 0xf8, 0xfe, kAny, kW | kXY | kRegMem | kVvvv}, // VPSUBB VPSUBW VPSUBD VPSUBQ VPADDB .. VPADDD
    {F3, 0x10, 0x11, kAny, kW | kXY | kRegMem | kVvvvReg}, // VMOVSS
    {F3, 0x12, 0x12, kAny, kW | kXY | kRegMem}, // VMOVSLDUP
    {F3, 0x16, 0x16, kAny, kW | kXY | kRegMem}, // VMOVSHDUP
    {F3, 0x2a, 0x2a, kAny, kW | kXY | kRegMem | kVvvv}, // VCVTSI2SS
    {F3, 0x2c, 0x2d, kAny, kW | kXY | kRegMem}, // VCVTTSS2SI VCVTSS2SI
    {F3, 0x51, 0x53, kAny, kW | kXY | kRegMem | kVvvv}, // VSQRTSS VRSQRTSS VRCPSS
    {F3, 0x58, 0x5a, kAny, kW | kXY | kRegMem | kVvvv}, // VADDSS VMULSS VCVTSS2SD
    {F3, 0x5b, 0x5b, kAny, kW | kXY | kRegMem}, // VCVTTPS2DQ
    {F3, 0x5c, 0x5f, kAny, kW | kXY | kRegMem | kVvvv}, // VSUBSS VMINSS VDIVSS VMAXSS
    {F3, 0x6f, 0x70, kAny, kW | kXY | kRegMem}, // VMOVDQU VPSHUFHW
    {F3, 0x7e, 0x7e, kAny, kW | kX | kRegMem}, // VMOVQ
    {F3, 0x7f, 0x7f, kAny, kW | kXY | kRegMem}, // VMOVDQU
    {F3, 0xc2, 0xc2, kAny, kW | kXY | kRegMem | kVvvv}, // VCMPSS
    {F3, 0xe6, 0xe6, kAny, kW | kXY | kRegMem}, // VCVTDQ2PD
    {F2, 0x10, 0x11, kAny, kW | kXY | kRegMem | kVvvvReg}, // VMOVSD
    {F2, 0x12, 0x12, kAny, kW | kXY | kRegMem}, // VMOVDDUP
    {F2, 0x2a, 0x2a, kAny, kW | kXY | kRegMem | kVvvv}, // VCVTSI2SD
    {F2, 0x2c, 0x2d, kAny, kW | kXY | kRegMem}, // VCVTTSD2SI VCVTSD2SI
    {F2, 0x51, 0x51, kAny, kW | kXY | kRegMem | kVvvv}, // VSQRTSD
    {F2, 0x58, 0x5a, kAny, kW | kXY | kRegMem | kVvvv}, // VADDSD VMULSD VCVTSD2SS
    {F2, 0x5c, 0x5f, kAny, kW | kXY | kRegMem | kVvvv}, // VSUBSD VMINSD VDIVSD VMAXSD
    {F2, 0x70, 0x70, kAny, kW | kXY | kRegMem}, // VPSHUFLW
    {F2, 0x7c, 0x7d, kAny, kW | kXY | kRegMem | kVvvv}, // VHADDPS VHSUBPS
    {F2, 0x92, 0x93, kAny, kW | kX | kReg}, // KMOVD KMOVQ
    {F2, 0xc2, 0xc2, kAny, kW | kXY | kRegMem | kVvvv}, // VCMPSD
    {F2, 0xd0, 0xd0, kAny, kW | kXY | kRegMem | kVvvv}, // VADDSUBPS
    {F2, 0xe6, 0xe6, kAny, kW | kXY | kRegMem}, // VCVTPD2DQ
    {F2, 0xf0, 0xf0, kAny, kW | kXY | kMem}, // VLDDQU
};

constexpr VectorRow kVex2[] = {
    {None, 0x50, 0x51, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPDPBUUD VPDPBUUDS
    {None, 0xb0, 0xb0, kAny, kW0 | kXY | kMem}, // VCVTNEOPH2PS
    {None, 0xf2, 0xf2, kAny, kW | kX | kRegMem | kVvvv}, // ANDN
    {None, 0xf3, 0xf3, 0x0e, kW | kX | kRegMem | kVvvv}, // BLSR BLSMSK BLSI
    {None, 0xf5, 0xf5, kAny, kW | kX | kRegMem | kVvvv}, // BZHI
    {None, 0xf7, 0xf7, kAny, kW | kX | kRegMem | kVvvv}, // BEXTR
    {P66, 0x00, 0x0b, kAny, kW | kXY | kRegMem | kVvvv}, // VPSHUFB VPHADDW VPHADDD VPHADDSW .. VPMULHRSW
    {P66, 0x0c, 0x0d, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPERMILPS VPERMILPD
    {P66, 0x0e, 0x0f, kAny, kW0 | kXY | kRegMem}, // VTESTPS VTESTPD
    {P66, 0x13, 0x13, kAny, kW0 | kXY | kRegMem}, // VCVTPH2PS
    {P66, 0x16, 0x16, kAny, kW0 | kY | kRegMem | kVvvv}, // VPERMPS
    {P66, 0x17, 0x17, kAny, kW | kXY | kRegMem}, // VPTEST
    {P66, 0x18, 0x18, kAny, kW0 | kXY | kRegMem}, // VBROADCASTSS
    {P66, 0x19, 0x19, kAny, kW0 | kY | kRegMem}, // VBROADCASTSD
    {P66, 0x1a, 0x1a, kAny, kW0 | kY | kMem}, // VBROADCASTF128
    {P66, 0x1c, 0x1e, kAny, kW | kXY | kRegMem}, // VPABSB VPABSW VPABSD
    {P66, 0x20, 0x25, kAny, kW | kXY | kRegMem}, // VPMOVSXBW VPMOVSXBD VPMOVSXBQ VPMOVSXWD .. VPMOVSXDQ
    {P66, 0x28, 0x29, kAny, kW | kXY | kRegMem | kVvvv}, // VPMULDQ VPCMPEQQ
    {P66, 0x2a, 0x2a, kAny, kW | kXY | kMem}, // VMOVNTDQA
    {P66, 0x2b, 0x2b, kAny, kW | kXY | kRegMem | kVvvv}, // VPACKUSDW
    {P66, 0x2c, 0x2f, kAny, kW0 | kXY | kMem | kVvvv}, // VMASKMOVPS VMASKMOVPD
    {P66, 0x30, 0x35, kAny, kW | kXY | kRegMem}, // VPMOVZXBW VPMOVZXBD VPMOVZXBQ VPMOVZXWD .. VPMOVZXDQ
    {P66, 0x36, 0x36, kAny, kW0 | kY | kRegMem | kVvvv}, // VPERMD
    {P66, 0x37, 0x40, kAny, kW | kXY | kRegMem | kVvvv}, // VPCMPGTQ VPMINSB VPMINSD VPMINUW .. VPMULLD
    {P66, 0x41, 0x41, kAny, kW | kX | kRegMem}, // VPHMINPOSUW
    {P66, 0x45, 0x45, kAny, kW | kXY | kRegMem | kVvvv}, // VPSRLVD VPSRLVQ
    {P66, 0x46, 0x46, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPSRAVD
    {P66, 0x47, 0x47, kAny, kW | kXY | kRegMem | kVvvv}, // VPSLLVD VPSLLVQ
    {P66, 0x50, 0x53, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPDPBUSD VPDPBUSDS VPDPWSSD VPDPWSSDS
    {P66, 0x58, 0x59, kAny, kW0 | kXY | kRegMem}, // VPBROADCASTD VPBROADCASTQ
    {P66, 0x5a, 0x5a, kAny, kW0 | kY | kMem}, // VBROADCASTI128
    {P66, 0x78, 0x79, kAny, kW0 | kXY | kRegMem}, // VPBROADCASTB VPBROADCASTW
    {P66, 0x8c, 0x8c, kAny, kW | kXY | kMem | kVvvv}, // VPMASKMOVD VPMASKMOVQ
    {P66, 0x8e, 0x8e, kAny, kW | kXY | kMem | kVvvv}, // VPMASKMOVD VPMASKMOVQ
    {P66, 0x90, 0x93, kAny, kW | kXY | kVsib | kVvvv}, // VPGATHERDD VPGATHERDQ VPGATHERQD .. VGATHERQPD
    {P66, 0x96, 0x9f, kAny, kW | kXY | kRegMem | kVvvv}, // VFMADDSUB132PS VFMADDSUB132PD .. VFNMSUB132SD
    {P66, 0xa6, 0xaf, kAny, kW | kXY | kRegMem | kVvvv}, // VFMADDSUB213PS VFMADDSUB213PD .. VFNMSUB213SD
    {P66, 0xb0, 0xb1, kAny, kW0 | kXY | kMem}, // VCVTNEEPH2PS VBCSTNESH2PS
    {P66, 0xb4, 0xb5, kAny, kW1 | kXY | kRegMem | kVvvv}, // VPMADD52LUQ VPMADD52HUQ
    {P66, 0xb6, 0xbf, kAny, kW | kXY | kRegMem | kVvvv}, // VFMADDSUB231PS VFMADDSUB231PD .. VFNMSUB231SD
    {P66, 0xcf, 0xcf, kAny, kW0 | kXY | kRegMem | kVvvv}, // VGF2P8MULB
    {P66, 0xdb, 0xdb, kAny, kW | kX | kRegMem}, // VAESIMC
    {P66, 0xdc, 0xdf, kAny, kW | kXY | kRegMem | kVvvv}, // VAESENC VAESENCLAST VAESDEC VAESDECLAST
    {P66, 0xf7, 0xf7, kAny, kW | kX | kRegMem | kVvvv}, // SHLX
    {F3, 0x50, 0x51, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPDPBSUD VPDPBSUDS
    {F3, 0x72, 0x72, kAny, kW0 | kXY | kRegMem}, // VCVTNEPS2BF16
    {F3, 0xb0, 0xb1, kAny, kW0 | kXY | kMem}, // VCVTNEEBF162PS VBCSTNEBF162PS
    {F3, 0xf5, 0xf5, kAny, kW | kX | kRegMem | kVvvv}, // PEXT
    {F3, 0xf7, 0xf7, kAny, kW | kX | kRegMem | kVvvv}, // SARX
    {F2, 0x50, 0x51, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPDPBSSD VPDPBSSDS
    {F2, 0xb0, 0xb0, kAny, kW0 | kXY | kMem}, // VCVTNEOBF162PS
    {F2, 0xf5, 0xf7, kAny, kW | kX | kRegMem | kVvvv}, // PDEP MULX SHRX
};

constexpr VectorRow kVex3[] = {
    {P66, 0x00, 0x01, kAny, kW1 | kY | kRegMem}, // VPERMQ VPERMPD
    {P66, 0x02, 0x02, kAny, kW0 | kXY | kRegMem | kVvvv}, // VPBLENDD
    {P66, 0x04, 0x05, kAny, kW0 | kXY | kRegMem}, // VPERMILPS VPERMILPD
    {P66, 0x06, 0x06, kAny, kW0 | kY | kRegMem | kVvvv}, // VPERM2F128
    {P66, 0x08, 0x09, kAny, kW | kXY | kRegMem}, // VROUNDPS VROUNDPD
    {P66, 0x0a, 0x0f, kAny, kW | kXY | kRegMem | kVvvv}, // VROUNDSS VROUNDSD VBLENDPS VBLENDPD .. VPALIGNR
    {P66, 0x14, 0x17, kAny, kW | kX | kRegMem}, // VPEXTRB VPEXTRW VPEXTRD VPEXTRQ VEXTRACTPS
    {P66, 0x18, 0x18, kAny, kW0 | kY | kRegMem | kVvvv}, // VINSERTF128
    {P66, 0x19, 0x19, kAny, kW0 | kY | kRegMem}, // VEXTRACTF128
    {P66, 0x1d, 0x1d, kAny, kW0 | kXY | kRegMem}, // VCVTPS2PH
    {P66, 0x20, 0x22, kAny, kW | kX | kRegMem | kVvvv}, // VPINSRB VINSERTPS VPINSRD VPINSRQ
    {P66, 0x30, 0x33, kAny, kW | kX | kReg}, // KSHIFTRB KSHIFTRW KSHIFTRD KSHIFTRQ KSHIFTLB .. KSHIFTLQ
    {P66, 0x38, 0x38, kAny, kW0 | kY | kRegMem | kVvvv}, // VINSERTI128
    {P66, 0x39, 0x39, kAny, kW0 | kY | kRegMem}, // VEXTRACTI128
    {P66, 0x40, 0x40, kAny, kW | kXY | kRegMem | kVvvv}, // VDPPS
    {P66, 0x41, 0x41, kAny, kW | kX | kRegMem | kVvvv}, // VDPPD
    {P66, 0x42, 0x42, kAny, kW | kXY | kRegMem | kVvvv}, // VMPSADBW
    {P66, 0x44, 0x44, kAny, kW | kXY | kRegMem | kVvvv}, // VPCLMULQDQ
    {P66, 0x46, 0x46, kAny, kW0 | kY | kRegMem | kVvvv}, // VPERM2I128
    {P66, 0x48, 0x49, kAny, kW | kXY | kRegMem | kVvvv}, // VPERMIL2PS VPERMIL2PD
    {P66, 0x4a, 0x4c, kAny, kW0 | kXY | kRegMem | kVvvv}, // VBLENDVPS VBLENDVPD VPBLENDVB
    {P66, 0x5c, 0x5f, kAny, kW | kXY | kRegMem | kVvvv}, // VFMADDSUBPS VFMADDSUBPD
    {P66, 0x60, 0x63, kAny, kW | kX | kRegMem}, // VPCMPESTRM VPCMPESTRI VPCMPISTRM VPCMPISTRI
    {P66, 0x68, 0x6f, kAny, kW | kXY | kRegMem | kVvvv}, // VFMADDPS VFMADDPD VFMADDSS VFMADDSD .. VFMSUBSD
    {P66, 0x78, 0x7f, kAny, kW | kXY | kRegMem | kVvvv}, // VFNMADDPS VFNMADDPD VFNMADDSS .. VFNMSUBSD
    {P66, 0xce, 0xcf, kAny, kW1 | kXY | kRegMem | kVvvv}, // VGF2P8AFFINEQB VGF2P8AFFINEINVQB
    {P66, 0xdf, 0xdf, kAny, kW | kX | kRegMem}, // VAESKEYGENASSIST
    {F2, 0xf0, 0xf0, kAny, kW | kX | kRegMem}, // RORX
};
// clang-format on

} // namespace

std::span<const VectorRow> vex_rows(OpcodeMap map) {
    switch (map) {
    case OpcodeMap::Vex1: return kVex1;
    case OpcodeMap::Vex2: return kVex2;
    case OpcodeMap::Vex3: return kVex3;
    default: return {};
    }
}

} // namespace btvm::opcode
