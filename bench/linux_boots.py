"""Boots of Linux, one after the other in one test host: under btvm, with what is to be compared switched on and off, and under
QEMU's own emulator, nested in the same host. A boot is done when the shell on the serial port has begun."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
GUESTS = ROOT / "build" / "guests"
HOST_MEMORY = 992  # beside the guest's, in MiB; QEMU's libraries lie in the test host's memory


@dataclasses.dataclass(frozen=True)
class Guest:
    """What boots. memory: MiB. host: how the test host gets the image; btvm, qemu: how the machines get it from there. menu, key: where the
    boot menu's title is on the screen, this key is pressed until the serial port says something. Not before: a key that SeaBIOS gets while
    it looks for the keyboard ends that search, and the menu boots its first entry."""
    prompt: str
    memory: int
    host: tuple
    btvm: str
    qemu: str
    menu: str = ""
    key: str = ""


FLOPPY = Guest("built-in shell (ash)", 32, ("--share", f"{GUESTS / 'linux-floppy.img'}:/floppy.img"), "/floppy.img",
               "-boot a -drive if=floppy,format=raw,snapshot=on,file=/floppy.img")
DEBIAN = Guest("no job control in this shell", 256, ("--drive", str(GUESTS / "debian-disk.img")), "--disk /dev/vda",
               "-boot c -drive if=ide,format=raw,snapshot=on,file=/dev/vda", "GNU GRUB", "t")

# Behind Debian's /usr/bin/qemu-system-i386, a script; it looks for its accelerator beside where it lies itself.
QEMU = pathlib.Path("/usr/libexec/qemu-system-i386")
FIRMWARE = ("/usr/share/seabios", "/usr/share/vgabios", "/usr/share/bochs")
QEMU_FILES = (QEMU, "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-i386.so", "/usr/share/qemu/kvmvapic.bin")
VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin"

# Where the prompt does not come there are no files of a time and of counters.
INSIDE = """
mkdir -p /var/tmp
mkfifo /run/monitor
seconds() { cut -d' ' -f1 /proc/uptime; }
await() { # PROCESS COMMAND...: until the prompt comes, at most $LIMIT seconds; meanwhile the command presses the menu's key
    process=$1 last=$(($(date +%s) + LIMIT)); shift
    while kill -0 $process 2>/dev/null && [ $(date +%s) -lt $last ]; do
        grep -qF "$PROMPT" /run/serial 2>/dev/null && return 0
        [ -z "$KEY" ] || [ -s /run/serial ] || "$@"
        sleep 0.2
    done
    tail -n 30 /run/serial >&2
    return 1
}
press_in_btvm() {
    btvm-ctl -S /run/btvm.sock screen 2>/dev/null | grep -qF "$MENU" && btvm-ctl -S /run/btvm.sock key $KEY >/dev/null 2>&1
    sleep 0.8
}
press_in_qemu() {
    rm -f /run/screen
    echo 'pmemsave 0xb8000 4000 "/run/screen"' >&3 # text mode: each character has its attribute behind it
    sleep 0.8
    grep -q "$(echo "$MENU" | sed 's/./&./g')" /run/screen 2>/dev/null && echo "sendkey $KEY" >&3
}
boot_btvm() { # NAME OPTION...
    name=$1; shift; rm -f /run/serial
    echo "== $name" >&2
    begin=$(seconds)
    btvm-run --headless --snapshot --control /run/btvm.sock --serial file:/run/serial -m $MEMORY "$@" $BTVM_IMAGE 2>/out/$name.log &
    process=$!
    if await $process press_in_btvm; then
        echo "$begin $(seconds)" >/out/$name.time
        btvm-ctl -S /run/btvm.sock stats --json >/out/$name.json
    fi
    btvm-ctl -S /run/btvm.sock quit
    wait $process
}
boot_qemu() { # PROGRAM
    rm -f /run/serial
    echo "== qemu" >&2
    exec 3<>/run/monitor
    begin=$(seconds)
    "$1" -nodefaults -no-user-config -display none -M pc -accel tcg -cpu pentium3 -m $MEMORY -vga std \\
        -L /usr/share/seabios $QEMU_IMAGE -serial file:/run/serial -monitor stdio <&3 >/out/qemu.log 2>&1 &
    process=$!
    await $process press_in_qemu && echo "$begin $(seconds)" >/out/qemu.time
    kill $process
}
insmod /btvm.ko || exit 1
"""


class Boot:
    """One boot: seconds, and btvm's counters (None for QEMU)."""

    def __init__(self, folder, name):
        times = folder / f"{name}.time"
        if not times.exists():
            log = folder / f"{name}.log"
            raise RuntimeError(f"{name} did not boot\n{log.read_text(errors='replace') if log.exists() else ''}")
        begin, end = map(float, times.read_text().split())
        self.seconds = end - begin
        counters = folder / f"{name}.json"
        self.counters = json.loads(counters.read_text()) if counters.exists() else None


def boots(guest, module, settings, with_qemu, seconds):
    """{name: Boot} of a guest for each name and options of `settings`, and "qemu", which is None if it was not done in time: a boot
    may take `seconds`."""
    tools = ROOT / "build" / "hosted" / "userland"
    with tempfile.TemporaryDirectory() as out:
        boots_at_most = len(settings) + with_qemu
        command = [ROOT / "tests" / "host" / "btvm-host", "--mem", str(HOST_MEMORY + guest.memory), "--timeout",
                   str((seconds + 60) * boots_at_most), "--hang", "0", "--cwd", "/", "--out", out, "--share", f"{module}:/btvm.ko", *guest.host]
        for name, value in (("LIMIT", seconds), ("PROMPT", guest.prompt), ("MEMORY", guest.memory), ("MENU", guest.menu), ("KEY", guest.key),
                            ("BTVM_IMAGE", guest.btvm), ("QEMU_IMAGE", guest.qemu)):
            command += ["--env", f"{name}={value}"]
        for tool in ("btvm-run", "btvm-ctl"):
            command += ["--share", f"{tools / tool}:/bin/{tool}"]
        for path in FIRMWARE + (QEMU_FILES if with_qemu else ()):
            if pathlib.Path(path).exists():
                command += ["--share", path]
        script = INSIDE
        for name, options in settings.items():
            script += " ".join(["boot_btvm", name, *options]) + "\n"
        if with_qemu:
            command += ["--share", f"{VGA_BIOS}:/usr/share/qemu/vgabios-stdvga.bin"]
            script += f"boot_qemu {QEMU}\n"
        script += "rmmod btvm\n"
        done = subprocess.run([*command, "--", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              errors="replace", check=False)
        out = pathlib.Path(out)
        try:
            done_in_time = {name: Boot(out, name) for name in settings}
            if with_qemu:
                done_in_time["qemu"] = Boot(out, "qemu") if (out / "qemu.time").exists() else None
            return done_in_time
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{done.stdout[-3000:]}") from error
