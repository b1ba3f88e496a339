# A virtual-8086 monitor, as EMM386 and old Unix kernels have: real-mode code, the BIOS among it, runs as a task of ring 3;
# the monitor emulates what it may not do itself and reflects interrupts to it; paging puts memory where it wants some.
# (SDM Vol. 3B chapter 20)
        .include "boot.inc"
        .include "protected.inc"
        .set    kSectors, 14

        .set    kTss, 0x60000           # with a bitmap of all ports behind it
        .set    kTssDescriptor, 0x50
        .set    kBitmap, 0x68
        .set    kStackV86, 0x6000
        .set    kBuffer, 0x7000         # a sector is read to here
        .set    kFree, 0x600            # in the first page, and nobody's
        .set    kIrqs, 0x50             # vectors of the 16 IRQs
        .set    kDirectory, 0x30000
        .set    kTable, 0x31000

        # The frame of an exception in v86 mode, on top of PUSHA's registers.
        .set    kError, 32
        .set    kIp, 36
        .set    kCs, 40
        .set    kFlags, 44
        .set    kSp, 48
        .set    kSs, 52

        .set    kVm, 1 << 17
        .set    kIf, 1 << 9

        program v86, kSectors
        program_gdt
        .word   kBitmap + 0x2000, kTss & 0xffff
        .byte   kTss >> 16, 0x89, 0, 0
        program_gdt_end

        # Runs 16-bit code in v86 mode; it ends with int 30h, for which 20h is shown, or by an exception.
        .macro  in_v86 text, code, flags=0x20202
        begin_attempt resumed\@
        enter_v86 code\@, \flags
        .subsection 1
        .code16
code\@: \code
        int     $0x30
        .code32
        .subsection 0
resumed\@:
        end_attempt "\text"
        .endm
        .macro  enter_v86 where, flags
        pushl   $0                      # GS, FS, DS, ES, SS
        pushl   $0
        pushl   $0
        pushl   $0
        pushl   $0
        pushl   $kStackV86
        pushl   $\flags
        pushl   $0
        pushl   $\where
        iretl
        .endm

begin:  mov     $kTss, %edi
        xor     %eax, %eax
        mov     $(kBitmap + 0x2000) / 4, %ecx
        rep stosl
        movb    $0xff, (%edi)
        movl    $kStack, kTss + 4
        movl    $kData, kTss + 8
        movw    $kBitmap, kTss + 102
        mov     $kTssDescriptor, %eax
        ltr     %ax
        movl    $0x80000 + protection_fault, kIdt + 13 * 8
        movl    $0x8e00, kIdt + 13 * 8 + 4
        mov     $kIdt + kIrqs * 8, %edi
        mov     $irq_stubs + 0x80000, %eax
        mov     $16, %ecx
1:      mov     %eax, (%edi)
        movl    $0x8e00, 4(%edi)
        add     $8, %edi
        add     $8, %eax
        loop    1b

        # Instructions about privilege and interrupts, IOPL 0: all trap, and are emulated.
        in_v86  "nothing", ""
        in_v86  "cli, pushf", "cli; pushf; pop %ax; mov %ax, log"
        mov     log, %eax
        value   "  flags"
        in_v86  "sti, pushf, 32 bits", "sti; pushfl; pop %eax; mov %eax, log"
        mov     log, %eax
        value   "  flags"
        in_v86  "popf", "push $0xfeff; popf; pushf; pop %ax; mov %ax, log; push $2; popf"
        mov     log, %eax
        value   "  flags"
        # What v86 mode has not, or has not for ring 3.
        in_v86  "lldt", "lldt %ax"
        in_v86  "lar", "lar %ax, %ax"
        in_v86  "arpl", "arpl %ax, %ax"
        in_v86  "mov cr0", "mov %cr0, %eax"
        in_v86  "lgdt", "lgdt 0"
        in_v86  "clts", "clts"
        in_v86  "ud2", "ud2"
        in_v86  "divide error", "xor %ax, %ax; div %al"
        in_v86  "int3", "int3"
        in_v86  "smsw", "smsw %ax; mov %ax, log"
        movzwl  log, %eax
        and     $0xf, %eax
        value   "  PE, MP, EM, TS"
        movb    $0x04, kTss + kBitmap + 0x60 / 8        # port 62h
        in_v86  "in 61h", "in $0x61, %al"
        in_v86  "in 62h", "in $0x62, %al"
        movb    $0, kTss + kBitmap + 0x60 / 8
        # Segments are as in real mode: 16 times the selector, up to 10FFEFh.
        movl    $0x600df00d, 0x10ffe8
        in_v86  "beyond 1 MiB", "mov $0xffff, %ax; mov %ax, %es; mov %es:0xfff8, %eax; mov %eax, log"
        mov     log, %eax
        value   "  read"
        # IOPL 3: the flag is the task's own, and INT n goes through the IDT.
        in_v86  "IOPL 3: cli, pushf, sti", "cli; pushf; pop %ax; mov %ax, log; sti; cli", 0x23202
        movzwl  log, %eax
        value   "  flags"
        in_v86  "IOPL 3: int 31h, DPL 0", "int $0x31", 0x23002
        in_v86  "IOPL 3: iret", "pushf; push $0; push $1f; iret; 1:", 0x23002

        # Interrupts of devices are reflected to the BIOS, and the BIOS is called.
        mov     $kIrqs, %bl
        mov     $kIrqs + 8, %bh
        mov     $0xff9c, %dx            # IRQ 0, 1, 5 (nothing) and 6, the floppy
        call    set_controllers
        in_v86  "clock ticks", "sti; mov 0x46c, %ax; 1: hlt; cmp 0x46c, %ax; je 1b"
        in_v86  "BIOS: print", "call bios_print"
        in_v86  "BIOS: read a sector", "call bios_read"
        movzwl  kBuffer + 510, %eax
        value   "  its signature"

        # Paging: D000:0000 is memory from above 1 MiB, and FFFF:0010 is 0000:0000 as on an 8086.
        mov     $kDirectory, %edi
        xor     %eax, %eax
        mov     $1024, %ecx
        rep stosl
        mov     $kTable, %edi
        mov     $7, %eax
1:      stosl
        add     $0x1000, %eax
        cmp     $0x400007, %eax
        jne     1b
        movl    $kTable + 7, kDirectory
        movl    $0x180007, kTable + 4 * 0xd0
        movl    $0x000007, kTable + 4 * 0x100
        mov     $kDirectory, %eax
        mov     %eax, %cr3
        mov     %cr0, %eax
        or      $0x80000000, %eax
        mov     %eax, %cr0
        jmp     1f
1:      movl    $0, 0x180004
        in_v86  "paged: write D000:4", "mov $0xd000, %ax; mov %ax, %es; movl $0x12348086, %es:4"
        mov     0x180004, %eax
        value   "  at 180004h"
        movl    $0x0e0f1011, kFree
        in_v86  "paged: wrap at 1 MiB", "mov $0xffff, %ax; mov %ax, %ds; mov kFree + 16, %ebx; mov %ebx, %cs:log"
        mov     log, %eax
        value   "  read"
        in_v86  "paged: clock ticks", "sti; mov 0x46c, %ax; 1: hlt; cmp 0x46c, %ax; je 1b"
        in_v86  "paged: BIOS print", "call bios_print"
        cli
        jmp     finished

        .code16
bios_print:
        mov     $0x0200, %ax            # where: INT 10h, AH=02h
        mov     row, %dh
        incb    row
        mov     $0, %dl
        xor     %bx, %bx
        int     $0x10
        print_text text
        ret
bios_read:
        mov     $0x0201, %ax
        mov     $kBuffer, %bx
        mov     $0x0001, %cx
        xor     %dx, %dx
        int     $0x13
        jnc     1f
        ud2
1:      ret
        .code32

        # Both interrupt controllers: vectors in BL and BH, masks in DL and DH.
set_controllers:
        mov     $0x11, %al
        out     %al, $0x20
        out     %al, $0xa0
        mov     %bl, %al
        out     %al, $0x21
        mov     %bh, %al
        out     %al, $0xa1
        mov     $4, %al
        out     %al, $0x21
        mov     $2, %al
        out     %al, $0xa1
        mov     $1, %al
        out     %al, $0x21
        out     %al, $0xa1
        mov     %dl, %al
        out     %al, $0x21
        mov     %dh, %al
        out     %al, $0xa1
        ret

        # --- the monitor ---

        .balign 8
irq_stubs:
        .set    irq, 0
        .rept   16
        .balign 8
        push    $irq
        jmp     interrupt
        .set    irq, irq + 1
        .endr

        # An interrupt of a device: to the BIOS's vector for it, 08h to 0Fh or 70h to 77h. One that comes while the monitor
        # itself waits in a HLT has come for v86 code as well: that frame lies above.
interrupt:
        pusha
        mov     %esp, %ebp
        mov     $kData, %eax
        mov     %eax, %ds
        mov     %eax, %es
        testl   $kVm, kFlags(%ebp)
        jnz     1f
        mov     kError(%ebp), %eax
        mov     %ebx, %ebp              # the waiting monitor's frame
        mov     %ebp, %esp
        jmp     2f
1:      mov     kError(%ebp), %eax
2:      add     $8, %eax
        cmp     $16, %eax
        jb      3f
        add     $0x70 - 16, %eax
3:      call    reflect
        jmp     leave_monitor

        # #GP: from v86 code it is one of a few instructions, from any other an error.
protection_fault:
        testl   $kVm, 12(%esp)
        jnz     1f
        push    $13
        jmp     caught
1:      pusha
        mov     %esp, %ebp
        mov     $kData, %eax
        mov     %eax, %ds
        mov     %eax, %es
        cmpl    $0, kError(%ebp)        # INT n by a gate of the IDT says which
        jne     refuse
        movzwl  kCs(%ebp), %esi
        shl     $4, %esi
        movzwl  kIp(%ebp), %eax
        add     %eax, %esi
        mov     $2, %ecx                # size of an operand
        xor     %edx, %edx              # length of the instruction
        cmpb    $0x66, (%esi)
        jne     1f
        mov     $4, %ecx
        inc     %esi
        inc     %edx
1:      inc     %edx
        mov     (%esi), %al
        cmp     $0xfa, %al
        je      emulate_cli
        cmp     $0xfb, %al
        je      emulate_sti
        cmp     $0x9c, %al
        je      emulate_pushf
        cmp     $0x9d, %al
        je      emulate_popf
        cmp     $0xcd, %al
        je      emulate_int
        cmp     $0xcf, %al
        je      emulate_iret
        cmp     $0xf4, %al
        je      emulate_hlt
refuse: popa
        push    $13
        jmp     caught

emulate_cli:
        andl    $~kIf, kFlags(%ebp)
        jmp     next
emulate_sti:
        orl     $kIf, kFlags(%ebp)
next:   add     %dx, kIp(%ebp)
leave_monitor:
        popa
        add     $4, %esp
        iretl

emulate_pushf:
        mov     kFlags(%ebp), %eax
        and     $~(kVm | 1 << 16), %eax         # nor RF
        call    push_value
        jmp     next
emulate_popf:
        call    pop_value
        call    set_flags
        jmp     next
emulate_int:
        movzbl  1(%esi), %eax
        cmp     $0x30, %al
        je      leave_v86
        inc     %edx
        add     %dx, kIp(%ebp)
        call    reflect
        jmp     leave_monitor
emulate_iret:
        call    pop_value
        mov     %ax, kIp(%ebp)
        call    pop_value
        mov     %ax, kCs(%ebp)
        call    pop_value
        call    set_flags
        jmp     leave_monitor
emulate_hlt:
        add     %dx, kIp(%ebp)
        mov     %ebp, %ebx
        sti
1:      hlt
        jmp     1b
leave_v86:
        popa
        add     $4, %esp
        push    $0
        push    $0x20
        jmp     caught

        # reflect(EAX): what the processor does for an interrupt in real mode.
reflect:
        push    %eax
        mov     $2, %ecx
        mov     kFlags(%ebp), %eax
        call    push_value
        mov     kCs(%ebp), %eax
        call    push_value
        mov     kIp(%ebp), %eax
        call    push_value
        andl    $~(kIf | 0x100), kFlags(%ebp)
        pop     %eax
        movzwl  (,%eax,4), %ebx
        mov     %ebx, kIp(%ebp)
        movzwl  2(,%eax,4), %ebx
        mov     %ebx, kCs(%ebp)
        ret

        # On the v86 stack, ECX bytes of EAX.
push_value:
        sub     %cx, kSp(%ebp)
        call    stack_top
        cmp     $2, %ecx
        je      1f
        mov     %eax, (%edi)
        ret
1:      mov     %ax, (%edi)
        ret
pop_value:
        call    stack_top
        add     %cx, kSp(%ebp)
        mov     (%edi), %eax
        cmp     $2, %ecx
        jne     1f
        movzwl  %ax, %eax
1:      ret
stack_top:
        movzwl  kSs(%ebp), %edi
        shl     $4, %edi
        movzwl  kSp(%ebp), %ebx
        add     %ebx, %edi
        ret

        # All of the low flags but IOPL and NT, as EMM386 has it.
set_flags:
        and     $0x0fd5, %eax
        andl    $~0x0fd5, kFlags(%ebp)
        or      %eax, kFlags(%ebp)
        ret

        .balign 4
log:    .long   0
row:    .byte   21
text:   .asciz  "printed by the BIOS in v86 mode"
finished:
        end_program v86, kSectors
