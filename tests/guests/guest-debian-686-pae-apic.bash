# The stock 686-pae kernel on a machine with a local APIC and an I/O APIC: where its interrupts come from then.
source tests/guests/debian-disk.bash
btvm=(--run=--apic)
to_shell q
# But for the mouse (line 12), which QEMU's machine has.
shell interrupts "sed -n '/12-edge/d; s/.*IO-APIC/IO-APIC/p' /proc/interrupts; cat /sys/devices/system/clocksource/*/current_clocksource"
shell timer 'a=$(grep LOC /proc/interrupts); sleep 1; b=$(grep LOC /proc/interrupts); [[ $a != "$b" ]] && echo it ticks'
programs compile disk
power_off
