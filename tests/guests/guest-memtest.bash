# memtest86+ for a whole pass over 8 MiB.
source tests/guests/tools-floppy.bash
memory=8 limit=850
actions=("${menu[@]}" type 'm\n' wait-for "Memtest86+" wait-for "Pass complete")
