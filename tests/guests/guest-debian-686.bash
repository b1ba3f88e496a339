# Debian 12 for i386 on its disk with the 686 kernel: login, compiler, Python, signals, swap, disk, power-off.
source tests/guests/debian-disk.bash
debian 6
