// The doors of the 256 vectors; SDM Vol. 3A table 6-1 says which push an error code.
    .section .start, "ax"
    .globl start
start:
    jmp guest_main

    .text
    .balign 16
    .globl doors
doors:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector > 31) || !((0x00027d00 >> (vector & 31)) & 1)
    push $0
    .endif
    push $vector
    jmp enter
    .set vector, vector + 1
    .endr

enter:
    pusha
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    push %esp
    call *on_trap
    add $4, %esp
    popa
    add $8, %esp
    iretl

    .globl go_frame
go_frame: // struct: eip, cs, eflags, esp, ss
    mov 4(%esp), %esp
    iretl
