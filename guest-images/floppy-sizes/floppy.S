# Boots from a floppy of any size, reads all of it track by track through the BIOS and checks each sector's number, writes
# its last sector and reads that back. `build` fills in the geometry and the numbers.
        .include "boot.inc"
        .set    kTrack, 0x1000          # segment of a track's data
        .globl  _start
_start: jmp     1f
        .org    4
cylinders:
        .word   0
heads:  .word   0
sectors:
        .word   0
        .word   0                       # its number, as in all sectors
1:      set_up_real_mode
        mov     %dl, drive
        clear_screen
        mov     $kTrack, %ax
        mov     %ax, %es
next_track:
        mov     $0x02, %ah
        call    track
        jc      failed
        xor     %di, %di
        mov     sectors, %cx
1:      mov     %es:10(%di), %ax
        cmp     number, %ax
        je      2f
        incw    wrong
2:      incw    number
        add     $512, %di
        loop    1b
        mov     head, %ax
        inc     %ax
        mov     %ax, head
        cmp     heads, %ax
        jb      next_track
        movw    $0, head
        mov     cylinder, %ax
        inc     %ax
        mov     %ax, cylinder
        cmp     cylinders, %ax
        jb      next_track
        mov     number, %ax
        mov     $name_read, %si
        call    show
        mov     wrong, %ax
        mov     $name_wrong, %si
        call    show

        # The last track again, its last sector changed.
        decw    cylinder
        mov     heads, %ax
        dec     %ax
        mov     %ax, head
        mov     $0x02, %ah
        call    track
        jc      failed
        notw    %es:-512 + 10(%di)
        mov     %es:-512 + 10(%di), %bp
        mov     $0x03, %ah
        call    track
        jc      failed
        movw    $0, %es:-512 + 10(%di)
        mov     $0x02, %ah
        call    track
        jc      failed
        mov     %es:-512 + 10(%di), %ax
        sub     %bp, %ax
        mov     $name_written, %si
        call    show
        mov     $done, %si
        call    print
idle:   hlt
        jmp     idle

failed: mov     %ah, %al
        xor     %ah, %ah
        mov     $name_failed, %si
        call    show
        jmp     idle

        # A whole track, by the function in AH; CF and AH as the BIOS leaves them.
track:  mov     sectors, %al
        xor     %bx, %bx
        mov     cylinder, %ch
        mov     $1, %cl
        mov     head, %dh
        mov     drive, %dl
        push    %di
        int     $0x13
        pop     %di
        ret

        # The text at SI, AX in decimal, and a new line.
show:   push    %ax
        call    print
        pop     %ax
        mov     $10, %cx
        mov     $end_of_number, %si
1:      xor     %dx, %dx
        div     %cx
        add     $'0', %dl
        dec     %si
        mov     %dl, (%si)
        test    %ax, %ax
        jnz     1b
print:  lodsb
        test    %al, %al
        jz      1f
        mov     $0x0e, %ah
        mov     $0x0007, %bx
        int     $0x10
        jmp     print
1:      ret
digits: .ascii  "     "
end_of_number:
        .asciz  "\r\n"
name_read:      .asciz "sectors: "
name_wrong:     .asciz "wrong: "
name_written:   .asciz "rewritten, difference: "
name_failed:    .asciz "BIOS error: "
done:           .asciz "floppy: done\r\n"
number: .word   0
wrong:  .word   0
head:   .word   0
cylinder:
        .word   0
drive:  .byte   0
        boot_signature
