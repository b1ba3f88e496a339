# Halts with interrupts off: only an NMI or a reset could wake this machine.
        .include "boot.inc"
        .globl  _start
_start: set_up_real_mode
        clear_screen
        print_text text
        cli
        hlt
        print_text woken
idle:   jmp     idle
text:   .asciz  "halting with interrupts off\r\n"
woken:  .asciz  "woken, which cannot be\r\n"
        boot_signature
