# Functions for the scripts that the programs of tests/robust run inside the test host (BusyBox's sh).

# The module is inserted; what the kernel logs counts from here.
load_module() {
    echo 4 >/proc/sys/vm/drop_caches # not to log it
    dmesg -c >/dev/null
    insmod /btvm.ko || { echo "@insmod failed"; exit 1; }
}

# report_memory LABEL: fields of /proc/meminfo in KiB, after caches were dropped and deferred work had time to be done: the best of
# five looks, since some MiB go to and fro. Compacting empties the CPUs' own lists of free pages, which count as used.
report_memory() {
    sync
    sleep 2
    for look in 1 2 3 4 5; do
        echo 3 >/proc/sys/vm/drop_caches
        [ ! -e /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
        cat /proc/meminfo
        sleep 0.5
    done | awk -v label="$1" '/^(MemAvailable|Slab|SUnreclaim|VmallocUsed|Mlocked|PageTables):/ {
            sub(":", "", $1)
            if (!($1 in best) || ($1 == "MemAvailable" ? $2 > best[$1] : $2 < best[$1])) best[$1] = $2
        }
        END { for (field in best) all = all " " field "=" best[field]; print "@memory " label all }'
}

# remove_module: "@rmmod STATUS", and the kernel's log since load_module, a line each, as "@log LINE", then "@log-end".
remove_module() {
    rmmod btvm
    echo "@rmmod $?"
    dmesg | sed 's/^/@log /'
    echo "@log-end"
}

# start_guest NAME OPTION...: btvm-run without a screen, its socket /run/NAME.sock, its messages /run/NAME.log, its process
# in $guest.
start_guest() {
    name=$1
    shift
    rm -f "/run/$name.sock"
    btvm-run --headless --control "/run/$name.sock" "$@" 2>"/run/$name.log" &
    guest=$!
}

# ctl NAME WORD...: btvm-ctl for that guest.
ctl() {
    of=$1
    shift
    btvm-ctl -S "/run/$of.sock" "$@"
}

# wait_for NAME SECONDS TEXT; on failure the screen is printed.
wait_for() {
    ctl "$1" wait-for --timeout "$2" "$3" >/dev/null && return
    echo "no '$3' within $2 s; the screen of $1 and its messages:"
    ctl "$1" screen
    cat "/run/$1.log"
    return 1
}

# boot_linux NAME SECONDS OPTION...: starts the Linux floppy and waits for its shell.
boot_linux() {
    booted=$1 limit=$2
    shift 2
    start_guest "$booted" "$@" /linux.img
    wait_for "$booted" "$limit" "boot:" && ctl "$booted" type -e '' && wait_for "$booted" "$limit" 'floppy:/#'
}

# wait_end PROCESS SECONDS: waits for its end, kills it after that time; the status is the process's own, 137 if killed.
wait_end() {
    waited=0
    while kill -0 "$1" 2>/dev/null && [ $waited -lt $(($2 * 5)) ]; do
        sleep 0.2
        waited=$((waited + 1))
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
