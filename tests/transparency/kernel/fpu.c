// The x87 unit: who may use it, its state as the instructions store it, and its exceptions by #MF (SDM Vol. 3A 2.5,
// Vol. 1 8.1, 8.6). The old way, by IRQ 13, is not here: QEMU 7.2 ends with an assertion on it.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

SNIPPET(fpu_fld, "fld1\nfstp %st(0)\n" STOP);
SNIPPET(fpu_fwait, "fwait\n" STOP);
SNIPPET(fpu_fninit, "fninit\n" STOP);
SNIPPET(fpu_fnstcw, "fnstcw fpu_image\n" STOP);
SNIPPET(fpu_emms, "emms\n" STOP);
SNIPPET(fpu_mmx, "pxor %mm0, %mm0\nemms\n" STOP);
SNIPPET(fpu_fxsave, "fxsave fpu_image\n" STOP);
SNIPPET(fpu_environment, "fninit\nfld1\nfldz\nfldpi\nfnstenv fpu_image\nfstp %st(0)\nfstp %st(0)\nfstp %st(0)\n" STOP);
SNIPPET(fpu_save, "fninit\nfld1\nfldpi\nfaddp\nfnsave fpu_image\n" STOP);
SNIPPET(fpu_fxsave_image, "fninit\nfldl2e\nfld1\nfxsave fpu_image\nfninit\n" STOP);
SNIPPET(fpu_fxrstor, "fninit\nfxrstor fpu_image\nfnsave fpu_image2\n" STOP);
SNIPPET(fpu_words, "fninit\nfnstsw %ax\nfnstcw fpu_image\nmov fpu_image, %ebx\nfldz\nfxam\nmov %eax, %edx\nfnstsw %ax\nmov %eax, %ecx\nmov %edx, %eax\nfstp %st(0)\n" STOP);
// Division by zero, its exception unmasked; it is seen at the next waiting instruction.
SNIPPET(fpu_error, "fninit\npushl $0x37b\nfldcw (%esp)\npop %eax\nfld1\nfldz\nfdivrp\nfnstsw %ax\n1: fwait\nmov $1, %ebx\n"
                   "fninit\n" STOP);
SNIPPET(fpu_masked, "fninit\nfld1\nfldz\nfdivrp\nfnstsw %ax\nfwait\nfstp %st(0)\nfninit\n" STOP);
SNIPPET(fpu_compute, "fninit\nfldpi\nfldl2t\nfmulp\nfsqrt\nfstpt fpu_image\n" STOP);
SNIPPET(fpu_integer, "fninit\nfildl fpu_number\nfildl fpu_number + 4\nfdivrp\nfistpl fpu_image\n" STOP);
SNIPPET(fpu_sse, "movd %eax, %xmm1\npxor %xmm0, %xmm0\npaddd %xmm1, %xmm0\nmovd %xmm0, %ebx\n" STOP);
SNIPPET(fpu_stmxcsr, "stmxcsr fpu_image\n" STOP);
SNIPPET(fpu_paddq, "paddq %mm0, %mm1\nemms\n" STOP);
SNIPPET(fpu_fences, "lfence\nmfence\nsfence\nclflush fpu_image\nmovnti %eax, fpu_image\n" STOP);
SNIPPET(fpu_reserved_mxcsr, "push $0x11f80\nldmxcsr (%esp)\npop %eax\n" STOP);
SNIPPET(fpu_unaligned, "movaps fpu_image + 8, %xmm0\n" STOP);
// Its exception masked (EAX is MXCSR) or not: a division by zero.
SNIPPET(fpu_simd_error, "push %eax\nldmxcsr (%esp)\nmovss fpu_one, %xmm0\nxorps %xmm1, %xmm1\n1: divss %xmm1, %xmm0\n"
                        "stmxcsr (%esp)\npop %ecx\npush $0x1f80\nldmxcsr (%esp)\npop %eax\nmovd %xmm0, %ebx\n" STOP);
extern u8 fpu_image[], fpu_image2[];
extern float fpu_one;
USER_DATA float fpu_one = 1;
extern int fpu_number[];
USER_DATA __attribute__((aligned(16))) u8 fpu_image[512];
USER_DATA __attribute__((aligned(16))) u8 fpu_image2[512];
USER_DATA int fpu_number[] = {355, 113};

static void control(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"fld", fpu_fld},   {"fwait", fpu_fwait}, {"fninit", fpu_fninit}, {"fnstcw", fpu_fnstcw},
                {"emms", fpu_emms}, {"pxor", fpu_mmx},    {"use of fxsave", fpu_fxsave}};
    for (u32 i = 0; i < COUNT(list); i++) {
        if (list[i].code == fpu_fxsave && !(features & FEATURE_FXSR)) continue;
        for (u32 ring = 0; ring < 4; ring += 3) {
            char name[32];
            format_text(name, sizeof name, "%s ring %u", list[i].name, ring);
            report_begin(name);
            for (u32 bits = 0; bits < 8; bits++) {
                write_cr0((read_cr0() & ~(CR0_TS | CR0_EM | CR0_MP)) | (bits & 1 ? CR0_MP : 0) | (bits & 2 ? CR0_EM : 0) |
                          (bits & 4 ? CR0_TS : 0));
                const struct frame end = probe(ring, list[i].code);
                write_cr0(read_cr0() & ~(CR0_TS | CR0_EM | CR0_MP));
                print(" %c%c%c ", bits & 1 ? 'm' : '.', bits & 2 ? 'e' : '.', bits & 4 ? 't' : '.');
                if (end.vector == DONE)
                    print("-");
                else
                    print("#%u", end.vector);
            }
            report_end();
        }
    }
    asm volatile("fninit");
}

// The control, status and tag words of an environment. Their upper halves, FCS, FDS and the opcode are what the host's
// processor makes of them: docs/transparency.md.
static void print_environment(const u8 *image) {
    for (u32 i = 0; i < 12; i += 4)
        print(" %x", *(const u16 *)(image + i));
}

static void images(void) {
    for (u32 ring = 0; ring < 4; ring += 3) {
        char name[64];
        struct frame end = probe(ring, fpu_words);
        format_text(name, sizeof name, "after fninit ring %u", ring);
        report(name, "status %x control %x fxam of 0 %x", end.eax & 0xffff, end.ebx & 0xffff, end.ecx & 0x4700);
        memset(fpu_image, 0xee, sizeof fpu_image);
        end = probe(ring, fpu_environment);
        format_text(name, sizeof name, "fnstenv ring %u", ring);
        report_begin(name);
        print_environment(fpu_image);
        print(" beyond %x", *(u32 *)(fpu_image + 28));
        report_end();
        format_text(name, sizeof name, "fnstenv pointers ring %u", ring);
        report(name, "eip %d", (int)(*(u32 *)(fpu_image + 12) - (u32)fpu_environment));
        memset(fpu_image, 0xee, sizeof fpu_image);
        end = probe(ring, fpu_save);
        format_text(name, sizeof name, "fnsave ring %u", ring);
        report_begin(name);
        print_environment(fpu_image);
        print(" st0 %x %x %x", *(u32 *)(fpu_image + 28), *(u32 *)(fpu_image + 32), *(u16 *)(fpu_image + 36));
        print(" beyond %x", *(u32 *)(fpu_image + 108));
        report_end();
        if (features & FEATURE_FXSR) {
            memset(fpu_image, 0xee, sizeof fpu_image);
            end = probe(ring, fpu_fxsave_image);
            format_text(name, sizeof name, "fxsave ring %u", ring);
            // The opcode and pointers: above. MXCSR: of processors with SSE.
            report(name, "%x %x st0 %x %x %x st1 %x %x %x", *(u32 *)fpu_image, *(u16 *)(fpu_image + 4),
                   *(u32 *)(fpu_image + 32), *(u32 *)(fpu_image + 36), *(u16 *)(fpu_image + 40), *(u32 *)(fpu_image + 48),
                   *(u32 *)(fpu_image + 52), *(u16 *)(fpu_image + 56));
            end = probe(ring, fpu_fxrstor);
            format_text(name, sizeof name, "fxrstor ring %u", ring);
            report_begin(name);
            print_environment(fpu_image2);
            print(" st0 %x %x %x", *(u32 *)(fpu_image2 + 28), *(u32 *)(fpu_image2 + 32), *(u16 *)(fpu_image2 + 36));
            report_end();
        }
        end = probe(ring, fpu_compute);
        format_text(name, sizeof name, "sqrt ring %u", ring);
        report(name, "%04x %08x %08x", *(u16 *)(fpu_image + 8), *(u32 *)(fpu_image + 4), *(u32 *)fpu_image);
        end = probe(ring, fpu_integer);
        format_text(name, sizeof name, "integer ring %u", ring);
        report(name, "%x", *(u32 *)fpu_image);
        end = probe(ring, fpu_masked);
        format_text(name, sizeof name, "masked division by zero ring %u", ring);
        report(name, "vector %u status %x", end.vector, end.eax & 0xffff);
    }
}

static void errors(void) {
    for (u32 ring = 0; ring < 4; ring += 3) {
        char name[64];
        write_cr0(read_cr0() | CR0_NE);
        struct frame end = probe(ring, fpu_error);
        asm volatile("fninit");
        write_cr0(read_cr0() & ~CR0_NE);
        format_text(name, sizeof name, "error by #MF ring %u", ring);
        report(name, "vector %u eip %d ebx %x", end.vector, (int)(end.eip - (u32)fpu_error), end.ebx);
    }
}

#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)

// Who may use the XMM registers: CR0.EM and TS, CR4.OSFXSR.
static void vector_control(u32 ring) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"paddd xmm", fpu_sse}, {"stmxcsr", fpu_stmxcsr}, {"paddq mm", fpu_paddq}, {"fences", fpu_fences}};
    for (u32 i = 0; i < COUNT(list); i++) {
        char name[32];
        format_text(name, sizeof name, "%s ring %u", list[i].name, ring);
        report_begin(name);
        for (u32 bits = 0; bits < 8; bits++) {
            write_cr4((read_cr4() & ~CR4_OSFXSR) | (bits & 1 ? CR4_OSFXSR : 0));
            write_cr0((read_cr0() & ~(CR0_TS | CR0_EM)) | (bits & 2 ? CR0_EM : 0) | (bits & 4 ? CR0_TS : 0));
            const struct frame end = probe(ring, list[i].code);
            write_cr0(read_cr0() & ~(CR0_TS | CR0_EM));
            print(" %c%c%c ", bits & 1 ? 'o' : '.', bits & 2 ? 'e' : '.', bits & 4 ? 't' : '.');
            if (end.vector == DONE)
                print("-");
            else
                print("#%u", end.vector);
        }
        report_end();
    }
}

static void vector_errors(u32 ring) {
    char name[64];
    for (u32 on = 0; on < 2; on++) {
        write_cr4((read_cr4() & ~CR4_OSXMMEXCPT) | CR4_OSFXSR | (on ? CR4_OSXMMEXCPT : 0));
        struct frame f = probe_state(ring, fpu_simd_error);
        f.eax = 0x1d80;
        const struct frame end = run(&f);
        format_text(name, sizeof name, "simd error ring %u osxmmexcpt %u", ring, on);
        if (end.vector == DONE)
            report(name, "vector none");
        else
            report(name, "vector %u eip %d", end.vector, (int)(end.eip - (u32)fpu_simd_error));
        const u32 usual = 0x1f80;
        asm volatile("ldmxcsr %0" ::"m"(usual));
    }
    struct frame f = probe_state(ring, fpu_simd_error);
    f.eax = 0x1f80;
    struct frame end = run(&f);
    format_text(name, sizeof name, "masked simd error ring %u", ring);
    report(name, "vector %u mxcsr %x result %x", end.vector == DONE ? 0 : end.vector, end.ecx, end.ebx);
    end = probe(ring, fpu_reserved_mxcsr);
    format_text(name, sizeof name, "reserved mxcsr ring %u", ring);
    report(name, "vector %u", end.vector == DONE ? 0 : end.vector);
    const u32 usual = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(usual));
    end = probe(ring, fpu_unaligned);
    format_text(name, sizeof name, "movaps unaligned ring %u", ring);
    report(name, "vector %u", end.vector == DONE ? 0 : end.vector);
}

static void vector_values(u32 ring) {
    char name[64];
    struct frame f = probe_state(ring, fpu_sse);
    f.eax = 0x12345678;
    struct frame end = run(&f);
    format_text(name, sizeof name, "xmm value ring %u", ring);
    report(name, "%x", end.ebx);
    memset(fpu_image, 0xee, sizeof fpu_image);
    end = probe(ring, fpu_fxsave_image);
    format_text(name, sizeof name, "fxsave with sse ring %u", ring);
    report(name, "mxcsr %x mask %x xmm0 %x beyond %x", *(u32 *)(fpu_image + 24), *(u32 *)(fpu_image + 28),
           *(u32 *)(fpu_image + 160), *(u32 *)(fpu_image + 480));
}

static void vectors(void) {
    if (!(features & FEATURE_SSE)) return;
    for (u32 ring = 0; ring < 4; ring++) {
        const u32 before = read_cr4();
        vector_control(ring);
        write_cr4(before | CR4_OSFXSR);
        vector_values(ring);
        vector_errors(ring);
        write_cr4(before);
    }
}

void group_fpu(void) {
    report_first_pass();
    for (u32 paged = 0; paged < 2; paged++) {
        if (paged) {
            paging_on(PAGING_32);
            report_later_pass("with paging");
        }
        control();
        images();
        errors();
        vectors();
    }
}
