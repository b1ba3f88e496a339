# SYSLINUX's menu: moving in it, editing an entry. From it the hardware detection tool: its menu. From there to SYSLINUX's
# command line, and GRUB Invaders by the multiboot protocol: invaders on the screen that move.
source tests/guests/tools-floppy.bash
actions=("${menu[@]}" capture menu key down key down settle capture moved key tab wait-for "> .linux ipxe" settle capture edit key esc
    wait-for "Press [Tab]" settle type 'h\n' wait-for "Hardware Detection Tool" wait-for "PCI Devices Menu" settle capture hdt
    key down key down wait-for "Main Processor Menu" capture hdt-moved key esc wait-last "boot:" type 'invaders\n'
    wait-for "-*-           -*-           -*-")
