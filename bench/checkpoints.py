"""Checkpoints and rewinds: time and bytes against the pages that the guest has written, at several sizes of memory, and
beside them savevm and loadvm of qemu-system-i386 nested in the same test host, with the same guest.

And rewinds one after the other, as requests of a program: how many a second.

And live saves: how long the guest stands still for one, beside the time that copying all of its memory takes and beside a
save for all of which it stands still.

The guest (guest-images/bootsectors/dirty_pages.S) writes as many pages as a key says. The times are btvm-run's own: how long
the guest stood still. QEMU's are of five in a row, by the test host's clock."""

import json
import pathlib
import re
import statistics
import subprocess
import tempfile

import linux_boots

ROOT = pathlib.Path(__file__).resolve().parents[1]
IMAGE = ROOT / "build" / "guests" / "dirty_pages.img"
CONTENT = "q"  # the key before the first checkpoint: 4096 pages, so that memory is not all zeros
LETTER = 0xb8000 + 2 * 19  # where it is on the guest's screen: A when it is ready, and the next one after each key
# Key: pages. The last one of each size writes all of memory above 2 MiB.
PAGES = {"1": 1, "7": 64, "0": 512, "q": 4096, "e": 16384, "t": 65536, "y": 131072}
FEW = "7"  # the key of what is written before each of the rewinds one after the other
REWINDS = 100
QEMU_REPEATS = 5
# Saves: of a paused guest, which stands still for all of it as for every save before they were live; of one that waits for a
# key; of one that writes 4096 pages meanwhile; of one with a checkpoint.
SAVES = ("paused", "live", "busy", "after")

# Rewinding to `base` makes the letter B again; the key makes it C. What the pages hold is another word each time.
INSIDE = """
seconds() { cut -d' ' -f1 /proc/uptime; }
ctl() { btvm-ctl -S /run/btvm.sock "$@"; }
measure() { # MIB REPEATS KEY...
    mib=$1 repeats=$2; shift 2
    echo "== $mib MiB" >&2
    btvm-run --headless --snapshot --control /run/btvm.sock -m $mib /dirty_pages.img 2>/out/$mib.log &
    process=$!
    ctl wait-for -t 200 'ready A' && ctl key %(content)s && ctl wait-for -t 200 'ready B' || return
    ctl checkpoint base --json >/out/$mib.first.0.checkpoint
    for key in "$@"; do
        for n in $(seq $repeats); do
            ctl rewind base >/dev/null
            ctl key $key
            ctl wait-for -t 600 'ready C' || return
            ctl checkpoint there --json >/out/$mib.$key.$n.checkpoint
            ctl rewind base --json >/out/$mib.$key.$n.rewind
            ctl delete there
        done
    done
    ctl rewind base >/dev/null
    rewinds /run/btvm.sock base %(few)s 'ready C' %(rewinds)d >/out/$mib.rewinds
    ctl quit
    wait $process
}
measure_saves() { # MIB REPEATS
    mib=$1 repeats=$2
    echo "== saves, $mib MiB" >&2
    btvm-run --headless --snapshot --control /run/btvm.sock -m $mib /dirty_pages.img 2>/out/$mib.saves.log &
    process=$!
    ctl wait-for -t 200 'ready A' && ctl key %(content)s && ctl wait-for -t 200 'ready B' || return
    before=B
    for letter in $(echo C D E F G H | cut -d' ' -f1-$repeats); do
        ctl pause
        ctl save --json /run/state >/out/$mib.$letter.paused.save
        ctl resume
        ctl save --json /run/state >/out/$mib.$letter.live.save
        (sleep 0.02; ctl key %(content)s) &
        ctl save --json /run/state >/out/$mib.$letter.busy.save
        ctl wait-for -t 200 "ready $letter after $before" || return
        before=$letter
    done
    ctl checkpoint base >/dev/null
    for n in $(seq $repeats); do
        ctl save --json /run/state >/out/$mib.$n.after.save
    done
    rm -f /run/state
    ctl quit
    wait $process
}
prompts() { grep -o '(qemu)' /run/monitor 2>/dev/null | wc -l; }
# Until QEMU's monitor has answered a command so many times; it answers each with a prompt.
tell() { # TIMES COMMAND
    before=$(prompts)
    for n in $(seq $1); do echo "$2"; done >&3
    until [ $(prompts) -ge $((before + $1)) ]; do
        kill -0 $process || return
        sleep 0.05
    done
}
# Until the letter on the guest's screen is this one.
shows() { # CODE, IN HEX
    for n in $(seq 300); do
        tell 1 'xp /1bx 0x%(letter)x' || return
        grep -q '%(letter)x: 0x'$1 /run/monitor && return
        sleep 0.2
    done
    return 1
}
timed() { # NAME COMMAND
    begin=$(seconds)
    tell %(repeats)d "$2" && end=$(seconds) || return
    grep -q '^Error' /run/monitor || echo "$begin $end" >/out/$1
}
measure_qemu() { # MIB
    mib=$1
    echo "== qemu, $mib MiB" >&2
    rm -f /run/in /run/monitor && mkfifo /run/in
    %(qemu)s -nodefaults -no-user-config -display none -M pc -accel tcg -cpu pentium3 -m $mib -vga std -boot a \\
        -L /usr/share/seabios -drive if=floppy,format=raw,snapshot=on,file=/dirty_pages.img \\
        -drive if=ide,format=qcow2,file=/state.qcow2 -monitor stdio </run/in >/run/monitor 2>/out/qemu.$mib.log &
    process=$!
    exec 3>/run/in
    until [ $(prompts) -ge 1 ]; do kill -0 $process || return; sleep 0.1; done
    shows 41 && tell 1 'sendkey %(content)s' && shows 42 &&
        timed qemu.$mib.savevm 'savevm a' && timed qemu.$mib.loadvm 'loadvm a'
    echo quit >&3
    exec 3>&-
    wait $process
    grep '^Error' /run/monitor >>/out/qemu.$mib.log
}
mkdir -p /var/tmp
insmod /btvm.ko || exit 1
""" % {"content": CONTENT, "few": FEW, "rewinds": REWINDS, "letter": LETTER, "qemu": linux_boots.QEMU, "repeats": QEMU_REPEATS}


def keys_for(mib):
    """Up to the first key that writes all there is."""
    above = (mib - 2) * 256
    keys = [key for key, pages in PAGES.items() if pages < above]
    return [*keys, next(key for key, pages in PAGES.items() if pages >= above)]


def measure(module, sizes, repeats, seconds):
    """What btvm_rows(), rewinds(), save_rows() and qemu_times() give."""
    tools = ROOT / "build" / "hosted" / "userland"
    with tempfile.TemporaryDirectory() as out:
        state = pathlib.Path(out) / "state.qcow2"
        command = [ROOT / "tests" / "host" / "btvm-host", "--mem", str(1024 + 3 * max(sizes)), "--smp", "2", "--timeout", str(seconds),
                   "--hang", "600", "--cwd", "/", "--out", out, "--share", f"{module}:/btvm.ko", "--share", f"{IMAGE}:/dirty_pages.img"]
        for tool in ("btvm-run", "btvm-ctl"):
            command += ["--share", f"{tools / tool}:/bin/{tool}"]
        program = pathlib.Path(out) / "program"
        subprocess.run(["gcc", "-O1", "-Wall", "-static", ROOT / "bench" / "rewinds.c", "-o", program], check=True)
        command += ["--share", f"{program}:/bin/rewinds"]
        script = INSIDE + "".join(f"measure {mib} {repeats} {' '.join(keys_for(mib))}\n" for mib in sizes)
        script += "".join(f"measure_saves {mib} {repeats}\n" for mib in sizes)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", state, "1M"], check=True)
        command += ["--share", f"{state}:/state.qcow2", "--share", f"{linux_boots.VGA_BIOS}:/usr/share/qemu/vgabios-stdvga.bin"]
        script += "".join(f"measure_qemu {mib}\n" for mib in sizes)
        for path in linux_boots.FIRMWARE + linux_boots.QEMU_FILES:
            if pathlib.Path(path).exists():
                command += ["--share", path]
        done = subprocess.run([*command, "--", "sh", "-c", script + "rmmod btvm\n"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the test host ended with status {done.returncode}\n{done.stdout[-3000:]}")
        folder = pathlib.Path(out)
        return btvm_rows(folder), rewinds(folder, sizes), save_rows(folder), qemu_times(folder, sizes)


def btvm_rows(folder):
    """[{mib, kind, first (of all checkpoints, which reads all of memory), pages, bytes, seconds (medians), least, most, samples}]"""
    samples = {}
    for path in folder.iterdir():
        match = re.fullmatch(r"(\d+)\.(\w+)\.\d+\.(checkpoint|rewind)", path.name)
        if match and path.stat().st_size:
            mib, key, kind = match.groups()
            samples.setdefault((int(mib), PAGES.get(key, 0), kind), []).append(json.loads(path.read_text()))
    rows = []
    for (mib, asked_for, kind), all_of_them in sorted(samples.items()):
        times = [sample["pause_seconds"] for sample in all_of_them]
        rows.append({"mib": mib, "kind": kind, "first": asked_for == 0, "pages": statistics.median(s["pages"] for s in all_of_them),
                     "bytes": statistics.median(s.get("bytes", 0) for s in all_of_them), "seconds": statistics.median(times),
                     "least": min(times), "most": max(times), "samples": len(times)})
    return rows


def rewinds(folder, sizes):
    """[{mib, rewinds, rewind_seconds (of them all), seconds (with the guest's writing between)}]"""
    return [{"mib": mib, **json.loads(path.read_text())} for mib in sizes
            if (path := folder / f"{mib}.rewinds").exists() and path.stat().st_size]


def save_rows(folder):
    """[{mib, kind, pause, seconds (medians), least, most (of the pauses), samples}]"""
    samples = {}
    for path in folder.iterdir():
        match = re.fullmatch(r"(\d+)\.\w+\.(\w+)\.save", path.name)
        if match and path.stat().st_size:
            samples.setdefault((int(match[1]), SAVES.index(match[2])), []).append(json.loads(path.read_text()))
    rows = []
    for (mib, kind), all_of_them in sorted(samples.items()):
        # A paused guest stands still for all of it, whatever the part is that needs it to.
        pauses = [sample["seconds" if SAVES[kind] == "paused" else "pause_seconds"] for sample in all_of_them]
        rows.append({"mib": mib, "kind": SAVES[kind], "pause": statistics.median(pauses), "least": min(pauses), "most": max(pauses),
                     "seconds": statistics.median(s["seconds"] for s in all_of_them), "samples": len(pauses)})
    return rows


def qemu_times(folder, sizes):
    """{mib: {"savevm": seconds, "loadvm": seconds}}, of one; says which could not be measured."""
    times = {}
    for mib in sizes:
        for name in ("savevm", "loadvm"):
            path = folder / f"qemu.{mib}.{name}"
            log = folder / f"qemu.{mib}.log"
            if not path.exists():
                print(f"QEMU with {mib} MiB: no {name}: {log.read_text(errors='replace') if log.exists() else ''}")
            else:
                begin, end = map(float, path.read_text().split())
                times.setdefault(mib, {})[name] = (end - begin) / QEMU_REPEATS
    return times


def report(results, module, quick, say, tabulate):
    """Measures, prints, and puts the numbers into `results`."""
    say("== checkpoints and rewinds, and QEMU's savevm and loadvm")
    sizes = (16, 64) if quick else (16, 64, 256, 512)
    rows, in_a_row, saves, qemu = measure(module, sizes, 3 if quick else 5, 900 if quick else 3600)
    results["checkpoints"] = {"rows": rows, "rewinds": in_a_row, "saves": saves, "qemu": qemu}

    def ms(seconds):
        return f"{1000 * seconds:.2f}"

    print("\nCheckpoints and rewinds: milliseconds that the guest stood still, median (least to most):")
    tabulate([("MiB", "", "pages", "ms", "", "KiB kept", "us a page")] +
             [(row["mib"], "first checkpoint" if row["first"] else row["kind"], f"{row['pages']:.0f}", ms(row["seconds"]),
               f"({ms(row['least'])} to {ms(row['most'])})" if row["samples"] > 1 else "",
               f"{row['bytes'] / 1024:.0f}" if row["bytes"] else "", f"{1e6 * row['seconds'] / max(1, row['pages']):.1f}")
              for row in rows])
    print(f"\nRewinds one after the other, {PAGES[FEW]} pages written before each ({REWINDS} of them):")
    tabulate([("MiB", "rewinds a second", "with the guest's key, writing and screen between")] +
             [(row["mib"], f"{row['rewinds'] / row['rewind_seconds']:.0f}", f"{row['rewinds'] / row['seconds']:.0f}") for row in in_a_row])
    print("\nSaves to a file: milliseconds that the guest stood still, median (least to most); copying all of memory at once is the "
          "first checkpoint:")
    names = {"paused": "standing still for all of it", "live": "live", "busy": "live, 4096 pages written meanwhile",
             "after": "live, after a checkpoint"}
    copies = {row["mib"]: row["seconds"] for row in rows if row["first"]}
    tabulate([("MiB", "", "ms", "", "% of a copy", "s in all")] +
             [(row["mib"], names[row["kind"]], ms(row["pause"]), f"({ms(row['least'])} to {ms(row['most'])})",
               f"{100 * row['pause'] / copies[row['mib']]:.1f}" if row["mib"] in copies else "", f"{row['seconds']:.2f}") for row in saves])
    print(f"\nBeside QEMU's, nested, with the same guest ({PAGES[CONTENT] // 256} MiB of its memory, or all, are not zeros):")
    table = [("MiB", "savevm ms", "checkpoint of 64 pages", "times faster", "loadvm ms", "rewind of 64 pages", "times faster")]
    for mib, times in qemu.items():
        own = {row["kind"]: row["seconds"] for row in rows if row["mib"] == mib and 64 <= row["pages"] < 100}
        if len(own) == 2 and len(times) == 2:
            table.append((mib, ms(times["savevm"]), ms(own["checkpoint"]), f"{times['savevm'] / own['checkpoint']:.0f}",
                          ms(times["loadvm"]), ms(own["rewind"]), f"{times['loadvm'] / own['rewind']:.0f}"))
    tabulate(table)
