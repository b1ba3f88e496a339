# Jumps, in protected mode, to a physical address where there is neither memory nor a device: 3 GiB.
        .include "boot.inc"
        .globl  _start
_start: set_up_real_mode
        clear_screen
        print_text text
        enter_protected_mode
        lidt    no_idt
        mov     $0xc0000000, %eax
        jmp     *%eax
text:   .asciz  "about to jump into nothing\r\n"
no_idt: .word   0
        .long   0
        flat_gdt
        boot_signature
