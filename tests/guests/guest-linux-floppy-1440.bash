# The 1.44 MB Linux floppy, in little memory: the same kernel by XZ, klibc's small programs, no second disk. It runs by
# the planner and debug registers; the other Linux guests run as is usual.
image=build/guests/linux-floppy-1440.img
memory=8 btvm=(--run=--provider=debug-registers)
actions=(wait-for "btvm linux floppy" wait-last "floppy#"
    type 'printf "\\033[H\\033[J"; uname -sm; echo mark=$((0+1))\n' wait-line "mark=1" wait-last "floppy#" capture shell
    type "poweroff\n" wait-end)
