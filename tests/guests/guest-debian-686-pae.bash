# The same Debian disk with the 686-pae kernel (PAE page tables and, where the processor has it, NX): compiler, swap, disk.
source tests/guests/debian-disk.bash
debian p compile swap disk
