# GRUB Legacy (0.97) from a floppy: its command line.
image=build/guests/grub-legacy.img
actions=(wait-last "grub>" type 'help cat\n' wait-for "help cat" wait-last "grub>" type 'displaymem\n' wait-for "EISA Memory BIOS Interface"
    wait-last "grub>" type 'clear\n' wait-only "grub>" type 'geometry (fd0)\n' wait-for "drive 0x0" wait-last "grub>" capture geometry)
