/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Short pieces of 32-bit guest code, each in a block of its own: what a hostile or merely unusual kernel may execute at ring 0.
 * Every piece ends in a HLT with EBX = 600Dh, unless something else happens before. Selectors: 8 code, 10h data, 18h data that
 * is read-only, 20h data with a limit of FFFh, 28h data that expands down from FFFFh, 30h conforming code, 38h not present.
 */
#ifndef SNIPPETS_H
#define SNIPPETS_H

#include <stdint.h>

struct snippet {
	uint8_t code[64];
	char name[64];
};

#define SNIPPET(name, text)                                                                                          \
	asm(".pushsection snippets, \"a\"\n .balign 128\n .code32\n 9:" text "\n mov $0x600d, %ebx\n hlt\n"          \
	    ".org 9b + 64, 0xf4\n .asciz \"" name "\"\n .balign 128\n .code64\n .popsection")

extern const struct snippet __start_snippets[], __stop_snippets[];

/* Ways into the kernel of a host that a guest must not find open. */
SNIPPET("SYSCALL", "syscall");
SNIPPET("SYSENTER", "sysenter");
SNIPPET("SYSEXIT", "sysexit");
SNIPPET("SYSRET", "sysret");
SNIPPET("UD2", "ud2");
SNIPPET("INT3", "int3");
SNIPPET("INTO without overflow", "xor %eax, %eax\n into");
SNIPPET("INTO with overflow", "mov $0x7f, %al\n add $1, %al\n into");
SNIPPET("INT1", ".byte 0xf1");
SNIPPET("far call to the host's code selector", "lcall $0x10, $0x10010");
SNIPPET("far jump to the host's user code selector", "ljmp $0x33, $0x10010");
SNIPPET("far jump to itself", "ljmp $8, $0x10010\n .balign 16, 0x90");
SNIPPET("VMCALL", "vmcall");
SNIPPET("VMMCALL", "vmmcall");

/* Flags. */
SNIPPET("POPF with all flags but TF and VM", "push $0x3f7ed7\n popf\n pushf\n pop %eax\n push $2\n popf");
SNIPPET("POPF with IOPL 3", "push $0x3002\n popf\n pushf\n pop %eax");
SNIPPET("POPF with NT, then IRET", "push $0x4002\n popf\n iret");
SNIPPET("POPF with AC", "push $0x40002\n popf\n pushf\n pop %eax\n mov 0x8001, %ecx");
SNIPPET("POPFW", "pushw $0x0fd7 & ~0x100\n popfw\n pushfw\n pop %ax\n cli");
SNIPPET("STI, PUSHF, CLI", "sti\n pushf\n cli\n pop %eax");
SNIPPET("CLI, PUSHF", "cli\n pushf\n pop %eax");
SNIPPET("STD and back", "std\n pushf\n cld\n pop %eax");
SNIPPET("IRET to the next instruction", "pushf\n push $8\n push $0x10010\n iret\n .balign 16, 0x90");
SNIPPET("IRET with VM set", "push $0x20002\n push $8\n push $0x10020\n iret");
SNIPPET("SAHF, LAHF", "mov $0xd5, %ah\n sahf\n lahf");
SNIPPET("CLAC and STAC", ".byte 0x0f, 0x01, 0xca\n .byte 0x0f, 0x01, 0xcb");

/* Segments. */
SNIPPET("DS with the host's user data selector", "mov $0x2b, %eax\n mov %eax, %ds\n mov 0x8000, %ecx");
SNIPPET("ES with a selector beyond the GDT", "mov $0x7ff8, %eax\n mov %eax, %es");
SNIPPET("FS with a selector of no LDT", "mov $0x0c, %eax\n mov %eax, %fs");
SNIPPET("GS with the code selector", "mov $8, %eax\n mov %eax, %gs\n mov %gs:0x8000, %ecx\n mov %gs, %edx");
SNIPPET("SS with null", "xor %eax, %eax\n mov %eax, %ss");
SNIPPET("SS with RPL 3", "mov $0x13, %eax\n mov %eax, %ss");
SNIPPET("DS with RPL 3", "mov $0x13, %eax\n mov %eax, %ds\n mov %ds, %ecx");
SNIPPET("DS null, then used", "xor %eax, %eax\n mov %eax, %ds\n mov 0x8000, %ecx");
SNIPPET("CS by MOV", ".byte 0x8e, 0xc8");
SNIPPET("segment 6 by MOV", ".byte 0x8e, 0xf0");
SNIPPET("MOV SS, then INT3", "mov %ss, %eax\n mov %eax, %ss\n int3");
SNIPPET("POP SS, then SYSCALL", "push %ss\n pop %ss\n syscall");
SNIPPET("MOV SS, then INT 80h", "mov %ss, %eax\n mov %eax, %ss\n int $0x80");
SNIPPET("DS read-only", "mov $0x18, %eax\n mov %eax, %ds\n mov 0x8000, %ecx\n movl $1, 0x8000");
SNIPPET("DS with a small limit", "mov $0x20, %eax\n mov %eax, %ds\n mov 0xffc, %ecx\n mov 0xffd, %edx");
SNIPPET("ES that expands down", "mov $0x28, %eax\n mov %eax, %es\n mov %es:0x10000, %ecx\n mov %es:0x8000, %edx");
SNIPPET("SS read-only", "mov $0x18, %eax\n mov %eax, %ss");
SNIPPET("SS with a small limit", "mov $0x20, %eax\n mov %eax, %ss\n push %eax");
SNIPPET("DS not present", "mov $0x38, %eax\n mov %eax, %ds");
SNIPPET("a far jump to conforming code", "ljmp $0x30, $0x10010\n .balign 16, 0x90\n mov %cs, %eax\n pushf\n pop %ecx");
SNIPPET("reading all selectors", "mov %cs, %eax\n mov %ss, %ecx\n mov %ds, %edx\n push %es\n pop %esi\n mov %fs, %edi\n mov %gs, %ebp");
SNIPPET("LAR, LSL, VERR, VERW of the host's selectors", "mov $0x10, %eax\n lar %eax, %ecx\n mov $0x18, %eax\n lsl %eax, %edx\n"
	"mov $0x50, %eax\n verr %ax\n setz %al\n mov $0x18, %esi\n verw %si\n setz %ah");
SNIPPET("ARPL", "mov $3, %eax\n mov $8, %ecx\n arpl %ax, %cx");
SNIPPET("LES from memory", "movl $0x1234, 0x8000\n movl $0x10, 0x8004\n les 0x8000, %eax\n mov %es, %ecx");

/* System registers: what is read is the guest's, what is written stays there. */
SNIPPET("SGDT, SIDT", "sgdt 0x8000\n sidt 0x8010\n mov 0x8002, %eax\n mov 0x8012, %ecx\n mov 0x8000, %dx");
SNIPPET("SLDT, STR, SMSW", "sldt %eax\n str %ecx\n smsw %edx");
SNIPPET("LGDT of junk, then a segment", "movl $0xffffffff, 0x8000\n movl $0xffffffff, 0x8004\n lgdt 0x8000\n mov $0x10, %eax\n mov %eax, %ds");
SNIPPET("LIDT of junk, then INT 3", "movl $0x5a5a5a5a, 0x8000\n movl $0x5a5a5a5a, 0x8004\n lidt 0x8000\n int3");
SNIPPET("LLDT of junk", "mov $0x5678, %eax\n lldt %ax");
SNIPPET("LTR of junk", "mov $0x50, %eax\n ltr %ax");
SNIPPET("LLDT of null", "xor %eax, %eax\n lldt %ax\n sldt %eax");
SNIPPET("CR0 read and written", "mov %cr0, %eax\n or $0x10022, %eax\n mov %eax, %cr0\n mov %cr0, %ecx");
SNIPPET("CR0 with paging, without tables", "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0");
SNIPPET("CR2, CR3, CR4", "mov $0x1234, %eax\n mov %eax, %cr2\n mov %eax, %cr3\n mov %cr2, %ecx\n mov %cr3, %edx\n mov %cr4, %esi");
SNIPPET("CR4 with bits that do not exist", "mov $0xffffffff, %eax\n mov %eax, %cr4");
SNIPPET("CR1", ".byte 0x0f, 0x20, 0xc8");
SNIPPET("CR8", ".byte 0xf0, 0x0f, 0x20, 0xc0");
SNIPPET("LMSW, CLTS", "mov $0xf, %eax\n lmsw %ax\n clts\n mov %cr0, %ecx");
SNIPPET("leaving protected mode", "mov %cr0, %eax\n and $-2, %eax\n mov %eax, %cr0\n mov %cr0, %ecx\n or $1, %eax\n mov %eax, %cr0");
SNIPPET("debug registers", "mov $0x10000, %eax\n mov %eax, %dr0\n mov %eax, %dr3\n mov %dr0, %ecx\n mov %dr6, %edx\n mov %dr7, %esi");
SNIPPET("DR4", "mov %dr4, %eax");
SNIPPET("MSRs of SYSENTER", "mov $0x174, %ecx\n mov $8, %eax\n xor %edx, %edx\n wrmsr\n rdmsr");
SNIPPET("an MSR that does not exist", "mov $0xc0000101, %ecx\n rdmsr");
SNIPPET("EFER with SCE and LME", "mov $0xc0000080, %ecx\n mov $0x101, %eax\n xor %edx, %edx\n wrmsr");
SNIPPET("CPUID", "xor %eax, %eax\n cpuid\n mov $1, %eax\n cpuid");
SNIPPET("XGETBV", "xor %ecx, %ecx\n xgetbv");
SNIPPET("RDPKRU", "xor %ecx, %ecx\n .byte 0x0f, 0x01, 0xee");
SNIPPET("WRPKRU", "xor %ecx, %ecx\n xor %edx, %edx\n mov $0xfffffffc, %eax\n .byte 0x0f, 0x01, 0xef");
SNIPPET("RDPMC", "xor %ecx, %ecx\n rdpmc");
SNIPPET("INVD, WBINVD, INVLPG", "invd\n wbinvd\n invlpg 0x8000");
SNIPPET("RSM", "rsm");
SNIPPET("MONITOR, MWAIT", "mov $0x8000, %eax\n xor %ecx, %ecx\n xor %edx, %edx\n monitor\n mwait");
SNIPPET("UMONITOR", ".byte 0xf3, 0x0f, 0xae, 0xf0");
SNIPPET("RDTSCP", "rdtscp");
SNIPPET("RDFSBASE", ".byte 0xf3, 0x0f, 0xae, 0xc0");
SNIPPET("ENCLU", ".byte 0x0f, 0x01, 0xd7");
SNIPPET("XSAVE of PKRU", "mov $0x200, %eax\n xor %edx, %edx\n xsave 0x8000");
SNIPPET("XSAVEC", "mov $1, %eax\n xor %edx, %edx\n xsavec 0x8000");
SNIPPET("XSAVEOPT", "mov $1, %eax\n xor %edx, %edx\n xsaveopt 0x8000");
SNIPPET("XRSTOR of PKRU", "mov $0x200, %eax\n xor %edx, %edx\n movl $0x200, 0x8200\n movl $0x55555554, 0x8a80\n xrstor 0x8000");
SNIPPET("XSAVE", "mov $7, %eax\n xor %edx, %edx\n xsave 0x8000");

/* Memory and stack at odd places. */
SNIPPET("a write beyond the memory", "movl $1, 0x200000\n mov 0x200000, %eax");
SNIPPET("a read at the top", "mov 0xfffffffc, %eax\n mov 0x80000000, %ecx");
SNIPPET("a read across the end of memory", "movl $0x11223344, 0xffffc\n mov 0xffffe, %eax");
SNIPPET("a push with ESP beyond memory", "mov $0xfee00000, %esp\n push $0x1234\n pop %eax");
SNIPPET("a push with ESP = 2", "mov $2, %esp\n push $0x12345678\n mov %esp, %eax");
SNIPPET("an odd stack", "mov $0x8fff3, %esp\n pusha\n popa\n enter $16, $3\n leave\n mov %esp, %eax");
SNIPPET("POP to memory by ESP", "push $5\n push $6\n popl (%esp)\n pop %eax");
SNIPPET("BOUND out of range", "movl $1, 0x8000\n movl $2, 0x8004\n mov $7, %eax\n bound %eax, 0x8000");
SNIPPET("division by zero", "xor %ecx, %ecx\n div %ecx");
SNIPPET("division that overflows", "mov $1, %ecx\n mov $5, %edx\n div %ecx");
SNIPPET("AAM 0", ".byte 0xd4, 0x00");
SNIPPET("LOCK where it must not be", ".byte 0xf0, 0x90");
SNIPPET("LOCK NOT register", ".byte 0xf0, 0xf7, 0xd0");
SNIPPET("an instruction of sixteen bytes", ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
SNIPPET("an undefined opcode", ".byte 0x0f, 0xff");
SNIPPET("a call through memory without RAM", "call *0x300000");
SNIPPET("RET to nowhere", "push $0xdeadbeef\n ret");
SNIPPET("RET n and a far return", "push $8\n push $0x10010\n lret\n .balign 16, 0x90");
SNIPPET("REP MOVS over itself", "mov $0x8000, %esi\n mov $0x8001, %edi\n mov $3000, %ecx\n movb $0x5a, 0x8000\n rep movsb");
SNIPPET("REP STOS down", "std\n mov $0x8fff, %edi\n mov $100, %ecx\n mov $0x77, %al\n rep stosb\n cld");
SNIPPET("XLAT, CMPXCHG8B, XADD", "mov $0x8000, %ebx\n movl $7, 0x8000\n xlat\n xor %edx, %edx\n cmpxchg8b 0x8000\n xadd %eax, 0x8000");
SNIPPET("LOOP, JCXZ", "mov $5, %ecx\n 1: inc %eax\n loop 1b\n jecxz 2f\n int3\n 2: nop");

#endif
