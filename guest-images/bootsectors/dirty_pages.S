# Writes as many pages of memory as a key says, for measuring checkpoints: the keys 1 to = of the top row stand for 1, 2, 4 to
# 2048 pages, Q to Y for 4096 to 131072; from 2 MiB on, one word a page, another one each time. Then the letter on the screen
# becomes the next; it is an instruction's operand, in code at 1 MiB that changes itself, and what it was before is shown behind
# it. Flat 32-bit protected mode, paging and interrupts off; the keyboard is polled.
        .include "boot.inc"

        .set    kFirst, 0x200000
        .set    kCode, 0x100000           # mov $letter, %al; ret
        .set    kLetter, 0xb8000 + 2 * 19 # in the text
        .set    kBefore, 0xb8000 + 2 * 27

        .globl  _start
_start: set_up_real_mode
        clear_screen
        print_text title
        enter_protected_mode
        mov     %eax, %fs               # flat too, so that it is traced and not interpreted
        mov     %eax, %gs
        mov     $0x12345678, %ebx       # the next word to write
        movl    $0x00c300b0 + ('A' << 8), kCode
        movb    $'A', kLetter           # now it is ready
next_key:
        in      $0x64, %al              # status: bit 0, a byte is there
        test    $1, %al
        jz      next_key
        in      $0x60, %al
        sub     $2, %al                 # scan code of the 1 key; set 1 counts on along the rows
        cmp     $12, %al
        jb      1f
        sub     $2, %al                 # Backspace and Tab lie between
        cmp     $12, %al
        jb      next_key
        cmp     $18, %al
        jae     next_key                # another key, or one released
1:      mov     %al, %cl
        mov     $1, %eax
        shl     %cl, %eax
        mov     %eax, %ecx
        mov     $kFirst, %edi
2:      mov     %ebx, (%edi)
        inc     %ebx
        add     $0x1000, %edi
        loop    2b
        mov     $200000, %ecx           # a while: what follows is not the tail of a port access
        loop    .
        mov     $kCode, %esi
        call    *%esi
        mov     %al, kBefore
        inc     %al
        cmp     $'Z', %al
        jbe     3f
        mov     $'A', %al
3:      mov     %al, kCode + 1
        call    *%esi
        mov     %al, kLetter
        jmp     next_key

title:  .asciz  "dirty_pages: ready   after -"
        .code16
        flat_gdt
        boot_signature
