# The first traced guest: flat 32-bit protected mode, paging and interrupts off, no device but the text screen.
#
# Each part computes a 32-bit value by one kind of instruction that a tracer must get right; the values are shown, one
# a line, and folded into the last line. All are the same on every machine that behaves like a bare 386 or later, so
# one line on the screen says whether tracing changed anything: code bytes, flags, selectors, or control flow.
        .include "boot.inc"

        .set    kLine, 160              # bytes in a line of the text page
        .set    kSectors, 3             # what follows the boot sector
        .set    kCopy, 0x20000          # scratch memory for the string instructions

        .globl  _start
_start: set_up_real_mode
        clear_screen
        read_program kSectors
        jc      failed
        enter_protected_mode
        jmp     traced
        .code16
failed: print_text unread
5:      hlt
        jmp     5b
unread: .asciz  "pm_loop: the floppy cannot be read\r\n"
        flat_gdt
        boot_signature

        .code32
traced: mov     $0xb8000, %edi          # the next line of the screen
        xor     %ebp, %ebp              # the values folded so far
        mov     $parts, %ebx
next_part:
        mov     (%ebx), %esi            # its name
        test    %esi, %esi
        jz      finished
        push    %edi
        push    %esi
        push    %ebx
        push    %ebp
        call    *4(%ebx)                # its code: value in EAX
        pop     %ebp
        pop     %ebx
        pop     %esi
        pop     %edi
        rol     $5, %ebp
        xor     %eax, %ebp
        call    show
        add     $8, %ebx
        jmp     next_part
finished:
        mov     $name_total, %esi
        mov     %ebp, %eax
        call    show
        rest

# Conditional branches: a thousand steps of a shift register whose feedback depends on the bit that falls out.
part_loops:
        mov     $0x12345678, %eax
        mov     $1000, %ecx
1:      shr     $1, %eax
        jnc     2f
        xor     $0x80200003, %eax
2:      loop    1b
        ret

# Calls and returns: Fibonacci's 15th number the slow way, 1973 calls.
part_calls:
        mov     $15, %eax
        call    fibonacci
        ret
fibonacci:
        cmp     $2, %eax
        jb      1f
        push    %eax
        dec     %eax
        call    fibonacci
        xchg    %eax, (%esp)
        sub     $2, %eax
        call    fibonacci
        pop     %edx
        add     %edx, %eax
1:      ret

# Pointer branches: a little machine with one jump table, whose program runs a loop of 200 turns.
part_jumps:
        mov     $program, %esi
        xor     %eax, %eax              # accumulator
        mov     $200, %ecx              # counter
step:   movzbl  (%esi), %edx
        inc     %esi
        jmp     *operations(,%edx,4)
do_add: add     $0x01010101, %eax
        jmp     step
do_rotate:
        rol     $7, %eax
        jmp     step
do_mix: xor     %ecx, %eax
        mov     $step, %edx
        jmp     *%edx
do_repeat:
        dec     %ecx
        jz      step
        mov     $program, %esi
        push    $step                   # a return used as a jump
        ret
do_end: ret

# String instructions: copy this code, search it, compare it, fill and sum.
part_strings:
        mov     $traced, %esi
        mov     $kCopy, %edi
        mov     $traced_end - traced, %ecx
        rep movsb
        mov     $kCopy, %edi
        mov     $0xc3, %al              # the first `ret`
        mov     $traced_end - traced, %ecx
        repne scasb
        mov     %ecx, %ebx
        mov     $traced, %esi
        mov     $kCopy, %edi
        mov     $traced_end - traced, %ecx
        repe cmpsb
        setz    %al
        movzbl  %al, %edx
        lea     (%ebx,%edx,8), %ebx
        mov     $kCopy, %edi
        mov     $0xa5a5a5a5, %eax
        mov     $64, %ecx
        rep stosl
        std
        mov     $kCopy + 256, %esi
        mov     $100, %ecx
        xor     %edx, %edx
1:      lodsl
        rol     $3, %edx
        add     %eax, %edx
        loop    1b
        cld
        lea     (%ebx,%edx), %eax
        ret

# What an instruction that does not trap at ring 3 tells about rings and tables: selectors, GDTR, machine status.
part_selectors:
        xor     %eax, %eax
        mov     %cs, %ax
        shl     $8, %eax
        mov     %ss, %cx
        or      %cl, %al
        push    %cs
        pop     %edx
        rol     $4, %eax
        add     %edx, %eax
        push    %ds
        pop     %edx
        rol     $4, %eax
        add     %edx, %eax
        sub     $8, %esp
        sgdt    (%esp)
        mov     2(%esp), %edx
        sub     $gdt, %edx
        add     %edx, %eax
        movzwl  (%esp), %edx
        add     $8, %esp
        rol     $4, %eax
        add     %edx, %eax
        smsw    %edx
        and     $0x0f, %edx
        rol     $4, %eax
        add     %edx, %eax
        lar     %cx, %edx
        and     $0xff00, %edx
        add     %edx, %eax
        ret

# PUSHF and POPF: the interrupt flag and the privilege level of I/O are only ring 0's to change.
part_flags:
        pushf
        pop     %eax
        and     $0x3200, %eax           # IF and IOPL
        mov     %eax, %edx
        pushf
        orl     $0x3000, (%esp)
        popf
        pushf
        pop     %eax
        and     $0x3200, %eax
        shl     $8, %edx
        or      %eax, %edx
        pushf
        andl    $~0x3000, (%esp)
        popf
        stc
        pushf
        pop     %eax
        and     $0x3201, %eax
        shl     $8, %edx
        add     %eax, %edx
        cli
        pushf
        pop     %eax
        and     $0x3200, %eax
        rol     $3, %edx
        xor     %edx, %eax
        ret

# The bytes of this very code, read as data: a breakpoint written into it would show.
part_checksum:
        mov     $traced, %esi
        mov     $traced_end - traced, %ecx
        xor     %eax, %eax
        cld
1:      movzbl  (%esi), %edx
        rol     $1, %eax
        add     %edx, %eax
        inc     %esi
        loop    1b
        ret

# Shows the name at ESI and EAX in hexadecimal on the line at EDI; EDI goes to the next line.
show:   push    %edi
        push    %eax
        mov     $0x07, %ah
1:      lodsb
        test    %al, %al
        jz      2f
        stosw
        jmp     1b
2:      pop     %edx
        mov     $8, %ecx
3:      rol     $4, %edx
        mov     %edx, %eax
        and     $0x0f, %eax
        mov     digits(%eax), %al
        mov     $0x07, %ah
        stosw
        loop    3b
        pop     %edi
        add     $kLine, %edi
        ret

parts:  .long   name_loops, part_loops
        .long   name_calls, part_calls
        .long   name_jumps, part_jumps
        .long   name_strings, part_strings
        .long   name_selectors, part_selectors
        .long   name_flags, part_flags
        .long   name_checksum, part_checksum
        .long   0
operations:
        .long   do_add, do_rotate, do_mix, do_repeat, do_end
program:
        .byte   0, 1, 2, 0, 2, 1, 3, 4
digits: .ascii  "0123456789ABCDEF"
name_loops:     .asciz "loops     "
name_calls:     .asciz "calls     "
name_jumps:     .asciz "jumps     "
name_strings:   .asciz "strings   "
name_selectors: .asciz "selectors "
name_flags:     .asciz "flags     "
name_checksum:  .asciz "checksum  "
name_total:     .asciz "pm_loop: done "
traced_end:
        .org    512 * (1 + kSectors)
