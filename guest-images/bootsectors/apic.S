# Local APIC and I/O APIC, used as small systems with processors in mind use them: found by the MP table, programmed, the
# 8259 pair masked. IPIs to itself, priorities, the APIC's timer, 8254 and keyboard by the I/O APIC, edge and level, NMI; then
# the 8259 pair again, through the local APIC ("virtual wire") and without it. (SDM Vol. 3A chapter 10; 82093AA datasheet;
# MultiProcessor Specification 1.4, chapter 4)
        .include "boot.inc"
        .include "protected.inc"
        .set    kSectors, 15

        .set    kLocal, 0xfee00000
        .set    kEoi, kLocal + 0xb0
        .set    kIcr, kLocal + 0x300
        .set    kIcrHigh, kLocal + 0x310
        .set    kLvtTimer, kLocal + 0x320
        .set    kLint0, kLocal + 0x350
        .set    kInitial, kLocal + 0x380
        .set    kCurrent, kLocal + 0x390
        .set    kDivide, kLocal + 0x3e0
        .set    kTpr, kLocal + 0x80
        .set    kPpr, kLocal + 0xa0
        .set    kIo, 0xfec00000
        .set    kMasked, 1 << 16
        .set    kSelf, 1 << 18          # ICR: destination shorthands
        .set    kAll, 2 << 18
        .set    kOthers, 3 << 18
        .set    kLogical, 1 << 11
        .set    kBaseMsr, 0x1b

        program apic, kSectors
        program_gdt
        program_gdt_end

        # EAX to a register of the I/O APIC; and a register to EAX.
        .macro  io_write register
        movl    $\register, kIo
        mov     %eax, kIo + 0x10
        .endm
        .macro  io_read register
        movl    $\register, kIo
        mov     kIo + 0x10, %eax
        .endm
        .macro  pin number, low
        mov     $\low, %eax
        io_write 0x10+2*\number
        .endm
        # Sends an IPI; the value of the ICR's low half is the message.
        .macro  ipi low, destination=0
        movl    $(\destination) << 24, kIcrHigh
        movl    $\low, kIcr
        .endm
        # Shows the last four interrupts since it was last shown, the newest in the lowest byte. Of a timer there may have been
        # more than were waited for: so of these there are always four.
        .macro  came text
        sti
        nop
        nop
        cli
        mov     order, %eax
        movl    $0, order
        value   "\text"
        .endm
        # Halts until so many interrupts have come.
        .macro  await count
        movl    $0, taken
1:      sti
        hlt
        cli
        cmpl    $\count, taken
        jb      1b
        .endm
        # Lets some time pass in which interrupts could come: a twentieth of a second by the 8254's channel 2, which is
        # counted down with its gate open.
        .macro  linger
        sti
        in      $0x61, %al
        and     $0xfc, %al
        or      $0x01, %al
        out     %al, $0x61
        mov     $0xb0, %al              # channel 2, both bytes, mode 0
        out     %al, $0x43
        mov     $0x0b, %al
        out     %al, $0x42
        mov     $0xe9, %al
        out     %al, $0x42
1:      in      $0x61, %al
        test    $0x20, %al
        jz      1b
        cli
        .endm
        # A byte comes from the keyboard controller as if from the keyboard (command D2h).
        .macro  key code
        call    controller_ready
        mov     $0xd2, %al
        out     %al, $0x64
        call    controller_ready
        mov     $\code, %al
        out     %al, $0x60
        .endm

        .macro  handle vector
        movl    $handler_\vector, %eax
        mov     %ax, kIdt + 8 * 0x\vector
        .subsection 1
handler_\vector:
        pusha
        mov     $0x\vector, %ecx
        jmp     handled
        .subsection 0
        .endm

begin:  mov     $1, %eax
        cpuid
        shr     $24, %ebx
        and     $0x200, %edx
        lea     (%edx, %ebx), %eax
        value   "CPUID: APIC, ID"
        mov     $kBaseMsr, %ecx
        rdmsr
        value   "APIC base"

        # The MP floating pointer structure in the BIOS's segment, then the configuration table.
        mov     $0xf0000, %esi
1:      cmpl    $0x5f504d5f, (%esi)     # _MP_
        jne     2f
        mov     $16, %ecx
        call    checksum
        jz      3f
2:      add     $16, %esi
        cmp     $0x100000, %esi
        jb      1b
        xor     %eax, %eax
        value   "no MP table"
        jmp     no_table
3:      mov     4(%esi), %esi
        mov     (%esi), %eax
        value   "MP table's mark"
        movzwl  4(%esi), %ecx
        call    checksum
        movzbl  %al, %eax
        value   "  its sum"
        mov     36(%esi), %eax
        value   "  local APIC"
        movzwl  34(%esi), %ebp          # entries
        add     $44, %esi
4:      movzbl  (%esi), %ebx
        incl    entries(, %ebx, 4)
        cmp     $2, %ebx
        jne     5f
        mov     (%esi), %eax
        value   "  I/O APIC"
        mov     4(%esi), %eax
        value   "    address"
5:      cmp     $3, %ebx
        jne     6f
        cmpb    $0, 1(%esi)             # INT
        jne     6f
        movzbl  5(%esi), %eax           # of which line of the bus: the ISA's come last
        cmp     $16, %eax
        jae     6f
        mov     7(%esi), %dl
        mov     %dl, pins(%eax)
6:      mov     $8, %eax
        test    %ebx, %ebx
        jnz     7f
        mov     $20, %eax
7:      add     %eax, %esi
        dec     %ebp
        jnz     4b
        mov     entries, %eax
        value   "  processors"
        mov     entries + 8, %eax
        value   "  I/O APICs"
        mov     pins, %eax
        value   "  pins of IRQs 3-0"
        mov     pins + 12, %eax
        value   "  pins of IRQs 15-12"
no_table:
        # As the firmware leaves the local APIC; its version.
        mov     kLocal + 0x20, %eax
        value   "local APIC: ID"
        mov     kLocal + 0x30, %eax
        value   "  version"
        mov     kLocal + 0xf0, %eax
        value   "  spurious vector"
        mov     kLint0, %eax
        value   "  LINT0"
        mov     kLocal + 0x360, %eax
        value   "  LINT1"

        .irp    vector, 41, 42, 51, 61, 71, 81, 91, a1, f0
        handle  \vector
        .endr
        movl    $nmi, %eax
        mov     %ax, kIdt + 8 * 2
        movl    $0x1f0, kLocal + 0xf0
        movl    $0x01000000, kLocal + 0xd0
        movl    $0xffffffff, kLocal + 0xe0
        mov     kLocal + 0xd0, %eax
        or      kLocal + 0xe0, %eax
        value   "  LDR, DFR"
        io_read 1
        shr     $16, %eax
        value   "I/O APIC: last pin"
        mov     $24, %ecx               # every pin masked
        mov     $0x10, %ebx
1:      mov     %ebx, kIo
        movl    $kMasked, kIo + 0x10
        inc     %ebx
        mov     %ebx, kIo
        movl    $0, kIo + 0x10
        inc     %ebx
        loop    1b
        io_read 0x16
        value   "  an entry"

        # IPIs to itself. The request is seen while interrupts are off; then it is taken.
        ipi     kSelf+0x41
        mov     kLocal + 0x220, %eax
        value   "IPI: IRR"
        came    "  taken"
        ipi     kSelf+0x41
        ipi     kSelf+0x61
        ipi     kSelf+0x51
        came    "  by priority"
        movl    $0x50, kTpr
        ipi     kSelf+0x41
        ipi     kSelf+0x61
        ipi     kSelf+0x51
        came    "  above TPR 50"
        movl    $0, kTpr
        came    "  the others"
        movl    $nest, hook             # 41h sends 42h, which waits, and 61h, which does not
        ipi     kSelf+0x41
        came    "  nested"
        movl    $nothing, hook
        mov     priority, %eax
        value   "  priority there"
        # Who is meant: all, all others, this ID, another; this and another by logical destination.
        ipi     kAll+0x41
        ipi     kOthers+0x51
        ipi     0x61
        ipi     0x71, 5
        ipi     kLogical+0x81, 1
        ipi     kLogical+0x91, 2
        came    "  destinations"
        ipi     0xc4500                 # INIT and start-up to processors that are not there
        ipi     0xc4608
        mov     kIcr, %eax
        and     $0x1000, %eax
        value   "  INIT, start-up: busy"
        ipi     0x4400
        linger
        mov     nmis, %eax
        value   "  NMI"

        # The timer.
        movl    $0xb, kDivide           # by 1
        movl    $0x71, kLvtTimer
        movl    $1000000, kInitial
        mov     kCurrent, %ebx
1:      mov     kCurrent, %eax          # it goes down
        test    %eax, %eax
        jz      2f
        cmp     %ebx, %eax
        jae     1b
2:
        await   1
        mov     kCurrent, %eax
        value   "timer once: count"
        linger
        came    "  taken"
        movl    $0x3, kDivide           # by 16
        movl    $0x20071, kLvtTimer
        movl    $100000, kInitial
        await   4
        movl    $0x30071, kLvtTimer
        movl    $0, kInitial
        came    "  periodic"
        linger
        came    "  masked"

        # The 8254 at pin 2: 100 Hz.
        mov     $0x34, %al
        out     %al, $0x43
        mov     $0x9c, %al
        out     %al, $0x40
        mov     $0x2e, %al
        out     %al, $0x40
        pin     2, 0x81
        await   4
        pin     2, kMasked+0x81
        came    "8254 at pin 2"
        linger
        came    "  masked"

        # The keyboard at pin 1: an edge for each byte; and as a level, which stays until the byte is fetched.
        call    drain
        movl    $fetch, hook
        pin     1, 0x91
        key     0x5a
        await   1
        came    "keyboard at pin 1"
        mov     fetched, %eax
        value   "  byte"
        movl    $fetch_second, hook
        pin     1, 0x80a1
        key     0x5b
        await   2
        linger
        came    "  by level"
        mov     entry_seen, %eax
        value   "  entry meanwhile"
        io_read 0x12
        value   "  and after"
        pin     1, kMasked
        movl    $nothing, hook

        # The 8259 pair: through LINT0, then not, then without any local APIC.
        mov     $0x11, %al
        out     %al, $0x20
        mov     $0x20, %al
        out     %al, $0x21
        mov     $0x04, %al
        out     %al, $0x21
        mov     $0x03, %al              # ends by itself
        out     %al, $0x21
        movl    $pic, %eax
        mov     %ax, kIdt + 8 * 0x20
        movl    $0x700, kLint0
        mov     $0xfe, %al
        out     %al, $0x21
        await   4
        came    "8259 by LINT0"
        movl    $0x10700, kLint0
        linger
        came    "  masked there"
        movl    $0x700, kLint0
        mov     $kBaseMsr, %ecx
        rdmsr
        and     $~0x800, %eax
        wrmsr
        rdmsr
        value   "turned off: base"
        mov     $1, %eax
        cpuid
        and     $0x200, %edx
        mov     %edx, %eax
        value   "  CPUID"
        await   4
        mov     $0xff, %al
        out     %al, $0x21
        came    "  8259"

        end_program apic, kSectors

        .subsection 1
        # ECX bytes at ESI: their sum in AL, and whether it is 0. EDX is lost.
checksum:
        push    %esi
        xor     %eax, %eax
1:      add     (%esi), %al
        inc     %esi
        loop    1b
        pop     %esi
        test    %al, %al
        ret

handled:
        shll    $8, order
        or      %ecx, order
        incl    taken
        call    *hook
        movl    $0, kEoi
        popa
        iretl

pic:    shll    $8, order
        orl     $0x20, order
        incl    taken
        iretl

nmi:    incl    nmis
        iretl

nothing:
        ret

nest:   movl    $nothing, hook
        ipi     kSelf+0x42
        ipi     kSelf+0x61
        mov     kPpr, %eax
        mov     %eax, priority
        sti
        nop
        cli
        ret

fetch:  in      $0x60, %al
        movzbl  %al, %eax
        mov     %eax, fetched
        ret

fetch_second:
        io_read 0x12
        mov     %eax, entry_seen
        movl    $fetch, hook
        ret

controller_ready:
        in      $0x64, %al
        test    $0x02, %al
        jnz     controller_ready
        ret

drain:  in      $0x64, %al
        test    $0x01, %al
        jz      1f
        in      $0x60, %al
        jmp     drain
1:      ret

        .balign 4
order:  .long   0
taken:  .long   0
hook:   .long   nothing
nmis:   .long   0
priority:       .long 0
fetched:        .long 0
entry_seen:     .long 0
entries:        .fill 5, 4, 0
pins:   .fill   16, 1, 0xff
        .subsection 0
