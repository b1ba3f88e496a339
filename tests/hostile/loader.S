// The boot sector of a hostile guest: loads the program behind it, enters flat 32-bit protected mode and calls it.
// The last bytes before the signature say what to do: kind and seed, written by `build`.
#define SECTORS 40
#define PROGRAM 0x10000

    .code16
    .globl _start
_start:
    ljmp $0, $1f
1:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    mov $(PROGRAM >> 4), %ax
    mov %ax, %es
    mov $1, %si // the sector: 0 is this one
next:
    // Cylinder, head and sector of a 1.44 MB floppy.
    mov %si, %ax
    xor %dx, %dx
    mov $18, %cx
    div %cx
    mov %dl, %cl
    inc %cl
    mov %al, %ch
    shr $1, %ch
    mov %al, %dh
    and $1, %dh
    mov drive, %dl
    xor %bx, %bx
    mov $0x0201, %ax
    int $0x13
    jc next
    mov %es, %ax
    add $0x20, %ax
    mov %ax, %es
    inc %si
    cmp $(SECTORS + 1), %si
    jne next
    // The A20 gate, the quick way.
    in $0x92, %al
    or $2, %al
    and $0xfe, %al
    out %al, $0x92
    cli
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $flat
    .code32
flat:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $0x90000, %esp
    pushl parameters + 4
    pushl parameters
    push $0
    mov $PROGRAM, %eax
    jmp *%eax

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
drive:
    .byte 0
    .org 0x1f0
parameters:
    .long 0, 0 // kind, seed
    .org 510
    .word 0xaa55
