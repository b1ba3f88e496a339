# Debian 12 for i386 on its disk with the 686 kernel: login, compiler, Python, signals, gzip, power-off.
source tests/guests/debian-disk.bash
whole 6 compile python signals gzip
