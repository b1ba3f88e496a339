# The whole Debian system with the 686-pae kernel.
source tests/guests/debian-disk.bash
whole p compile swap disk
