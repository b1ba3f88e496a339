# 16-bit protected mode as programs for the 286 use it, DOS extenders and OS/2 1.x: LMSW, descriptors of 24-bit bases, an LDT,
# gates and task state segments of the 286, memory above 1 MiB; then back to real mode as on the 386, by CR0, which leaves a
# large segment behind. (80286 Programmer's Reference Manual; SDM Vol. 3A 9.9, 5.8, 8.6)
        .include "boot.inc"
        .set    kSectors, 8

        .set    kCode, 0x08
        .set    kData, 0x10
        .set    kHigh, 0x18             # 64 KiB from 110000h on
        .set    kTss, 0x20
        .set    kLdt, 0x28
        .set    kTask, 0x30
        .set    kGate, 0x38
        .set    kFlat, 0x40
        .set    kIdt, 0x1000

        .globl  _start
_start: set_up_real_mode
        read_program kSectors
        jnc     first
        print_text failed
5:      hlt
        jmp     5b
failed: .asciz  "pm16: the floppy cannot be read\r\n"
        boot_signature

        .macro  descriptor base, limit, access
        .word   \limit, \base
        .byte   0, \access
        .word   0
        .endm
        .macro  gate selector, offset, access, words=0
        .word   \offset, \selector
        .byte   \words, \access
        .word   0
        .endm
        .balign 8
gdt:    .quad   0
        descriptor 0, 0xffff, 0x9a
        descriptor 0, 0xffff, 0x92
        .word   0xffff, 0
        .byte   0x11, 0x92, 0, 0
        descriptor tss, 43, 0x81
        descriptor ldt, 15, 0x82
        descriptor tss_task, 43, 0x81
        gate    kCode, by_gate, 0xe4, 1
        .word   0xffff, 0
        .byte   0, 0x92, 0xcf, 0
gdt_end:
ldt:    descriptor 0, 0xffff, 0xfa      # 07h and 0Fh: ring 3
        descriptor 0, 0xffff, 0xf2
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   gdt
idt_pointer:
        .word   256 * 8 - 1
        .long   kIdt
bios_idt:
        .word   0x3ff
        .long   0

        # 22 words: back link; SP, SS of rings 0 to 2; IP, flags; AX CX DX BX SP BP SI DI; ES CS SS DS; LDT.
tss:    .word   0, 0x7a00, kData, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
tss_task:
        .word   0, 0, 0, 0, 0, 0, 0, other_task, 2, 0x1111, 0x2222, 0x3333, 0x4444, 0x7800, 0x5555, 0x6666, 0x7777
        .word   kData, kCode, kData, kData, 0

        # log(value): the next result.
        .macro  log from
        mov     \from, %ax
        call    log_ax
        .endm
log_ax: push    %bx
        mov     count, %bx
        addw    $2, count
        mov     %ax, results(%bx)
        pop     %bx
        ret
count:  .word   0
results:
        .fill   40, 2, 0

first:  clear_screen
        cli
        mov     $0xff, %al
        out     %al, $0x21
        out     %al, $0xa1
        # Exceptions and int 30h, by gates of the 286: 256 of them.
        mov     $kIdt, %di
        mov     $256, %cx
        cld
1:      mov     $caught, %ax
        cmp     $256 - 0x30, %cx
        jne     2f
        mov     $by_int, %ax
2:      stosw
        mov     $kCode, %ax
        stosw
        mov     $0xe600, %ax
        stosw
        xor     %ax, %ax
        stosw
        loop    1b
        movw    $with_code, kIdt + 13 * 8
        movw    $with_code, kIdt + 11 * 8
        lgdt    gdt_pointer
        lidt    idt_pointer
        smsw    %ax
        or      $1, %ax
        lmsw    %ax
        ljmp    $kCode, $1f
1:      mov     $kData, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp
        mov     $kTss, %ax
        ltr     %ax
        mov     $kLdt, %ax
        lldt    %ax

        smsw    %ax                     # PE
        and     $0x000f, %ax
        call    log_ax
        str     %ax
        call    log_ax
        sldt    %ax
        call    log_ax
        mov     $0x0f, %bx
        lar     %bx, %ax
        call    log_ax
        mov     $kLdt, %bx
        lsl     %bx, %ax
        call    log_ax
        xor     %ax, %ax
        mov     $0x07, %bx
        verw    %bx
        jz      1f
        inc     %ax
1:      verr    %bx
        jnz     1f
        inc     %ax
1:      call    log_ax                  # code may be read, not written: 2

        mov     $kHigh, %ax             # above 1 MiB
        mov     %ax, %es
        movw    $0xcafe, %es:0x10
        movw    $0xbabe, %es:0xfffe
        log     %es:0x10
        log     %es:0xfffe

        # To ring 3, and back by a call gate with a parameter and by an interrupt gate.
        push    $0x0f
        push    $0x7700
        push    $0x07
        push    $ring3
        lret
ring3:  mov     $0x0f, %ax
        mov     %ax, %ds
        log     %cs
        push    $0x4321
        lcall   $kGate, $0
        mov     %ds, %dx                # made null by the gate's return
        mov     $0x0f, %ax
        mov     %ax, %ds
        log     %sp
        log     %dx
        int     $0x30
by_gate:
        mov     %sp, %bp
        mov     $kData, %ax
        mov     %ax, %ds
        log     4(%bp)
        log     %cs
        lret    $2
by_int: mov     %sp, %bp
        mov     $kData, %ax
        mov     %ax, %ds
        mov     %ax, %es
        log     2(%bp)                  # CS of ring 3
        log     6(%bp)                  # its SP
        mov     $0x7c00, %sp

        # A task of the 286: its registers come from its TSS, and those of this one are kept.
        movw    $0, task_saw
        ljmp    $kTask, $0
        log     task_saw
        log     task_saw+2
        log     tss_task+22       # DX as it was left
        clts
        movb    $0x81, gdt + kTask + 5
        movw    $task_again, tss_task + 14
        movw    $2, tss_task + 16
        lcall   $kTask, $0
        log     task_saw
        clts

        # Faults: a selector beyond the table, a descriptor that is not present.
        movw    $1f, resume
        mov     $0x1234, %ax
        mov     %ax, %es
1:      movw    $1f, resume
        movb    $0x12, gdt + kHigh + 5
        mov     $kHigh, %ax
        mov     %ax, %es
1:      movw    $1f, resume
        ud2
1:      jmp     leave

other_task:
        mov     %dx, task_saw
        str     task_saw + 2
        mov     $0x9999, %dx
        ljmp    $kTss, $0
task_again:
        pushf
        pop     %ax
        and     $0x4000, %ax            # NT: this one was called
        or      tss_task, %ax           # and its back link
        mov     %ax, task_saw
        iret

with_code:
        pop     %ax
        call    log_ax
        jmp     1f
caught: log     $0xffff
1:      mov     $0x7c00, %sp
        jmp     *resume

        .balign 2
resume: .word   0
task_saw:
        .word   0, 0

        # The 386's way: CR0.PE off; a segment loaded before keeps its limit of 4 GiB.
leave:  mov     $kFlat, %ax
        mov     %ax, %es
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $1f
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        lidt    bios_idt
        movl    $0x130000, %edi
        movw    $0xfeed, %es:(%edi)
        incw    %es:(%edi)
        log     %es:(%edi)
        movl    $0x110010, %edi         # still what protected mode wrote
        log     %es:(%edi)
        xor     %ax, %ax
        mov     %ax, %es
        sti

        # The results, eight a line.
        clear_screen
        mov     $results, %si
        mov     count, %cx
        shr     $1, %cx
show:   push    %cx
        lodsw
        mov     %ax, %dx
        mov     $4, %cx
1:      rol     $4, %dx
        mov     %dx, %ax
        and     $0x0f, %al
        cmp     $10, %al
        jb      2f
        add     $7, %al
2:      add     $'0', %al
        call    print_al
        loop    1b
        mov     $' ', %al
        call    print_al
        pop     %cx
        mov     %si, %ax
        sub     $results, %ax
        test    $0x0f, %al
        jnz     3f
        mov     $'\r', %al
        call    print_al
        mov     $'\n', %al
        call    print_al
3:      loop    show
        print_text done
        rest
print_al:
        mov     $0x0e, %ah
        mov     $0x0007, %bx
        int     $0x10
        ret
done:   .asciz  "\r\npm16: done\r\n"
        .org    512 * (1 + kSectors)
