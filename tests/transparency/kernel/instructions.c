// Instructions with corners: LOCK, string instructions that fault half-way, CMPXCHG8B, ENTER, far pointers and the like.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

#define RIGHTS (PTE_P | PTE_W | PTE_U)

// ESI and EDI lie so that the third element is in the page that is absent.
SNIPPET(string_movsb, "rep movsb\n" STOP);
SNIPPET(string_movsl, "rep movsl\n" STOP);
SNIPPET(string_stosl, "rep stosl\n" STOP);
SNIPPET(string_lodsw, "rep lodsw\n" STOP);
SNIPPET(string_cmpsb, "repe cmpsb\n" STOP);
SNIPPET(string_scasb, "mov $0x77, %al\nrepne scasb\n" STOP);
static const struct {
    const char *name;
    const u8 *code;
    u32 esi, edi; // less the boundary
} strings[] = {{"rep movsb, source", string_movsb, -2u, -0x100u}, {"rep movsb, destination", string_movsb, -0x200u, -2u},
               {"rep movsl, source", string_movsl, -6u, -0x100u}, {"rep movsl, destination", string_movsl, -0x200u, -6u},
               {"rep stosl", string_stosl, 0, -8u},               {"rep lodsw", string_lodsw, -5u, 0},
               {"repe cmpsb", string_cmpsb, -3u, -0x100u},        {"repne scasb", string_scasb, 0, -3u}};

static void string_faults(void) {
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(strings); i++) {
            char name[64];
            memset(arena[0], 0x11, PAGE);
            map(LINEAR(0), 0, RIGHTS);
            map(LINEAR(1), 1, 0);
            struct frame f = probe_state(ring, strings[i].code);
            f.esi = LINEAR(1) + strings[i].esi;
            f.edi = LINEAR(1) + strings[i].edi;
            f.ecx = 10;
            const struct frame end = run(&f);
            format_text(name, sizeof name, "%s ring %u", strings[i].name, ring);
            report(name, "vector %u,%x eip %d cr2 %x ecx %x esi %d edi %d eax %x eflags %x", end.vector, end.error,
                   (int)(end.eip - (u32)strings[i].code), trap_cr2, end.ecx, (int)(end.esi - f.esi), (int)(end.edi - f.edi),
                   end.eax, end.eflags & ~FLAG_RF & ~0x8d5u);
            // And on, where it stopped.
            map(LINEAR(1), 1, RIGHTS);
            f = end;
            f.eflags &= ~FLAG_RF;
            const struct frame rest = run(&f);
            format_text(name, sizeof name, "%s, resumed ring %u", strings[i].name, ring);
            report(name, "vector %u ecx %x esi %x edi %x", rest.vector, rest.ecx, rest.esi, rest.edi);
        }
}

// Instructions that write more than once: all or nothing.
SNIPPET(multi_pusha, "mov %edi, %esp\npusha\n" STOP);
SNIPPET(multi_push_mem, "mov %edi, %esp\npushl (%esi)\n" STOP);
SNIPPET(multi_pop_mem, "mov %edi, %esp\npopl (%esi)\n" STOP);
SNIPPET(multi_enter, "mov %edi, %esp\nmov %edi, %ebp\nenter $8, $3\n" STOP);
SNIPPET(multi_call_far, "mov %edi, %esp\npush %cs\npush $1f\nlcall *(%esp)\n1:\n" STOP);
SNIPPET(multi_cross_write, "movl $-1, (%esi)\n" STOP);
SNIPPET(multi_cmpxchg8b, "mov $0x11111111, %eax\nmov $0x11111111, %edx\ncmpxchg8b (%esi)\n" STOP);
static const struct {
    const char *name;
    const u8 *code;
    u32 esi, edi;
} multiple[] = {{"pusha", multi_pusha, 0, 16},         {"push mem", multi_push_mem, -2u, -64u},
                {"pop mem", multi_pop_mem, -2u, -64u}, {"enter", multi_enter, 0, 12},
                {"far call", multi_call_far, 0, 12},   {"write across", multi_cross_write, -2u, 0},
                {"cmpxchg8b across", multi_cmpxchg8b, -4u, 0}};

static void half_done(void) {
    for (u32 i = 0; i < COUNT(multiple); i++) {
        // Page 1 is there, page 0 and page 2 are not; or page 1 is absent after page 0.
        const int below = multiple[i].edi && (int)multiple[i].edi > 0;
        memset(arena[0], 0x11, PAGE);
        map(LINEAR(0), 0, below ? 0 : RIGHTS);
        map(LINEAR(1), 0, below ? RIGHTS : 0);
        struct frame f = probe_state(3, multiple[i].code);
        f.esi = LINEAR(1) + multiple[i].esi;
        f.edi = LINEAR(1) + multiple[i].edi;
        const struct frame end = run(&f);
        // What lies below the stack pointer may be written already; the rest may not.
        u32 sum = 0;
        for (u32 b = below ? 16 : 0; b < PAGE; b++)
            sum = sum * 31 + arena[0][b];
        report(multiple[i].name, "vector %u,%x eip %d cr2 %x esp %x ebp %x eax %x edx %x sum %x", end.vector, end.error,
               (int)(end.eip - (u32)multiple[i].code), trap_cr2,
               end.esp - stack_top(3) + 64 < 128 ? end.esp - stack_top(3) : end.esp, end.ebp, end.eax, end.edx, sum);
    }
}

SNIPPET(misc_bsf, "mov $0x1234, %eax\nxor %ebx, %ebx\nbsf %ebx, %eax\nsetz %cl\nmov $0x5678, %edx\nbsr %ebx, %edx\nsetz %ch\n" STOP);
SNIPPET(misc_enter, "mov %esp, %esi\nmov %esp, %ebp\nenter $16, $0\nmov %esp, %eax\nmov %ebp, %ebx\nenter $4, $2\nmov %esp, %ecx\n"
                    "mov %ebp, %edx\nleave\nleave\nsub %esi, %eax\nsub %esi, %ebx\nsub %esi, %ecx\nsub %esi, %edx\nmov %esi, %esp\n" STOP);
SNIPPET(misc_popa, "mov %esp, %ebx\npushl $1\npushl $2\npushl $3\npushl $4\npushl $5\npushl $6\npushl $7\npushl $8\npopa\n" STOP);
SNIPPET(misc_cmpxchg8b, "pushl $2\npushl $1\nmov $1, %eax\nmov $2, %edx\nmov $3, %ebx\nmov $4, %ecx\nlock cmpxchg8b (%esp)\n"
                        "setz %cl\ncmpxchg8b (%esp)\nsetz %ch\nadd $8, %esp\n" STOP);
SNIPPET(misc_les, "push %ds\npush $0x1234\nles (%esp), %eax\nlds (%esp), %ebx\nlfs (%esp), %ecx\nadd $8, %esp\n" STOP);
SNIPPET(misc_les_null, "push $0\npush $0x1234\nles (%esp), %eax\nmov %es, %ecx\nadd $8, %esp\n" STOP);
SNIPPET(misc_les_bad, "push $0x1f8\npush $0x1234\nles (%esp), %eax\n" STOP);
SNIPPET(misc_les_reg, ".byte 0xc4, 0xc0\n" STOP);
SNIPPET(misc_bound_reg, ".byte 0x62, 0xc0\n" STOP);
SNIPPET(misc_salc, "stc\n.byte 0xd6\n" STOP);
SNIPPET(misc_ud0, ".byte 0x0f, 0xff, 0xc0\n" STOP);
SNIPPET(misc_ud1, ".byte 0x0f, 0xb9, 0xc0\n" STOP);
SNIPPET(misc_82, ".byte 0x82, 0xc0, 5\n" STOP);
SNIPPET(misc_shl_6, "mov $5, %eax\n.byte 0xc1, 0xf0, 2\n" STOP);
SNIPPET(misc_c7_1, ".byte 0xc7, 0xc8, 0, 0, 0, 0\n" STOP);
SNIPPET(misc_ff_7, ".byte 0xff, 0xf8\n" STOP);
SNIPPET(misc_fe_2, ".byte 0xfe, 0xd0\n" STOP);
SNIPPET(misc_8f_1, "push $0\n.byte 0x8f, 0xc8\n" STOP);
SNIPPET(misc_sreg6, ".byte 0x8c, 0xf0\n" STOP);
SNIPPET(misc_to_sreg7, ".byte 0x8e, 0xf8\n" STOP);
SNIPPET(misc_call_far_reg, ".byte 0xff, 0xd8\n" STOP);
SNIPPET(misc_lock_cmp, ".byte 0xf0, 0x39, 0x04, 0x24\n" STOP);
SNIPPET(misc_lock_mov, ".byte 0xf0, 0x89, 0x04, 0x24\n" STOP);
SNIPPET(misc_lock_add, "lock addl $1, (%esp)\n" STOP);
SNIPPET(misc_lock_bt, ".byte 0xf0, 0x0f, 0xba, 0x24, 0x24, 1\n" STOP);
SNIPPET(misc_xlat, "mov $misc_table, %ebx\nmov $2, %al\nxlat\n" STOP);
SNIPPET(misc_bt_far, "mov $misc_table, %ebx\nmov $17, %ecx\nbt %ecx, (%ebx)\nsetc %al\nmov $-8, %ecx\nadd $2, %ebx\nbt %ecx, (%ebx)\nsetc %ah\n" STOP);
SNIPPET(misc_jcxz16, "mov $0x10000, %ecx\njcxz 1f\nmov $1, %eax\n1:\n" STOP);
SNIPPET(misc_loop16, "mov $0x10001, %ecx\naddr16 loop 1f\nmov $1, %eax\n1:\n" STOP);
SNIPPET(misc_pushfw_popa16, "mov %esp, %ebx\npushw $1\npushw $2\npushw $3\npushw $4\npushw $5\npushw $6\npushw $7\npushw $8\npopaw\n" STOP);
SNIPPET(misc_aaa, "mov $0x3b, %ax\naaa\nmov %ax, %cx\nmov $0x9b, %al\nstc\ndaa\nmov %al, %dl\nmov $0x1234, %ax\naad\n" STOP);
extern u8 misc_table[];
USER_DATA u8 misc_table[] = {0x10, 0x21, 0x32, 0x43};

#define MISC(name) {#name, misc_##name}
static void miscellaneous(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {MISC(bsf), MISC(enter), MISC(popa), MISC(cmpxchg8b), MISC(les), MISC(les_null), MISC(les_bad),
                MISC(les_reg), MISC(bound_reg), MISC(salc), MISC(ud0), MISC(ud1), MISC(82), MISC(shl_6),
                MISC(c7_1), MISC(ff_7), MISC(fe_2), MISC(8f_1), MISC(sreg6), MISC(to_sreg7), MISC(call_far_reg),
                MISC(lock_cmp), MISC(lock_mov), MISC(lock_add), MISC(lock_bt), MISC(xlat), MISC(bt_far), MISC(jcxz16),
                MISC(loop16), MISC(pushfw_popa16), MISC(aaa)};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(list); i++) {
            char name[64];
            const struct frame end = probe(ring, list[i].code);
            format_text(name, sizeof name, "%s ring %u", list[i].name, ring);
            report(name, "vector %u,%x eip %d eax %x ebx %x ecx %x edx %x edi %x esp %d", end.vector, end.error,
                   (int)(end.eip - (u32)list[i].code), end.eax, end.ebx - stack_top(ring) < 64 ? 0xeeee : end.ebx, end.ecx,
                   end.edx, end.edi, (int)(end.esp - stack_top(ring)));
        }
}

void group_instructions(void) {
    report_first_pass();
    miscellaneous();
    paging_on(PAGING_32);
    report_later_pass("with paging");
    miscellaneous();
    report_passes_done();
    string_faults();
    half_done();
}
