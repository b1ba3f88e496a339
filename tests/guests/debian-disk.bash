# Sourced by guest-debian-*.bash: the Debian disk, and programs run there.
image=build/guests/debian-disk.img
memory=256 limit=240
marks=0
actions=()
# shell NAME COMMAND: types it and captures the screen after it. The mark at the end cannot be mistaken for what is typed.
shell() {
    marks=$((marks + 1))
    actions+=(type "clear; $2; echo mark=\$((0+$marks))\n" wait-line "mark=$marks" wait-last "root@debian:~#" capture "$1")
}
# start HOTKEY: the menu entry with that key.
start() { actions+=(wait-for "GNU GRUB" wait-for "kernel 686" key "$1"); }
# whole HOTKEY PROGRAM...: the whole system, from a login to systemd's power-off.
whole() {
    start "$1"
    actions+=(wait-last "debian login:" type 'root\n' wait-last "Password:" type 'btvm\n' wait-last "root@debian:~#")
    programs "${@:2}"
    actions+=(type 'systemctl poweroff\n' wait-end)
}
# only_shell HOTKEY PROGRAM...: the kernel, its initial RAM disk, and a shell in init's place, which is half of the way.
only_shell() {
    to_shell "$1"
    programs "${@:2}"
    power_off
}
# Of a busy machine the kernel says that its TSC is unstable: not on the screen, please.
to_shell() {
    start "$1"
    actions+=(wait-last "root@(none):/#" type "dmesg -n 1; mount -o remount,rw /; swapon /dev/sda2; cd /root; PS1='root@debian:~# '\n"
        wait-last "root@debian:~#")
}
power_off() { actions+=(type 'sync; echo o >/proc/sysrq-trigger\n' wait-end); }
# programs NAME...: the kernels share them out between them: an emulated machine takes minutes for them.
programs() {
    shell uname "uname -r | cut -d- -f3-; uname -m; grep -cw pae /proc/cpuinfo"
    local program
    for program; do
        case $program in
        compile) shell compile 'gcc -o hello hello.c && ./hello' ;;
        python) shell python "python3 -c 'print(sum(i * i for i in range(1000)))'" ;;
        # Whether the shell tells of the job's end depends on whether it has noticed it before the wait; its status does not.
        signals) shell signals "sh -c 'sleep 100 & kill \$!; wait \$!; echo \$?' 2>/dev/null" ;;
        gzip) shell gzip 'seq 200000 | gzip -c | gunzip -c | md5sum' ;;
        swap) shell swap 'swapon --show=NAME,TYPE --noheadings; stress-ng -q --vm 1 --vm-bytes 32M -t 2 && echo ok' ;;
        disk) shell disk 'cp /usr/bin/python3.11 /root/copy; sync; cmp /usr/bin/python3.11 /root/copy && echo same' ;;
        *) echo "debian-disk.bash: no program $program" >&2 && exit 2 ;;
        esac
    done
}
