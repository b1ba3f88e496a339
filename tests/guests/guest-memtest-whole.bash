# memtest86+ for a whole pass, its bit fade test too, which waits twice for 80 seconds of the guest's time.
source tests/guests/tools-floppy.bash
memory=5 limit=400 reference=no
actions=("${menu[@]}" type 'm\n' wait-for "<Enter> to start testing" type '\n' wait-for "Test #10" wait-for "fade over"
    wait-for "Pass:  1        Errors: 0")
