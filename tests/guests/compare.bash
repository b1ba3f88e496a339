# Sourced by the tests that compare screens under btvm in the test host with those of plain QEMU after the same keys.
# One line of results a screen.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grub=build/guests/grub-floppy.img
pm_loop=build/guests/pm_loop.img
count=0 failed=0

# What is done, in the language of qemu-screen and btvm-screen. Each screen is captured when the guest waits for keys, so
# that it does not depend on speed.
loop=(wait-for "pm_loop: done" capture pm_loop)
start=(wait-last "grub>" capture prompt)
short=("${start[@]}" type 'ls\n' wait-line "(fd0)" wait-last "grub>" capture ls)
long=("${short[@]}"
    type 'ls (fd0)/\n' wait-line "boot/ hello.txt long.txt" wait-last "grub>" capture ls-fd0
    type 'cat /hello.txt\n' wait-line "Hello from a file on the floppy." wait-last "grub>" capture cat
    type 'clear\n' wait-only "grub>" type 'help\n' wait-last "--MORE--" capture help
    type ' ' wait-for "search" wait-last "--MORE--" capture help-second-page
    type 'q' wait-last "grub>" type 'clear\n' wait-only "grub>"
    type 'md5sum /hello.txt\n' wait-for "  /hello.txt" wait-last "grub>" capture md5sum
    type 'clear\n' wait-only "grub>" type 'reboot\n' wait-for "GRUB  version" wait-last "grub>" capture reboot)

check() { # name, status of what is checked, file with details
    count=$((count + 1))
    if [[ $2 == 0 ]]; then
        echo "ok $count - $1"
    else
        sed 's/^/# /' "$3"
        echo "not ok $count - $1"
        failed=1
    fi
}

# build KERNEL...: userland, images and the module for these kernels; tests side by side wait for each other.
build() {
    local kernel
    mkdir -p build
    for kernel in "$@"; do
        flock build/.make-lock make -s userland guests module-test-host KERNEL="$kernel" || return
    done >"$work/log" 2>&1
}

# reference IMAGE ACTION...: the screens of plain QEMU.
reference() {
    tests/guests/qemu-screen --timeout 300 --captures "$work/qemu" "$@" >"$work/log" 2>&1
    check "the screens of plain QEMU" $? "$work/log"
}

# compare NAME IMAGE OPTION-OF-BTVM-SCREEN... -- ACTION...
compare() {
    local name=$1 image=$2 options=() screen
    shift 2
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    rm -rf "$work/btvm"
    tests/guests/btvm-screen --timeout 600 --captures "$work/btvm" "${options[@]}" "$image" "$@" >"$work/log" 2>&1
    check "$name: comes to all its screens" $? "$work/log"
    for screen in "$work/btvm"/*; do
        [[ -e $screen ]] || continue
        diff -u "$work/qemu/${screen##*/}" "$screen" >"$work/difference" 2>&1
        check "$name: ${screen##*/} is as under QEMU" $? "$work/difference"
    done
}

# ways IMAGE NAME OPTIONS-OF-BTVM-RUN [NAME OPTIONS]... -- ACTION...: as compare, one machine after the other in one test
# host, each with its own options.
ways() {
    local image=$1 names=() options=() all=() captures=() way word last= screen
    shift
    while [[ $1 != -- ]]; do
        names+=("$1") options+=("$2")
        shift 2
    done
    shift
    for word; do
        [[ $last != capture ]] || captures+=("$word")
        last=$word
    done
    for way in "${!names[@]}"; do
        [[ $way == 0 ]] || all+=(again "${options[way]}")
        for word; do
            [[ $last != capture ]] || word+=" (${names[way]})"
            all+=("$word") last=$word
        done
    done
    rm -rf "$work/btvm"
    tests/guests/btvm-screen --timeout 600 --captures "$work/btvm" ${options[0]:+"--run=${options[0]}"} "$image" "${all[@]}" \
        >"$work/log" 2>&1
    check "all come to their screens" $? "$work/log"
    for way in "${names[@]}"; do
        for screen in "${captures[@]}"; do
            diff -u "$work/qemu/$screen" "$work/btvm/$screen ($way)" >"$work/difference" 2>&1
            check "$way: $screen is as under QEMU" $? "$work/difference"
        done
    done
}

# A counter of the statistics that the last run printed (action: ctl stats).
counter() { sed -n "s/^$1  *\([0-9]*\)$/\1/p" "$work/log"; }

finish() {
    echo "1..$count"
    exit $failed
}
