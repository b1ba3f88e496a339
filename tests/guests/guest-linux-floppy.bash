# Linux 6.1 from a 2.88 MB floppy: its shell, the second floppy and the hard disk read and written, power-off.
image=build/guests/linux-floppy.img
media=(--fdb=build/guests/data-floppy.img --hda=build/guests/data-disk.img)
limit=120
actions=(wait-for "btvm linux floppy" wait-last "floppy:/#")
# shell NAME COMMAND: types it and captures the screen after it. The mark at the end cannot be mistaken for what is typed.
marks=0
shell() {
    marks=$((marks + 1))
    actions+=(type "clear; $2; echo mark=\$((0+$marks))\n" wait-line "mark=$marks" wait-last "floppy:/#" capture "$1")
}
shell uname 'uname -sm; id -u'
shell floppy 'mount -t vfat /dev/fd1 /mnt && ls -l /mnt; cat /mnt/hello.txt'
shell floppy-read 'md5sum /mnt/numbers.txt /mnt/sub/deep.txt'
shell floppy-write 'cp /mnt/numbers.txt /mnt/copy; umount /mnt; mount /dev/fd1 /mnt; md5sum /mnt/copy; umount /mnt'
shell disk 'mount -t ext2 /dev/sda1 /mnt && ls -l /mnt; cat /mnt/hello.txt'
shell disk-read 'md5sum /mnt/numbers.txt /mnt/sub/deep.txt'
shell disk-write 'cp /mnt/numbers.txt /mnt/copy; umount /mnt; mount /dev/sda1 /mnt; md5sum /mnt/copy; umount /mnt'
shell programs 'seq 300 | gzip | gunzip | awk "{ sum += \$1 } END { print sum }"'
actions+=(type 'poweroff\n' wait-end)
