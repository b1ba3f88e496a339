# SYSLINUX's hardware detection tool: its menu, and a page about the processor.
source tests/guests/tools-floppy.bash
actions=("${menu[@]}" type 'h\n' wait-for "Hardware Detection Tool" wait-for "PCI Devices Menu" settle capture hdt
    key down key down settle capture moved)
