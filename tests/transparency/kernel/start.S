// Entry from the boot loader, the doors of the 256 vectors, and the way into a probe and out of it.
#define MULTIBOOT_MAGIC 0x1badb002
#define KERNEL_DATA 0x10
#define VECTORS_WITH_ERROR 0x00027d00 // 8, 10-14, 17 (SDM Vol. 3A table 6-1)

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

    .text
    .globl _start
_start:
    cli
    cld
    mov $boot_stack_end, %esp
    push $0
    popf
    call kernel_main
    // Ends by a triple fault: both machines then leave by themselves.
    lidt no_idt
    int3

no_idt:
    .word 0
    .long 0

// Every door pushes a number in place of a missing error code, and its vector.
    .balign 16
    .globl doors
doors:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector > 31) || !((VECTORS_WITH_ERROR >> (vector & 31)) & 1)
    push $0
    .endif
    push $vector
    jmp enter_trap
    .set vector, vector + 1
    .endr

// The frame built here is struct frame of trap.h.
enter_trap:
    push %ds
    push %es
    push %fs
    push %gs
    pusha
    mov $KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %esp, %ebx
    mov %ss, %ecx
    mov %eax, %ss
    cld
    push %ecx
    push %ebx
    call trap_entered
    mov (%esp), %ebx
    mov 4(%esp), %ecx
    mov %ecx, %ss
    mov %ebx, %esp

// Leaves by a frame at ESP.
resume:
    popa
    pop %gs
    pop %fs
    pop %es
    pop %ds
    add $8, %esp
    iretl

// void enter_frame(const struct frame *frame): runs the frame; comes back when leave_frame() is called.
    .globl enter_frame
enter_frame:
    pusha
    mov %esp, runner_stack
    mov 36(%esp), %esp
    jmp resume

// Back into the runner, with its stack and clean flags.
    .globl leave_frame
leave_frame:
    mov $KERNEL_DATA, %eax
    mov %eax, %ss
    mov runner_stack, %esp
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    push $0
    popf
    popa
    ret

    .bss
    .balign 16
runner_stack:
    .skip 4
    .balign 4096
boot_stack:
    .skip 16384
boot_stack_end:
