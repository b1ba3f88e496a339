# Hardware task switching: by far jump, call, task gate, interrupt and IRET; a double fault in a task of its own; tasks of
# ring 3 with an LDT each that a timer interrupt switches, as the first versions of Linux did; and the faults.
# (SDM Vol. 3A chapter 8)
        .include "boot.inc"
        .include "protected.inc"
        .set    kSectors, 14

        .set    kTaskA, 0x50
        .set    kTaskB, 0x58
        .set    kDoubleFault, 0x60
        .set    kLdtB, 0x68
        .set    kGateA, 0x70
        .set    kAbsent, 0x78
        .set    kShort, 0x80
        .set    kTaskC, 0x88
        .set    kTaskD, 0x90
        .set    kLdtC, 0x98
        .set    kLdtD, 0xa0
        .set    kTimer, 0x50            # vector of IRQ 0
        .set    kTurns, 3000000

        program tasks, kSectors
        program_gdt
        descriptor task_a, 0x67, 0x89, 0
descriptor_b:
        descriptor task_b, 0x67, 0x89, 0
        descriptor task_double_fault, 0x67, 0x89, 0
        descriptor ldt_b, 0x0f, 0xe2, 0
        gate    kTaskA, 0, 0xe5
        descriptor task_a, 0x67, 0x09, 0
        descriptor task_a, 0x20, 0x89, 0
        descriptor task_c, 0x67, 0x89, 0
        descriptor task_d, 0x67, 0x89, 0
        descriptor ldt_c, 0x0f, 0x82, 0
        descriptor ldt_d, 0x0f, 0x82, 0
        program_gdt_end

        # What the processor loads and stores, in the manual's order (Figure 8-2).
        .macro  task name, eip, flags, esp, code, data, ldt, stack0
        .balign 8
\name:  .long   0, \stack0, kData, 0, 0, 0, 0, 0
        .long   \eip, \flags, 0, 0, 0, 0, \esp, 0, 0, 0
        .long   \data, \code, \data, \data, 0, 0, \ldt, 0x680000
        .endm
        .set    kTssEip, 32
        .set    kTssFlags, 36
        .set    kTssEax, 40
        task    task_a, run_a, 2, 0x20000, kCode, kData, 0, 0
        task    task_b, run_b, 2, 0x21000, 0x07, 0x0f, kLdtB, 0x22000
        task    task_double_fault, run_double_fault, 2, 0x23000, kCode, kData, 0, 0
        task    task_c, run_c, 0x202, 0x24000, 0x07, 0x0f, kLdtC, 0x25000
        task    task_d, run_d, 0x202, 0x26000, 0x07, 0x0f, kLdtD, 0x27000

        .macro  local_table name
        .balign 8
\name:  descriptor 0, 0xfffff, 0xfa, 0xc
        descriptor 0, 0xfffff, 0xf2, 0xc
        .endm
        local_table ldt_b
        local_table ldt_c
        local_table ldt_d

        # QEMU 7.2 saves wrong flags in a TSS when a subtraction was the last to set them; it does not when POPF was.
        .macro  settle_flags
        pushf
        popf
        .endm

        # The bytes with the types of main's descriptor and of A's: 89h free, 8Bh busy.
        .macro  busy
        mov     task_state_descriptor + 5, %ah
        mov     gdt + kTaskA + 5, %al
        movzwl  %ax, %eax
        .endm
        .macro  logged text, at
        mov     log + 4 * \at, %eax
        value   "\text"
        .endm

begin:  ljmp    $kTaskA, $0
        logged  "jump: TR, NT, TS in A", 0
        logged  "  busy, main and A", 1
        logged  "  back link", 2
        busy
        value   "  busy afterwards"
        mov     task_a + kTssEax, %eax
        value   "  A's EAX saved"
        lcall   $kTaskA, $0
        logged  "call: TR, NT, TS in A", 0
        logged  "  busy, main and A", 1
        logged  "  back link", 2
        busy
        value   "  busy afterwards"
        mov     task_a + kTssFlags, %eax
        and     $0x4000, %eax
        value   "  NT saved in A"
        lcall   $kGateA, $0
        logged  "call by a gate", 0
        movl    $kTaskA << 16, kIdt + 0x40 * 8
        movl    $0xe500, kIdt + 0x40 * 8 + 4
        int     $0x40
        logged  "int by a gate", 0
        begin_attempt 1f
        enter_ring 3, 2f
2:      int     $0x40
        int     $0x30
1:      end_attempt "int by a gate, ring 3"

        # The first use of the FPU after a switch is an exception; MOV to CR0 or CLTS ends that.
        lcall   $kTaskA, $0
        attempt "FPU after a switch", "fnop"
        clts
        attempt "FPU after clts", "fnop"

        # #GP cannot be delivered, #NP neither: a double fault, which is a task here. It looks at what failed, in the
        # TSS of the task it came from, and mends that.
        movb    $0x0e, kIdt + 13 * 8 + 5
        movb    $0x0e, kIdt + 11 * 8 + 5
        movl    $kDoubleFault << 16, kIdt + 8 * 8
        movl    $0x8500, kIdt + 8 * 8 + 4
        mov     $0xfff8, %eax
double: mov     %eax, %es               # beyond the GDT: #GP
mended: movb    $0x8e, kIdt + 13 * 8 + 5
        movb    $0x8e, kIdt + 11 * 8 + 5
        logged  "double fault: code", 3
        logged  "  EIP - what failed", 4
        logged  "  TR, NT, TS there", 5

        # B is of ring 3 with an LDT; its int 41h comes to ring 0 within the task, and that goes back to main.
        movl    $0x80000 + back_from_b, kIdt + 0x41 * 8
        movl    $0xee00, kIdt + 0x41 * 8 + 4
        ljmp    $kTaskB, $0
        logged  "ring 3: CS, SS", 6
        logged  "  LDTR, TR", 7
        logged  "  ring 0 SS, ESP - ESP0", 8
        ljmp    $kTaskB, $0
        logged  "  second time", 9
        sldt    %ax
        movzwl  %ax, %eax
        value   "  LDTR in main"

        attempt "jump to a busy task", "ljmp $kTaskState, $0"
        attempt "to an absent task", "ljmp $kAbsent, $0"
        attempt "to a TSS too short", "ljmp $kShort, $0"
        attempt "LTR, busy", "mov $kTaskState, %eax; ltr %ax"
        attempt "LLDT with a TSS", "mov $kTaskA, %eax; lldt %ax"
        attempt "IRET, NT, free back link", "movl $kTaskA, task_state; pushl $0x4002; popf; iretl"
        pushl   $2
        popf
        in_ring 3, "ring 3: jump to a task", "ljmp $kTaskA, $0"
        in_ring 3, "ring 3: task of DPL 3", "movb $0xe9, descriptor_b + 5; ljmp $kTaskB, $0"
        mov     log + 9 * 4, %eax
        value   "  third time"

        # Three tasks in turn by the timer, a thousand times a second: main, which waits, and two that compute.
        mov     $0x11, %al              # both interrupt controllers: IRQ 0 to 15 at 50h to 5Fh
        out     %al, $0x20
        out     %al, $0xa0
        mov     $kTimer, %al
        out     %al, $0x21
        mov     $kTimer + 8, %al
        out     %al, $0xa1
        mov     $4, %al
        out     %al, $0x21
        mov     $2, %al
        out     %al, $0xa1
        mov     $1, %al
        out     %al, $0x21
        out     %al, $0xa1
        mov     $0x34, %al              # channel 0, mode 2
        out     %al, $0x43
        mov     $1193 & 0xff, %al
        out     %al, $0x40
        mov     $1193 >> 8, %al
        out     %al, $0x40
        movl    $0x80000 + timer, kIdt + kTimer * 8
        movl    $0x8e00, kIdt + kTimer * 8 + 4
        mov     $0xfe, %al
        out     %al, $0x21
        sti
1:      hlt
        cmpb    $2, finished_tasks
        jne     1b
        cli
        mov     $0xff, %al
        out     %al, $0x21
        mov     results, %eax
        value   "timer: C's result"
        mov     results + 4, %eax
        value   "  D's result"
        cmpl    $6, switches
        seta    %al
        movzbl  %al, %eax
        value   "  many switches"
        jmp     finished

        # Runs in task A, again and again: notes what it sees and goes back the way it came.
run_a:  mov     $0x12340000, %eax
        pushf
        pop     %edx
        call    see
        mov     %edx, log
        busy
        mov     %eax, log + 4
        mov     task_a, %eax
        mov     %eax, log + 8
        clts
        mov     $0x5678abcd, %eax
        pushf
        testl   $0x4000, (%esp)
        lea     4(%esp), %esp
        jnz     1f
        settle_flags
        ljmp    $kTaskState, $0
        jmp     run_a
1:      iretl
        jmp     run_a

        # TR, NT and CR0.TS, four bits each of the latter two, in EDX; EDX has the flags at first.
see:    shr     $14, %edx
        and     $1, %edx
        shl     $4, %edx
        smsw    %eax
        shr     $3, %eax
        and     $1, %eax
        or      %eax, %edx
        str     %ax
        movzwl  %ax, %eax
        shl     $8, %eax
        or      %eax, %edx
        ret

run_double_fault:
        popl    log + 12
        mov     task_state + kTssEip, %eax
        sub     $double, %eax
        mov     %eax, log + 16
        pushf
        pop     %edx
        call    see
        mov     %edx, log + 20
        clts
        movl    $mended, task_state + kTssEip
        iretl
        jmp     run_double_fault

run_b:  mov     %cs, %eax
        shl     $16, %eax
        mov     %ss, %ax
        mov     %eax, log + 24
        sldt    %eax
        shl     $16, %eax
        str     %ax
        mov     %eax, log + 28
        incl    log + 36
        int     $0x41
        jmp     run_b
back_from_b:
        mov     %ss, %eax
        shl     $16, %eax
        mov     %esp, %edx
        sub     task_b + 4, %edx
        mov     %dx, %ax
        mov     %eax, %ss:log + 32
        settle_flags
        ljmp    $kTaskState, $0
        iretl

run_c:  mov     $0x13579bdf, %eax
        mov     $results, %ebx
        jmp     1f
run_d:  mov     $0x2468ace1, %eax
        mov     $results + 4, %ebx
1:      mov     $kTurns, %ecx
2:      shr     $1, %eax
        jnc     3f
        xor     $0x80200003, %eax
3:      dec     %ecx
        jnz     2b
        mov     %eax, (%ebx)
        lock incb finished_tasks
4:      jmp     4b

        # The scheduler: the next of the three.
timer:  push    %eax
        push    %ds
        mov     $kData, %eax
        mov     %eax, %ds
        mov     $0x20, %al
        out     %al, $0x20
        incl    switches
        mov     now, %eax
        inc     %eax
        cmp     $3, %eax
        jne     1f
        xor     %eax, %eax
1:      mov     %eax, now
        mov     turn(,%eax,4), %eax
        mov     %eax, target + 4
        settle_flags
        ljmp    *target
        clts
        pop     %ds
        pop     %eax
        iretl

        .balign 4
turn:   .long   kTaskState, kTaskC, kTaskD
now:    .long   0
switches:
        .long   0
target: .long   0, 0
results:
        .long   0, 0
log:    .fill   10, 4, 0
finished_tasks:
        .byte   0
finished:
        end_program tasks, kSectors
