"""The columns: on which machines the benchmark guest runs, and how each is started.

Each column is one command that starts the machine and ends as marks.c, the watch at the guest's serial line. All columns but
"native" are the same shell script, run inside the test host, or on this machine itself.
"""

import dataclasses
import os
import pathlib
import shlex
import subprocess

import kernels

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUESTS = ROOT / "build" / "guests"
FLOPPY, DISK = GUESTS / "bench-floppy.img", GUESTS / "bench-disk.img"
TOOLS = ROOT / "build" / "hosted" / "userland"
MEMORY = 128       # MiB of the guest, in all columns
HOST_MEMORY = 1536  # MiB of the test host, in all columns: the peers' libraries and the disk image are in there
HOST_SECONDS = 3 * 3600
SERIAL = "unix:serial"
# Debian's /usr/bin/qemu-system-i386 is a script; the program behind it looks for its accelerator beside where it lies itself.
QEMU = "/usr/libexec/qemu-system-i386"
QEMU_FILES = (QEMU, "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-i386.so", "/usr/share/qemu/kvmvapic.bin")
VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin"
FIRMWARE = ("/usr/share/seabios", "/usr/share/vgabios", "/usr/share/bochs")
BOCHS, BOCHS_PLUGINS = "/usr/bin/bochs-bin", "/usr/lib/x86_64-linux-gnu/bochs"


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    kind: str  # native, btvm, qemu, bochs
    what: str
    options: tuple = ()  # of btvm-run
    passes: int = 1      # times it is booted in a full run: what the others are compared with, more than once
    patience: int = 1    # times a plan's limit for one measurement


COLUMNS = (
    Column("native", "native", "the machine that the test host is, the guest directly on it", passes=2),
    Column("btvm", "btvm", "as btvm-run is by default: execute-only copies, monitor, all optimisations", passes=2),
    Column("monitor-off", "btvm", "traps are handled in the host world", ("--monitor=off",)),
    Column("tracking-off", "btvm", "at a TLB flush all shadow tables are dropped", ("--table-tracking=off",)),
    Column("compare-off", "btvm", "changed page directories are not compared", ("--table-compare=off",)),
    Column("registers-4", "btvm", "debug registers and the planner, N = 4", ("--provider=debug-registers", "--breakpoints=4")),
    Column("registers-3", "btvm", "N = 3", ("--provider=debug-registers", "--breakpoints=3")),
    Column("registers-2", "btvm", "N = 2", ("--provider=debug-registers", "--breakpoints=2")),
    Column("registers-1", "btvm", "N = 1", ("--provider=debug-registers", "--breakpoints=1")),
    Column("plan-cache-off", "btvm", "N = 4, each plan made afresh", ("--provider=debug-registers", "--plan-cache=off")),
    Column("qemu", "qemu", "qemu-system-i386 -accel tcg, nested", patience=4),
    Column("bochs", "bochs", "bochs, nested"),
)
BY_NAME = {column.name: column for column in COLUMNS}


def absent(column, here):
    """Why a column cannot be measured here at all; empty if it can be."""
    if column.kind == "native" and here:
        return "the guest would have to be booted on this machine itself in place of its system"
    if column.kind == "btvm" and here and not os.path.exists("/dev/btvm"):
        return "/dev/btvm is not there: insert btvm.ko, which must be built for this kernel"
    if column.kind == "btvm" and here and not os.access("/dev/btvm", os.R_OK | os.W_OK):
        return "/dev/btvm may not be opened by this user"
    if column.kind == "qemu" and not os.path.exists(QEMU):
        return "qemu-system-i386 is not installed (package qemu-system-x86)"
    if column.kind == "bochs" and not (os.path.exists(BOCHS) and os.path.isdir(BOCHS_PLUGINS)):
        return "bochs is not installed (packages bochs and bochs-term; tests/host/install-packages bench installs them)"
    return ""


# How the inside begins and ends. The machine must not outlive the watch, nor the other way round.
SCRIPT = """
set -u
%(prepare)s
%(machine)s >machine.log 2>&1 </dev/null &
machine=$!
%(marks)s %(serial)s %(control)s
kill $machine 2>/dev/null
wait $machine
status=$?
[ $status = 143 ] || echo "the machine ended with status $status"  >&2
cat machine.log >&2
%(finish)s
"""

BOCHSRC = """
config_interface: textconfig
display_library: rfb, options="timeout=0"
plugin_ctrl: biosdev=0, speaker=0, unmapped=1, gameport=0, parallel=0
cpu: model=p3_katmai, ips=50000000, reset_on_triple_fault=0
clock: sync=realtime, time0=utc
memory: guest=%(memory)d, host=%(memory)d
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
vga: extension=vbe, update_freq=1
floppya: 2_88=%(floppy)s, status=inserted
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=%(disk)s, mode=volatile, cylinders=0
boot: floppy
com1: enabled=1, mode=socket-server, dev=127.0.0.1:5555
port_e9_hack: enabled=0
panic: action=fatal
error: action=ignore
info: action=ignore
log: bochs.log
"""


def machine_words(column, floppy, disk, program):
    """The command of the machine alone; `program` gives the path of one of our tools where it runs."""
    if column.kind == "btvm":
        return [program("btvm-run"), "--headless", "--snapshot", "--control", "control", "--serial", SERIAL,
                "-m", str(MEMORY), *column.options, "--hda", str(disk), str(floppy)]
    if column.kind == "bochs":
        return [BOCHS, "-q", "-f", "bochsrc", "-rc", "continue"]  # Debian's has a debugger, which wants to be told
    cpu = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max"] if column.kind == "native" else [
        QEMU, "-accel", "tcg", "-cpu", "pentium3"]
    return [*cpu, "-nodefaults", "-no-user-config", "-display", "none", "-M", "pc", "-m", str(MEMORY), "-vga", "std",
            "-boot", "a", "-L", "/usr/share/seabios", "-L", "/usr/share/qemu", "-serial", f"{SERIAL},server=on,wait=off",
            "-drive", f"if=floppy,format=raw,snapshot=on,file={floppy}",
            "-drive", f"if=ide,format=raw,snapshot=on,file.locking=off,file.filename={disk}"]


def script(column, floppy, disk, folder, program, prepare="", finish=""):
    prepare = f"cd {shlex.quote(str(folder))}\nexport TMPDIR=$PWD\n{prepare}"
    serial = SERIAL
    if column.kind == "bochs":
        prepare += f"\ncat >bochsrc <<'END'{BOCHSRC % dict(memory=MEMORY, floppy=floppy, disk=disk)}END\necho c >continue"
        serial = "tcp:5555"
    return SCRIPT % dict(prepare=prepare, finish=finish, machine=shlex.join(machine_words(column, floppy, disk, program)),
                         marks=shlex.quote(str(program("marks"))), serial=serial,
                         control="control" if column.kind == "btvm" else "")


def compile_marks(folder):
    program = folder / "marks"
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-static", ROOT / "bench" / "suite" / "marks.c", "-o", program],
                   check=True)
    return program


def command(column, marks, folder, here):
    """What starts a column's machine and talks as marks.c does. `folder` is an empty one for what it leaves on this machine."""
    programs = {"marks": marks, "btvm-run": TOOLS / "btvm-run", "btvm-ctl": TOOLS / "btvm-ctl"}
    # Once through the disk, so that all of it lies in the memory of the machine that it is read on, in all columns alike.
    read_disk = "cat %s >/dev/null"
    if here or column.kind == "native":
        return ["sh", "-c", script(column, FLOPPY, DISK, folder, lambda name: programs[name], read_disk % shlex.quote(str(DISK)))]
    module = ROOT / "build" / "module" / kernels.version("standard") / "btvm.ko"
    shares = [f"{FLOPPY}:/b/floppy.img", f"{marks}:/b/marks"]
    prepare, finish = read_disk % "/dev/vda", ""
    if column.kind == "btvm":
        shares += [f"{programs['btvm-run']}:/b/btvm-run", f"{module}:/b/btvm.ko",
                   *(folder for folder in FIRMWARE if os.path.isdir(folder))]
        prepare += "\ninsmod /b/btvm.ko || exit 1"
        finish = "rmmod btvm"
    elif column.kind == "qemu":
        shares += [*QEMU_FILES, "/usr/share/seabios", f"{VGA_BIOS}:/usr/share/qemu/vgabios-stdvga.bin"]
    else:
        shares += [BOCHS, BOCHS_PLUGINS, "/usr/share/bochs", "/usr/share/seabios"]
        prepare += "\nip link set lo up"
    words = [ROOT / "tests" / "host" / "btvm-host", "--mem", str(HOST_MEMORY), "--timeout", str(HOST_SECONDS), "--hang", "0",
             "--cwd", "/run", "--stdin", "--drive", DISK]
    for share in shares:
        words += ["--share", share]
    inside = script(column, "/b/floppy.img", "/dev/vda", "/run", lambda name: f"/b/{name}", prepare, finish)
    return [*words, "--", "sh", "-c", inside]
