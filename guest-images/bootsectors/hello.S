# Real mode only: prints a line through the BIOS, then halts again and again, interrupts on.
        .include "boot.inc"
        .globl  _start
_start: set_up_real_mode
        clear_screen
        print_text text
idle:   hlt
        jmp     idle
text:   .asciz  "Hello from a boot sector.\r\n"
        boot_signature
