# memtest86+ for a pass over its memory, in as little as it starts in: it moves itself from its first 4 MiB to what lies above
# and back. All its tests but the last one, which waits twice for 80 seconds (guest-memtest-whole.bash has it).
source tests/guests/tools-floppy.bash
memory=5 limit=400 reference=no
actions=("${menu[@]}" type 'm\n' wait-for "<Enter> to start testing"
    key f1 wait-for "Test selection" key f1 wait-for "Remove one test" key f2 wait-for "Enter test #" type '10\n'
    wait-for "*.********." key f10 wait-for "Address range" key f10
    wait-for "Pass:  1        Errors: 0")
