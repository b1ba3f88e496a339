# SYSLINUX's menu: moving in it, editing an entry, and power-off by its own program.
source tests/guests/tools-floppy.bash
actions=("${menu[@]}" capture menu key down key down settle capture moved key tab wait-for "> .linux ipxe" settle capture edit key esc
    wait-for "Press [Tab]" settle type 'o\n' wait-end)
