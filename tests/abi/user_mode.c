// SPDX-License-Identifier: GPL-2.0
/*
 * Guest user code (CPL 3) runs directly, with the guest's own selectors. Here a flat guest without paging has two rings, a
 * GDT, an LDT and a TSS; pieces of user code load, read and test segments, change flags and fault in every way, and must
 * leave behind what they leave interpreted: registers, segments, and all of memory, exception frames included.
 *
 * Selectors in the GDT: 8 and 10h kernel, 1bh user code, 23h user data, 28h TSS, 30h LDT, 3bh data and 43h code that were never
 * accessed, 4bh read-only data, 53h data not present, 5bh conforming code of ring 0, 63h data with a base, 6bh call gate,
 * 73h 16-bit code, 323h data, fffbh data. In the LDT: 7 data, fh code, 17h data never accessed, 327h data.
 */
#include "guest.h"

#include <cpuid.h>

#define TSS 0x3000u
#define LDT 0x4000u
#define GDT 0x20000u
#define KERNEL 0x18000u
#define RESULT_CHECK 0x600d

struct piece {
	uint8_t code[128];
	char name[64];
};

/* Ends in INT 80h with EBX = 600Dh. ESI is where results may go. */
#define PIECE(name, text)                                                                                            \
	asm(".pushsection pieces, \"a\"\n .balign 256\n .code32\n 9:" text "\n mov $0x600d, %ebx\n int $0x80\n"     \
	    ".org 9b + 128, 0xf4\n .asciz \"" name "\"\n .balign 256\n .code64\n .popsection")
/* The piece's address of its label `l` (pieces run at GUEST_CODE). */
#define HERE(l) "(" #l " - 9b + 0x10000)"

extern const struct piece __start_pieces[], __stop_pieces[];
_Static_assert(sizeof(struct piece) <= 256, "pieces lie 256 bytes apart");

#define READ_SELECTORS "mov %cs, %eax\n mov %ds, %ecx\n mov %es, %edx\n mov %fs, %edi\n mov %gs, %ebp\n"

PIECE("selectors by MOV", READ_SELECTORS);
PIECE("selectors by PUSH", "push %cs\n push %ds\n push %es\n push %fs\n push %gs\n push %ss\n pop %eax\n pop %ecx\n pop %edx");
PIECE("selectors by MOV to memory", "mov %cs, (%esi)\n mov %ds, 4(%esi)\n mov %ss, 8(%esi)");
PIECE("LAR", "xor %ecx, %ecx\n 1: cmp $0x40, %ecx\n jae 2f\n xor %eax, %eax\n lar %ecx, %eax\n setz %dl\n mov %eax, (%esi, %ecx, 8)\n"
	"mov %dl, 4(%esi, %ecx, 8)\n inc %ecx\n jmp 1b\n 2:");
PIECE("LSL", "xor %ecx, %ecx\n 1: cmp $0x68, %ecx\n jae 2f\n xor %eax, %eax\n cmp $0x40, %ecx\n jb 3f\n cmp $0x48, %ecx\n jb 4f\n"
	"3: lsl %ecx, %eax\n setz %dl\n mov %eax, (%esi, %ecx, 8)\n mov %dl, 4(%esi, %ecx, 8)\n 4: inc %ecx\n jmp 1b\n 2:");
PIECE("VERR and VERW", "xor %ecx, %ecx\n 1: cmp $0x68, %ecx\n jae 2f\n cmp $0x40, %ecx\n jb 3f\n cmp $0x48, %ecx\n jb 4f\n"
	"3: verr %cx\n setz %dl\n verw %cx\n setz %dh\n mov %dx, (%esi, %ecx, 4)\n 4: inc %ecx\n jmp 1b\n 2:");
PIECE("LAR in the LDT", "mov $7, %eax\n lar %eax, %ecx\n mov $0xf, %eax\n lar %eax, %edx\n mov $0x17, %eax\n lar %eax, %edi\n"
	"mov $0x1f, %eax\n lar %eax, %ebp\n setz %al");
PIECE("the same data again", "mov $0x23, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %fs\n mov %eax, %gs\n" READ_SELECTORS);
PIECE("data with a base", "mov $0x63, %eax\n mov %eax, %es\n movl $0x1234, %es:(%esi)\n mov %eax, %gs\n mov %gs:(%esi), %ecx");
PIECE("data with RPL 0", "mov $0x60, %eax\n mov %eax, %es\n mov %es, %ecx\n movl $77, %es:(%esi)");
PIECE("data never accessed", "mov $0x3b, %eax\n mov %eax, %fs\n mov %fs:(%esi), %ecx\n mov %fs, %edx\n lar %eax, %edi");
PIECE("data of the LDT", "mov $7, %eax\n mov %eax, %es\n movl $5, %es:(%esi)\n mov %es, %ecx\n mov $0x17, %eax\n mov %eax, %gs");
PIECE("data far up in the LDT", "mov $0x327, %eax\n mov %eax, %es\n movl $5, %es:(%esi)\n mov %es, %ecx\n lar %eax, %edx");
PIECE("data far up in the GDT", "mov $0x323, %eax\n mov %eax, %es\n movl $5, %es:(%esi)\n mov %es, %ecx\n lar %eax, %edx");
PIECE("data in the last place of the GDT", "mov $0xfffb, %eax\n mov %eax, %es\n movl $5, %es:(%esi)\n mov %es, %ecx");
PIECE("read-only data", "mov $0x4b, %eax\n mov %eax, %es\n mov %es:(%esi), %ecx\n mov %es, %edx");
PIECE("a write to read-only data", "mov $0x4b, %eax\n mov %eax, %es\n mov %ecx, %es:(%esi)");
PIECE("data not present", "mov $0x53, %eax\n mov %eax, %es");
PIECE("data of ring 0", "mov $0x10, %eax\n mov %eax, %es");
PIECE("code in ES", "mov $0x1b, %eax\n mov %eax, %es\n mov %es:(%esi), %ecx");
PIECE("the TSS in FS", "mov $0x28, %eax\n mov %eax, %fs");
PIECE("a selector beyond the LDT", "mov $0x7ff, %eax\n mov %eax, %fs");
PIECE("null selectors", "xor %eax, %eax\n mov %eax, %fs\n mov %fs, %ecx\n mov $0, %eax\n mov %eax, %gs\n mov %gs, %edx");
PIECE("null in DS", "xor %eax, %eax\n mov %eax, %ds\n mov (%esi), %ecx");
PIECE("POP of segments", "push $0x63\n pop %es\n push $7\n pop %fs\n push $0\n pop %gs\n" READ_SELECTORS);
PIECE("LES, LFS and LSS", "movl $0x1000, (%esi)\n movw $0x63, 4(%esi)\n les (%esi), %eax\n lfs (%esi), %ecx\n"
	"mov %esp, (%esi)\n movw $0x23, 4(%esi)\n lss (%esi), %esp\n mov %ss, %edx");
PIECE("SS", "mov $0x23, %eax\n mov %eax, %ss\n mov %ss, %ecx\n mov $0x3b, %eax\n mov %eax, %ss\n push %ss\n pop %edx");
PIECE("SS with a wrong RPL", "mov $0x20, %eax\n mov %eax, %ss");
PIECE("SS not present", "mov $0x53, %eax\n mov %eax, %ss");
PIECE("far jump to the same code", "ljmp $0x1b, $" HERE(1f) "\n 1: mov %cs, %eax");
PIECE("far jump to code never accessed", "ljmp $0x43, $" HERE(1f) "\n 1: mov %cs, %eax\n mov $0x43, %ecx\n lar %ecx, %edx");
PIECE("far jump to code of the LDT", "ljmp $0xf, $" HERE(1f) "\n 1: mov %cs, %eax");
PIECE("far jump to conforming code", "ljmp $0x58, $" HERE(1f) "\n 1: mov %cs, %eax");
PIECE("far jump to kernel code", "ljmp $8, $" HERE(1f) "\n 1: mov %cs, %eax");
PIECE("far jump to data", "ljmp $0x23, $" HERE(1f) "\n 1: mov %cs, %eax");
PIECE("far call and return", "lcall $0xf, $" HERE(1f) "\n mov %cs, %eax\n jmp 2f\n 1: mov %cs, %ecx\n lret\n 2:");
PIECE("far return with data to drop", "push $1\n push $2\n lcall $0x1b, $" HERE(1f) "\n mov %esp, %eax\n jmp 2f\n 1: lret $8\n 2:");
PIECE("call gate into the kernel", "lcall $0x6b, $0");
PIECE("16-bit code", "ljmp $0x73, $" HERE(1f) " - 0x10000\n .code16\n 1: mov %cs, %ax\n mov $0x12345678, %ecx\n"
	"ljmpl $0x1b, $" HERE(2f) "\n .code32\n 2: mov %cs, %edx");
PIECE("IRET to the same level", "pushf\n push $0x1b\n push $" HERE(1f) "\n iret\n nop\n 1: mov %esp, %ecx");
PIECE("IRET to another code segment", "pushf\n push $0xf\n push $" HERE(1f) "\n iret\n nop\n 1: mov %cs, %ecx");
PIECE("IRET with NT", "pushf\n orl $0x4000, (%esp)\n popf\n iret");
PIECE("PUSHF", "pushf\n pop %eax");
PIECE("POPF with IF and IOPL", "push $0x3002\n popf\n pushf\n pop %eax");
PIECE("POPF with NT, AC and ID", "push $0x244202\n popf\n pushf\n pop %eax\n push $0x202\n popf");
PIECE("flags over a fault that nobody sees", "push $0x200ed7\n popf\n mov 0x70000, %ecx\n pushf\n pop %eax\n push $0x202\n popf");
PIECE("TF by POPF", "pushf\n orl $0x100, (%esp)\n popf\n nop\n nop");
PIECE("TF over MOV SS", "pushf\n orl $0x100, (%esp)\n mov $0x23, %eax\n popf\n mov %eax, %ss\n nop\n nop");
/* QEMU's emulator never raises #AC: where that is known, code with AC set is interpreted from its next trap on. */
PIECE("an unaligned access with AC", "pushf\n orl $0x40000, (%esp)\n popf\n int $0x84\n mov 1(%esi), %eax");
PIECE("INT3", "int3");
PIECE("INT1", ".byte 0xf1");
PIECE("INTO", "mov $0x7f, %al\n add $1, %al\n into");
PIECE("BOUND", "movl $1, (%esi)\n movl $2, 4(%esi)\n mov $3, %eax\n bound %eax, (%esi)");
PIECE("an interrupt gate of ring 0", "int $0x21");
PIECE("no gate", "int $0xf0");
PIECE("UD2", "ud2");
PIECE("division by zero", "xor %ecx, %ecx\n div %ecx");
PIECE("HLT", "hlt");
PIECE("CLI", "cli");
PIECE("STI", "sti");
PIECE("IN", "in $0x80, %al");
PIECE("OUT DX", "mov $0x20, %edx\n out %al, %dx");
PIECE("INS", "mov %esi, %edi\n mov $0x60, %edx\n insb");
PIECE("MOV from CR0", "mov %cr0, %eax");
PIECE("MOV to DR7", "mov %eax, %dr7");
PIECE("LGDT", "lgdt (%esi)");
PIECE("LLDT", "lldt %ax");
PIECE("INVLPG", "invlpg (%esi)");
PIECE("CLTS", "clts");
PIECE("RDMSR", "mov $0x10, %ecx\n rdmsr");
PIECE("RDPMC", "xor %ecx, %ecx\n rdpmc");
PIECE("SYSENTER", "sysenter");
PIECE("SYSCALL", "syscall");
PIECE("XGETBV", "xor %ecx, %ecx\n xgetbv");
PIECE("RDPKRU", "xor %ecx, %ecx\n rdpkru");
PIECE("SSE without CR4.OSFXSR", "xorps %xmm0, %xmm0");
PIECE("SSE: arithmetic", "movl $0x40490fdb, (%esi)\n movss (%esi), %xmm1\n movaps %xmm1, %xmm2\n shufps $0, %xmm2, %xmm2\n sqrtps %xmm2, %xmm3\n"
	"divss %xmm1, %xmm2\n cvttss2si %xmm1, %eax\n comiss %xmm1, %xmm2\n seta %cl\n movups %xmm2, (%esi)\n movaps %xmm3, 16(%esi)\n"
	"stmxcsr 32(%esi)");
PIECE("SSE: integers and moves", "movl $0x01020304, (%esi)\n movd (%esi), %xmm0\n pshufd $0, %xmm0, %xmm0\n punpcklbw %xmm0, %xmm0\n"
	"pshufhw $0x1b, %xmm0, %xmm1\n psrldq $3, %xmm1\n pmovmskb %xmm1, %eax\n pinsrw $5, %esi, %xmm1\n movntdq %xmm1, (%esi)\n"
	"lea 8(%esi), %edi\n maskmovdqu %xmm0, %xmm1\n movdq2q %xmm1, %mm2\n movq %mm2, 64(%esi)\n emms");
PIECE("SSE: FXSAVE and FXRSTOR", "fninit\n movd %esi, %xmm5\n fxsave (%esi)\n pxor %xmm5, %xmm5\n fxrstor (%esi)\n movd %xmm5, %eax");
PIECE("SSE: over a single step", "movd %esi, %xmm1\n pushf\n orl $0x100, (%esp)\n popf\n paddd %xmm1, %xmm1\n nop");
/* INT 85h comes back with TF set. */
PIECE("TF by IRET", "int $0x85\n inc %eax\n inc %eax");
PIECE("TF by IRET, over a fault that nobody sees", "int $0x85\n mov 0x70000, %ecx\n inc %eax");
PIECE("TF by IRET, over PUSHF", "int $0x85\n pushf\n inc %eax");
PIECE("TF by IRET, over INT", "int $0x85\n int $0x84\n inc %eax\n inc %eax");
PIECE("TF by IRET, over RDPMC", "int $0x85\n rdpmc\n inc %eax");
PIECE("TF by IRET, over POPF", "push $0x202\n int $0x85\n popf\n inc %eax\n inc %eax");
PIECE("TF by IRET, over MOV SS", "mov $0x23, %eax\n int $0x85\n mov %eax, %ss\n inc %eax\n inc %eax");
PIECE("TF by IRET, over UD2", "int $0x85\n ud2");
PIECE("TF by IRET, over a far call", "int $0x85\n lcall $0x1b, $" HERE(1f) "\n 1: inc %eax");
PIECE("TF by IRET, over LES", "movl $0x1000, (%esi)\n movw $0x63, 4(%esi)\n int $0x85\n les (%esi), %eax\n inc %eax");
PIECE("SSE: after MOV SS", "movd %esi, %xmm1\n mov $0x23, %eax\n mov %eax, %ss\n paddd %xmm1, %xmm1\n movups %xmm1, (%esi)");
PIECE("SSE: where no memory is", "movd %esi, %xmm1\n movups %xmm1, 0x40000000\n movups 0x40000000, %xmm2\n movups %xmm2, (%esi)\n"
	"paddd 0x40000000, %xmm1\n movaps %xmm1, 16(%esi)");
PIECE("SSE: CLFLUSH and the fences", "clflush (%esi)\n lfence\n mfence\n sfence\n pause\n movnti %esi, (%esi)");
PIECE("SGDT", "sgdt (%esi)\n mov (%esi), %eax\n mov 4(%esi), %cx");
PIECE("SIDT", "sidt (%esi)");
PIECE("SLDT", "sldt %eax");
PIECE("STR", "str %eax");
PIECE("SMSW", "smsw %eax");
PIECE("ARPL", "mov $0x10, %eax\n mov $3, %ecx\n arpl %cx, %ax\n setz %dl");
PIECE("STD and a string", "mov %esi, %edi\n mov $16, %ecx\n std\n rep stosl\n pushf\n pop %eax\n cld");
/* INT 81h lets the kernel give 63h another base, without reloading: registers that hold it stay as they are. */
PIECE("a stale segment register", "mov $0x63, %eax\n mov %eax, %es\n movl $1, %es:(%esi)\n int $0x81\n movl $2, %es:4(%esi)\n"
	"mov 0x70000, %ecx\n movl $3, %es:8(%esi)\n mov %es, %ecx\n mov %ecx, %fs\n movl $4, %fs:12(%esi)\n mov $0x63, %edx\n"
	"mov %edx, %es\n movl $5, %es:16(%esi)");
PIECE("a stale register loaded again", "mov $0x63, %eax\n mov %eax, %es\n int $0x81\n mov %eax, %es\n movl $2, %es:4(%esi)");
/* INT 82h is the same with IRET to ring 3 from an ES that the kernel has loaded with its own data: it becomes null. */
PIECE("a segment register that the kernel used", "mov $0x63, %eax\n mov %eax, %es\n int $0x82\n mov %es, %ecx");
/* INT 83h empties the place of 63h. */
PIECE("a segment register whose descriptor is gone", "mov $0x63, %eax\n mov %eax, %es\n int $0x83\n movl $2, %es:4(%esi)\n"
	"lar %eax, %ecx\n setz %dl\n mov %eax, %fs");

/* The kernel: a table of handlers 32 bytes apart, one for each vector that may come. */
asm(".pushsection .rodata\n .code32\n .globl user_kernel, user_kernel_end\n"
    "user_kernel:\n"
    ".set vector, 0\n .rept 32\n .org user_kernel + 32 * vector\n movl $vector, %ss:0x9000\n hlt\n .set vector, vector + 1\n .endr\n"
    ".org user_kernel + 0x400\n cli\n hlt\n"                                             /* INT 80h, the call gate */
    ".org user_kernel + 0x420\n xorb $2, %ss:0x20062\n iret\n"                            /* INT 81h: base 63h ^ 200h */
    ".org user_kernel + 0x440\n push %eax\n mov $0x10, %eax\n mov %eax, %es\n pop %eax\n iret\n" /* INT 82h */
    ".org user_kernel + 0x460\n movl $0, %ss:0x20060\n movl $0, %ss:0x20064\n iret\n"     /* INT 83h */
    ".org user_kernel + 0x480\n iret\n"                                                   /* INT 84h */
    ".org user_kernel + 0x4a0\n orl $0x100, %ss:8(%esp)\n iret\n"                        /* INT 85h */
    "user_kernel_end:\n .code64\n .popsection");
extern const uint8_t user_kernel[], user_kernel_end[];

static void set_user_gate(struct guest *g, unsigned int vector, uint32_t handler, unsigned int dpl)
{
	guest_gate(g, vector, handler);
	g->ram[GUEST_IDT + 8 * vector + 5] |= dpl << 5;
}

static void set_entry(struct guest *g, uint32_t table, unsigned int selector, uint64_t descriptor)
{
	memcpy(g->ram + table + (selector & 0xfff8), &descriptor, sizeof(descriptor));
}

static void fill_tables(struct guest *g)
{
	const uint64_t user_code = 0x00cffb000000ffffull, user_data = 0x00cff3000000ffffull;
	const uint32_t stack[2] = { GUEST_STACK, GUEST_DS };
	unsigned int vector;

	set_entry(g, GDT, GUEST_CS, 0x00cf9b000000ffffull);
	set_entry(g, GDT, GUEST_DS, 0x00cf93000000ffffull);
	set_entry(g, GDT, 0x1b, user_code);
	set_entry(g, GDT, 0x23, user_data);
	set_entry(g, GDT, 0x28, 0x00008b0030000067ull);
	set_entry(g, GDT, 0x30, 0x0000820040000fffull);
	set_entry(g, GDT, 0x3b, 0x00dff2000000ffffull);
	set_entry(g, GDT, 0x43, 0x00cffa000000ffffull);
	set_entry(g, GDT, 0x4b, 0x00cff1000000ffffull);
	set_entry(g, GDT, 0x53, 0x00cf72000000ffffull);
	set_entry(g, GDT, 0x5b, 0x00cf9f000000ffffull);
	set_entry(g, GDT, 0x63, 0x00cff3000100ffffull);
	set_entry(g, GDT, 0x6b, (uint64_t)(KERNEL & 0xffff0000) << 32 | 0xec00ull << 32 | GUEST_CS << 16 | 0x8400);
	set_entry(g, GDT, 0x73, 0x008ffb010000ffffull);
	set_entry(g, GDT, 0x323, user_data);
	set_entry(g, GDT, 0xfffb, user_data);
	set_entry(g, LDT, 7, user_data);
	set_entry(g, LDT, 0xf, user_code);
	set_entry(g, LDT, 0x17, 0x00cff2000000ffffull);
	set_entry(g, LDT, 0x327, user_data);
	memcpy(g->ram + TSS + 4, stack, sizeof(stack));
	for (vector = 0; vector < 32; vector++)
		set_user_gate(g, vector, KERNEL + 32 * vector, vector == 3 || vector == 4 ? 3 : 0);
	set_user_gate(g, 0x21, KERNEL + 0x400, 0);
	for (vector = 0; vector < 6; vector++)
		set_user_gate(g, 0x80 + vector, KERNEL + 0x400 + 32 * vector, 3);
}

/* At CPL 3, interrupts on, at the beginning of `code`. */
static void start_user(struct guest *g, const uint8_t *code, size_t size)
{
	const struct btvm_segment user_code = { .limit = ~0u, .selector = 0x1b, .access = 0xc0fb };
	const struct btvm_segment user_data = { .limit = ~0u, .selector = 0x23, .access = 0xc0f3 };
	struct btvm_sregs sregs;
	struct btvm_regs regs;
	int i;

	memset(g->ram, 0, GUEST_RAM);
	fill_tables(g);
	memcpy(g->ram + GUEST_CODE, code, size);
	memcpy(g->ram + KERNEL, user_kernel, user_kernel_end - user_kernel);
	if (ioctl(g->vcpu, BTVM_RESET, 0))
		ktap_bail("the vCPU cannot be reset");
	guest_written(g, 0, GUEST_RAM);
	sregs = guest_sregs(g);
	for (i = 0; i < 6; i++)
		sregs.segment[i] = i == 1 ? user_code : user_data;
	sregs.gdtr.base = GDT;
	sregs.gdtr.limit = 0xffff;
	sregs.idtr.base = GUEST_IDT;
	sregs.idtr.limit = 0x7ff;
	sregs.tr = (struct btvm_segment){ .base = TSS, .limit = 0x67, .selector = 0x28, .access = 0x8b };
	sregs.ldtr = (struct btvm_segment){ .base = LDT, .limit = 0xfff, .selector = 0x30, .access = 0x82 };
	sregs.cr0 = 0x60040031;
	sregs.activity = 0;
	guest_registers_at_start(&regs);
	regs.gpr[4] = 0x80000;
	regs.gpr[6] = 0x8000;
	regs.rflags = 0x202;
	guest_set(g, &sregs, &regs);
}

struct outcome {
	int exit;
	struct btvm_regs regs;
	struct btvm_sregs sregs;
	uint8_t ram[GUEST_RAM];
};

/* The kernel of the pieces named so has set CR4.OSFXSR and OSXMMEXCPT. */
static void use_sse(struct guest *g)
{
	struct btvm_sregs sregs = guest_sregs(g);
	struct btvm_regs regs = guest_regs(g);

	sregs.cr4 = 0x600;
	guest_set(g, &sregs, &regs);
}

static void run_piece(struct guest *g, const struct piece *piece, struct outcome *outcome)
{
	start_user(g, piece->code, sizeof(piece->code));
	if (!strncmp(piece->name, "SSE:", 4))
		use_sse(g);
	outcome->exit = guest_run_for(g, 5000);
	outcome->regs = guest_regs(g);
	outcome->sregs = guest_sregs(g);
	memcpy(outcome->ram, g->ram, GUEST_RAM);
}

static void print_difference(const struct piece *piece, const struct outcome *here, const struct outcome *there)
{
	unsigned int i, shown = 0;

	ktap_diag("%s: exit %d, eip %llx, flags %llx, vector %u; interpreted exit %d, eip %llx, flags %llx, vector %u", piece->name,
		  here->exit, here->regs.rip, here->regs.rflags, here->ram[0x9000], there->exit, there->regs.rip,
		  there->regs.rflags, there->ram[0x9000]);
	for (i = 0; i < 8; i++)
		if (here->regs.gpr[i] != there->regs.gpr[i])
			ktap_diag("  register %u: %llx, interpreted %llx", i, here->regs.gpr[i], there->regs.gpr[i]);
	for (i = 0; i < 6; i++)
		if (memcmp(&here->sregs.segment[i], &there->sregs.segment[i], sizeof(here->sregs.segment[i])))
			ktap_diag("  segment %u: %x base %llx limit %x access %x, interpreted %x base %llx limit %x access %x", i,
				  here->sregs.segment[i].selector, here->sregs.segment[i].base, here->sregs.segment[i].limit,
				  here->sregs.segment[i].access, there->sregs.segment[i].selector,
				  there->sregs.segment[i].base, there->sregs.segment[i].limit, there->sregs.segment[i].access);
	for (i = 0; i < GUEST_RAM && shown < 8; i++)
		if (here->ram[i] != there->ram[i]) {
			ktap_diag("  byte %x: %02x, interpreted %02x", i, here->ram[i], there->ram[i]);
			shown++;
		}
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->exit == b->exit && !memcmp(&a->regs, &b->regs, sizeof(a->regs)) &&
	       !memcmp(&a->sregs, &b->sregs, sizeof(a->sregs)) && !memcmp(a->ram, b->ram, GUEST_RAM);
}

static const struct piece *piece_at(unsigned int n)
{
	return (const struct piece *)((const uint8_t *)__start_pieces + 256 * n);
}

/*
 * SGDT, SIDT, SLDT, STR and SMSW trap only where the processor can make them (CPUID.7:ECX.UMIP), RDPKRU only with CR4.PKE
 * clear, which execute-only copies need.
 */
static bool shows_through(const struct piece *piece)
{
	static const char *const names[] = { "SGDT", "SIDT", "SLDT", "STR", "SMSW" };
	unsigned int i, eax, ebx, ecx, edx;

	if (with_execute_only() && !strcmp(piece->name, "RDPKRU"))
		return true;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & 4))
		return false;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(piece->name, names[i]))
			return true;
	return false;
}

static void check_pieces(const char *name, uint32_t flags)
{
	static struct outcome native, interpreted;
	const struct btvm_config here = { .flags = flags, .breakpoints = 4 };
	const struct btvm_config there = { .flags = BTVM_CONFIG_INTERPRET, .breakpoints = 4 };
	const unsigned int count = ((const uint8_t *)__stop_pieces - (const uint8_t *)__start_pieces) / 256;
	unsigned int n, different = 0;
	struct guest one, two;

	guest_create(&one, &here);
	guest_create(&two, &there);
	for (n = 0; n < count; n++) {
		if (shows_through(piece_at(n)))
			continue;
		run_piece(&one, piece_at(n), &native);
		run_piece(&two, piece_at(n), &interpreted);
		if (!same(&native, &interpreted) || (native.exit != BTVM_EXIT_HALTED && native.exit != BTVM_EXIT_IO)) {
			print_difference(piece_at(n), &native, &interpreted);
			different++;
		}
	}
	ktap_result(!different, "%s: %u pieces of user code do what they do interpreted", name, count);
	guest_destroy(&one);
	guest_destroy(&two);
}

/* A long loop: almost nothing of it may be interpreted. */
GUEST_CODE32(user_loop, "mov $3000000, %ecx\n 1: mov %ds, %eax\n lar %eax, %edx\n dec %ecx\n jnz 1b\n int $0x80");

static void check_speed(const char *name, uint32_t flags)
{
	const struct btvm_config config = { .flags = flags, .breakpoints = 4 };
	struct btvm_stats before, after;
	struct guest g;
	int reason;

	guest_create(&g, &config);
	start_user(&g, user_loop, user_loop_end - user_loop);
	before = guest_stats(&g);
	reason = guest_run(&g);
	after = guest_stats(&g);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[1] == 0 &&
				 after.interpreted_instructions - before.interpreted_instructions < 1000,
			 "%s: user code is not interpreted", name)) {
		ktap_diag("%llu instructions interpreted", after.interpreted_instructions - before.interpreted_instructions);
		guest_print(&g);
	}
	guest_destroy(&g);
}

/* The guest's clock in user code: RDTSC counts guest time, and never backwards. */
GUEST_CODE32(clock_reader, "mov $2000, %ecx\n xor %edi, %edi\n xor %ebp, %ebp\n 1: rdtsc\n cmp %ebp, %edx\n jb 2f\n ja 3f\n cmp %edi, %eax\n"
	"jb 2f\n 3: mov %eax, %edi\n mov %edx, %ebp\n dec %ecx\n jnz 1b\n mov $0x600d, %ebx\n 2: int $0x80");

static void check_clock(void)
{
	struct guest g;
	int reason;

	guest_create(&g, NULL);
	start_user(&g, clock_reader, clock_reader_end - clock_reader);
	reason = guest_run(&g);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[3] == RESULT_CHECK, "RDTSC works and never runs backwards"))
		guest_print(&g);
	guest_destroy(&g);
}

/* Many ways between user and kernel: each changes the tables. Segment registers and flags stay. */
GUEST_CODE32(caller, "mov $0x63, %eax\n mov %eax, %es\n mov $7, %eax\n mov %eax, %gs\n mov $10000, %ecx\n"
	"1: int $0x84\n mov %es, %eax\n cmp $0x63, %ax\n jne 2f\n mov %gs, %eax\n cmp $7, %ax\n jne 2f\n"
	"mov %cs, %eax\n cmp $0x1b, %ax\n jne 2f\n dec %ecx\n jnz 1b\n mov $0x600d, %ebx\n 2: int $0x80");

static void check_turns(const char *name, uint32_t flags)
{
	const struct btvm_config config = { .flags = flags, .breakpoints = 4 };
	struct guest g;
	int reason;

	guest_create(&g, &config);
	start_user(&g, caller, caller_end - caller);
	reason = guest_run(&g);
	if (!ktap_result(reason == BTVM_EXIT_HALTED && guest_regs(&g).gpr[3] == RESULT_CHECK, "%s: user and kernel take turns", name))
		guest_print(&g);
	guest_destroy(&g);
}

int main(void)
{
	ktap_plan(7);
	check_pieces("monitor", 0);
	check_pieces("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_speed("monitor", 0);
	check_speed("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_turns("monitor", 0);
	check_turns("monitor off", BTVM_CONFIG_MONITOR_OFF);
	check_clock();
	return ktap_finish();
}
