# GRUB Invaders, started by the multiboot protocol: invaders on the screen that move.
source tests/guests/tools-floppy.bash
actions=("${menu[@]}" type 'i\n' wait-for "-*-           -*-           -*-")
