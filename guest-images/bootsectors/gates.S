# Four rings: call gates inward with parameters, returns outward, conforming code, interrupt gates by privilege, I/O
# privilege, and the faults of all these. (SDM Vol. 3A chapter 5)
        .include "boot.inc"
        .include "protected.inc"
        .set    kSectors, 12

        program gates, kSectors
        program_gdt
        descriptor 0, 0xfffff, 0x9e, 0xc        # 50h: conforming, ring 0
        gate    kCode, gate_to_0, 0xec, 2       # 58h: to ring 0, from any ring, two parameters
        gate    0x20, gate_to_1, 0xec, 1        # 60h: to ring 1
        gate    0x30, gate_to_2, 0xec, 1        # 68h: to ring 2
        gate    kCode, gate_to_0, 0x8c, 0       # 70h: only from ring 0
        gate    kCode, gate_to_0, 0x6c, 0       # 78h: not present
        gate    0x40, gate_to_0, 0xec, 0        # 80h: to ring 3, which is outward from ring 0
        gate    kData, gate_to_0, 0xec, 0       # 88h: to data
        descriptor 0, 0xfffff, 0x72, 0xc        # 90h: data of ring 3, not present
        descriptor 0, 0xfffff, 0xfa, 0xc        # 98h: code of ring 3 that may be read
        program_gdt_end

begin:  movl    $kStack1, task_state + 12
        movl    $0x29, task_state + 16
        movl    $kStack2, task_state + 20
        movl    $0x3a, task_state + 24
        # int 31h is for rings 0 and 1, int 32h a trap gate for all.
        movb    $0xae, kIdt + 0x31 * 8 + 5
        movb    $0xef, kIdt + 0x32 * 8 + 5

        # Inward one ring at a time and back, by a call gate each.
        begin_attempt 1f
        enter_ring 3, walk_3
1:      end_attempt "walk in and out"
        mov     log, %eax
        value   "  selectors on the way in"
        mov     log + 4, %eax
        value   "  and on the way out"
        mov     log + 8, %eax
        value   "  parameters seen"
        mov     log + 12, %eax
        value   "  DS, ES after a return"

        in_ring 3, "ring 3: nothing", ""
        in_ring 3, "ring 3: cli", "cli"
        in_ring 3, "ring 3: hlt", "hlt"
        in_ring 3, "ring 3: mov cr0", "mov %cr0, %eax"
        in_ring 3, "ring 3: lgdt", "lgdt gdt_pointer"
        in_ring 3, "ring 3: in", "in $0x61, %al"
        in_ring 3, "ring 3: int 31h, DPL 1", "int $0x31"
        in_ring 1, "ring 1: int 31h, DPL 1", "int $0x31"
        in_ring 3, "ring 3: int 3, DPL 0", "int3"
        in_ring 3, "ring 3: gate of DPL 0", "lcall $0x70, $0"
        in_ring 3, "ring 3: gate not present", "lcall $0x78, $0"
        in_ring 3, "ring 3: gate to data", "lcall $0x88, $0"
        in_ring 3, "ring 3: jump by a gate", "ljmp $0x58, $0"
        in_ring 3, "ring 3: far call to ring 0", "lcall $kCode, $gate_to_0"
        in_ring 3, "ring 3: load ring 0 data", "mov $kData, %eax; mov %eax, %ds"
        in_ring 3, "ring 3: load absent data", "mov $0x93, %eax; mov %eax, %es"
        in_ring 3, "ring 3: absent stack", "mov $0x93, %eax; mov %eax, %ss"
        in_ring 3, "ring 3: stack of RPL 0", "mov $0x48, %eax; mov %eax, %ss"
        in_ring 2, "ring 2: code as data", "mov $0x9b, %eax; mov %eax, %fs"
        in_ring 3, "ring 3: beyond the GDT", "mov $0xfff8, %eax; mov %eax, %es"
        attempt "ring 0: gate outward", "lcall $0x80, $0"
        attempt "ring 0: null stack", "xor %eax, %eax; mov %eax, %ss"

        # Conforming code runs at the caller's level.
        begin_attempt 1f
        enter_ring 3, 2f
2:      lcall   $0x50, $conforming
        int     $0x30
1:      mov     log + 16, %eax
        value   "conforming from ring 3"
        lcall   $0x50, $conforming
        mov     log + 16, %eax
        value   "conforming from ring 0"

        # IOPL 3 gives ring 3 the flags and ports that ring 0 has; POPF and IRET there change IOPL no more.
        begin_attempt 1f
        pushl   $0x4b
        pushl   $kStack3
        pushl   $0x3002
        pushl   $0x43
        pushl   $2f
        iretl
2:      mov     $0x4b, %eax
        mov     %eax, %ds
        sti
        cli
        in      $0x61, %al
        pushl   $0x0202
        popf
        pushf
        pop     %eax
        mov     %eax, log + 20
        int     $0x32
1:      end_attempt "IOPL 3: sti, cli, in"
        mov     log + 20, %eax
        value   "  flags after popf"
        mov     fault_flags, %eax
        and     $0x3300, %eax
        value   "  flags saved by int"

        # The I/O bitmap of the TSS: port 61h allowed, the others not.
        movl    $bitmap - task_state, %eax
        shl     $16, %eax
        mov     %eax, task_state + 100
        movw    $bitmap_end - task_state, task_state_descriptor
        andb    $0xfd, task_state_descriptor + 5       # not busy, so that it can be loaded again
        mov     $kTaskState, %eax
        ltr     %ax
        in_ring 3, "bitmap: in 61h", "in $0x61, %al"
        in_ring 3, "bitmap: in 62h", "in $0x62, %al"
        in_ring 3, "bitmap: in 60h, 16 bits", "in $0x60, %ax"
        in_ring 3, "bitmap: beyond its end", "mov $0x400, %edx; in %dx, %al"

        # What the instructions about selectors say at ring 3, unprivileged all of them.
        .macro  ask text, code
        begin_attempt resumed\@
        enter_ring 3, code\@
code\@: xor     %eax, %eax
        \code
        pushf
        popl    log + 28
        mov     %eax, log + 24
        int     $0x30
resumed\@:
        mov     log + 24, %eax
        shl     $1, %eax
        mov     log + 28, %edx
        shr     $6, %edx
        and     $1, %edx
        or      %edx, %eax              # the value, then ZF
        value   "\text"
        .endm
        ask     "lar own data", "mov $0x4b, %ecx; lar %ecx, %eax"
        ask     "lar ring 0 data", "mov $kData, %ecx; lar %ecx, %eax"
        ask     "lar a call gate", "mov $0x58, %ecx; lar %ecx, %eax"
        ask     "verw own code", "mov $0x43, %ecx; verw %cx"
        ask     "arpl", "mov $0x10, %eax; mov $3, %ecx; arpl %cx, %ax"

        jmp     finished

        # The walk: each ring notes its CS on the way in and again on the way out.
        .macro  note where
        shll    $8, \where
        mov     %cs, %eax
        orb     %al, \where
        .endm
walk_3: note    log
        pushl   $9
        lcall   $0x68, $0
        mov     $0x4b, %eax
        mov     %eax, %ds
        note    log + 4
        int     $0x30
gate_to_2:
        note    log
        pushl   $7
        lcall   $0x60, $0
        mov     $0x3a, %eax
        mov     %eax, %ds
        note    log + 4
        lret    $4
gate_to_1:
        note    log
        pushl   $0x1234
        pushl   $0x5678
        lcall   $0x58, $0
        mov     %ds, %eax               # ring 0's, hence made null by the return
        mov     %es, %edx               # still ring 3's
        mov     $0x29, %ecx
        mov     %ecx, %ds
        shl     $16, %eax
        or      %edx, %eax
        mov     %eax, log + 12
        note    log + 4
        lret    $4
gate_to_0:
        mov     $kData, %eax
        mov     %eax, %ds
        note    log
        mov     8(%esp), %eax           # the parameter pushed last
        shl     $16, %eax
        or      12(%esp), %eax
        mov     %eax, log + 8
        lret    $8
conforming:
        mov     %cs, %eax
        mov     %eax, log + 16
        lret

        .balign 4
log:    .fill   8, 4, 0
bitmap: .fill   0x60 / 8, 1, 0xff
        .byte   0xfd                    # port 61h
        .fill   (0x400 - 0x68) / 8, 1, 0xff
bitmap_end:
        .byte   0xff                    # the end that the manual asks for (Vol. 1 19.5.2)
finished:
        end_program gates, kSectors
