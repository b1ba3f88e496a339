# An exception with an empty IDT: it cannot be delivered, nor the double fault that follows, and the machine shuts down.
        .include "boot.inc"
        .globl  _start
_start: set_up_real_mode
        clear_screen
        print_text text
        enter_protected_mode
        lidt    no_idt
        ud2
idle:   jmp     idle
text:   .asciz  "about to triple-fault\r\n"
no_idt: .word   0
        .long   0
        flat_gdt
        boot_signature
