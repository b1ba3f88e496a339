# Paging in its three forms: page tables of two levels with 4 KiB pages, with 4 MiB pages (PSE), and of three levels (PAE)
# with 4 KiB and 2 MiB pages. Accessed and dirty bits, aliases, tables mapped into themselves, protection by ring and by
# CR0.WP, faults with their codes and addresses. (SDM Vol. 3A chapter 4)
        .include "boot.inc"
        .include "protected.inc"
        .set    kSectors, 14

        .set    kDirectory, 0x30000
        .set    kTable, 0x31000         # maps the first 4 MiB to themselves, for all rings
        .set    kTable2, 0x32000        # maps from 4 MiB on: nothing at first
        .set    kPointers, 0x38000      # of PAE
        .set    kPaeDirectory, 0x39000
        .set    kPaeTable, 0x3a000      # maps the first 2 MiB to themselves
        .set    kPageA, 0x50000         # pages to try things on
        .set    kPageB, 0x51000
        .set    kHigh, 0x400000         # the linear address of kTable2's first page
        .set    kWriteProtect, 1 << 16  # CR0.WP
        .set    kPse, 1 << 4
        .set    kPae, 1 << 5

        program paging, kSectors
        program_gdt
        program_gdt_end

        .macro  entry index, to
        movl    $\to, kTable2 + 4 * \index
        invlpg  kHigh + 0x1000 * \index
        .endm
        .macro  low_bits text, where, mask=0xfff
        mov     \where, %eax
        and     $\mask, %eax
        value   "\text"
        .endm
        .macro  fault_address text
        mov     %cr2, %eax
        value   "\text"
        .endm
        # Reserved bits: bit 3 of the code, which comes with bit 0 always; QEMU 7.2 leaves that one out.
        .macro  reserved where
        begin_attempt resumed\@
        mov     \where, %eax
resumed\@:
        orl     $1, fault_error
        end_attempt "  reserved bit"
        .endm
        .macro  reload
        mov     %cr3, %eax
        mov     %eax, %cr3
        .endm

begin:  mov     $kDirectory, %edi
        xor     %eax, %eax
        mov     $0xb000 / 4, %ecx
        rep stosl
        mov     $kTable, %edi
        mov     $7, %eax                # present, writable, for ring 3
1:      stosl
        add     $0x1000, %eax
        cmp     $0x400007, %eax
        jne     1b
        movl    $kTable + 7, kDirectory
        movl    $kTable2 + 7, kDirectory + 4
        movl    $kDirectory + 3, kDirectory + 0xffc
        movl    $0xaaaaaaaa, kPageA
        movl    $0xbbbbbbbb, kPageB
        mov     $kDirectory, %eax
        mov     %eax, %cr3
        mov     %cr0, %eax
        or      $0x80000000, %eax
        mov     %eax, %cr0
        jmp     1f
1:      mov     %cr0, %eax
        value   "CR0 with paging"

        # Accessed and dirty.
        low_bits "directory entry used", kDirectory
        low_bits "entry not used", kTable+4*0x50
        mov     kPageA, %eax
        low_bits "  read", kTable+4*0x50
        movl    $0xaaaaaaaa, kPageA
        low_bits "  written", kTable+4*0x50
        andl    $~0x60, kTable + 4 * 0x50
        invlpg  kPageA
        lock addl $1, kPageA
        low_bits "  read and written", kTable+4*0x50

        # One page under two names; what one changes the other sees. Then a new page under the old name.
        entry   0, kPageA + 7
        incl    kHigh
        mov     kPageA, %eax
        value   "by its other name"
        low_bits "  that entry", kTable2
        entry   0, kPageB + 7
        mov     kHigh, %eax
        value   "another page, invlpg"
        movl    $kPageA + 7, kTable2
        reload
        mov     kHigh, %eax
        value   "another page, CR3"

        # The directory's last entry is the directory itself: the tables appear at FFC00000h.
        low_bits "mapped into itself", 0xfffff004, 0xffffff9f
        movl    $kPageB + 7, 0xffc01000
        invlpg  kHigh
        mov     kHigh, %eax
        value   "  changed there"

        # Faults: not there, read-only, not for ring 3; in the code bit 0 protection, 1 write, 2 ring 3.
        entry   1, 0
        attempt "read, not present", "mov kHigh + 0x1000, %eax"
        fault_address "  address"
        attempt "written, not present", "movl $1, kHigh + 0x1234"
        fault_address "  address"
        in_ring 3, "run, not present", "jmp kHigh + 0x1000"
        attempt "no table", "mov 0x12345678, %eax"
        fault_address "  address"
        entry   0, kPageA + 5
        attempt "read-only, ring 0", "movl $1, kHigh"
        mov     %cr0, %eax
        or      $kWriteProtect, %eax
        mov     %eax, %cr0
        attempt "read-only, ring 0, WP", "movl $2, kHigh"
        in_ring 3, "read-only, ring 3", "movl $3, kHigh"
        in_ring 3, "  read", "mov kHigh, %eax"
        entry   0, kPageA + 3
        in_ring 3, "ring 0's, read by 3", "mov kHigh, %eax"
        entry   0, kPageA + 7
        movl    $kTable2 + 5, kDirectory + 4
        reload
        in_ring 3, "read-only table", "movl $4, kHigh"
        movl    $kTable2 + 3, kDirectory + 4
        reload
        in_ring 3, "ring 0's table", "mov kHigh, %eax"
        movl    $kTable2 + 7, kDirectory + 4
        reload
        mov     kPageA, %eax
        value   "what was written"

        # Across two pages that lie apart, and with the second one missing: then nothing is written.
        entry   0, kPageB + 7
        entry   1, kPageA + 7
        movl    $0x11223344, kHigh + 0xffe
        mov     kPageB + 0xffc, %eax
        mov     kPageA, %ax
        value   "across two pages"
        entry   1, 0
        attempt "the second missing", "movl $0x55667788, kHigh + 0xffd"
        fault_address "  address"
        mov     kPageB + 0xffc, %eax
        value   "  the first"

        # Code that is changed under its other name.
        entry   0, kPageA + 7
        movl    $0xc3cccccc, kPageA + 4
        movl    $0x000001b8, kPageA     # mov $xxxxxx01, %eax ; ret
        movw    $0xc300, kPageA + 4
        mov     $kHigh, %ebx
        call    *%ebx
        mov     %eax, %esi
        movb    $0x42, kPageA + 1
        call    *%ebx
        shl     $8, %esi
        or      %esi, %eax
        value   "code changed by alias"

        # 4 MiB pages.
        mov     %cr4, %eax
        or      $kPse, %eax
        mov     %eax, %cr4
        movl    $0x87, kDirectory + 8   # 800000h to physical 0
        mov     0x800000 + kPageB, %eax
        value   "by a 4 MiB page"
        low_bits "  its entry", kDirectory+8
        incl    0x800000 + kPageB
        low_bits "  written", kDirectory+8
        movl    $0x200087, kDirectory + 8
        reload
        reserved 0x800000

        # Paging off and PAE on.
        mov     %cr0, %eax
        and     $0x7fffffff, %eax
        mov     %eax, %cr0
        mov     $kPaeTable, %edi
        mov     $7, %eax
1:      stosl
        movl    $0, (%edi)
        add     $4, %edi
        add     $0x1000, %eax
        cmp     $0x200007, %eax
        jne     1b
        movl    $kPaeDirectory + 1, kPointers
        movl    $kPaeTable + 7, kPaeDirectory
        movl    $0x87, kPaeDirectory + 8        # 200000h to physical 0: a 2 MiB page
        movl    $0x87, kPaeDirectory + 16       # 400000h the same, with a reserved bit
        movl    $0x8000, kPaeDirectory + 20
        mov     %cr4, %eax
        or      $kPae, %eax
        mov     %eax, %cr4
        mov     $kPointers, %eax
        mov     %eax, %cr3
        mov     %cr0, %eax
        or      $0x80000000, %eax
        mov     %eax, %cr0
        jmp     1f
1:      movl    $0xcccccccc, kPageB
        low_bits "PAE: written", kPaeTable+8*0x51
        low_bits "  its directory", kPaeDirectory
        mov     0x200000 + kPageB, %eax
        value   "  by a 2 MiB page"
        low_bits "  its entry", kPaeDirectory+8
        reserved 0x400000
        attempt "  no directory", "mov 0x40000000, %eax"
        fault_address "  address"

        end_program paging, kSectors
