# iPXE, on a machine without a network card, to its command line.
source tests/guests/tools-floppy.bash
limit=90
actions=("${menu[@]}" type 'p\n' wait-for "Press Ctrl-B" key ctrl-b wait-last "iPXE>" settle
    type 'echo one ${version}\n' wait-for "one 1.0.0" settle type 'set n:int32 41 && inc n && show n\n' wait-for "n:int32 = 42"
    wait-last "iPXE>" settle capture ipxe)
