# The same Debian disk with the 686-pae kernel (PAE page tables and, where the processor has it, NX): compiler, swap, disk. The
# whole system on this kernel is guest-debian-686-pae-whole.bash.
source tests/guests/debian-disk.bash
only_shell q compile swap disk
