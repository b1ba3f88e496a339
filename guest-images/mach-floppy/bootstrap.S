# The only program under GNU Mach here: a task that prints through the kernel now and again. Mach's system calls are far
# calls to a gate, as those of Unix System V were: the number, negated, in EAX, the arguments as for a C function.
        .set    kMachPrint, -30
        .set    kThreadSwitch, -61      # thread_switch(thread, option, milliseconds); option 2 waits
        .text
        .globl  _start
_start: mov     $3, %ebx
1:      pushl   $text
        call    mach_print
        add     $4, %esp
        pushl   $500
        pushl   $2
        pushl   $0
        call    thread_switch
        add     $12, %esp
        dec     %ebx
        jnz     1b
        pushl   $done
        call    mach_print
2:      pushl   $100000
        pushl   $2
        pushl   $0
        call    thread_switch
        add     $12, %esp
        jmp     2b

mach_print:
        mov     $kMachPrint, %eax
        lcall   $7, $0
        ret
thread_switch:
        mov     $kThreadSwitch, %eax
        lcall   $7, $0
        ret

        .data
text:   .asciz  "a Mach task speaking\n"
done:   .asciz  "mach: done\n"
