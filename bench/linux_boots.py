"""Boots of the Linux floppy, one after the other in one test host: under btvm, with what is to be compared switched on and
off, and under QEMU's own emulator, nested in the same host. A boot is done when the shell on the serial port has begun."""

import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
IMAGE = ROOT / "build" / "guests" / "linux-floppy.img"
PROMPT = "built-in shell (ash)"
MEMORY = 32
HOST_MEMORY = 1024  # QEMU's libraries lie in the test host's memory
# Behind Debian's /usr/bin/qemu-system-i386, a script; it looks for its accelerator beside where it lies itself.
QEMU = pathlib.Path("/usr/libexec/qemu-system-i386")
FIRMWARE = ("/usr/share/seabios", "/usr/share/vgabios", "/usr/share/bochs")
QEMU_FILES = (QEMU, "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-i386.so", "/usr/share/qemu/kvmvapic.bin")
VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin"

# Where a text does not come, the time is that of the program's end, and there is no file of counters.
INSIDE = """
prompt='%(prompt)s' memory=%(memory)d
mkdir -p /var/tmp
seconds() { cut -d' ' -f1 /proc/uptime; }
await() { # PROCESS SERIAL
    while kill -0 $1 2>/dev/null; do grep -qF "$prompt" $2 2>/dev/null && return 0; sleep 0.2; done
    return 1
}
boot_btvm() { # NAME OPTION...
    name=$1; shift; rm -f /run/serial
    echo "== $name" >&2
    begin=$(seconds)
    btvm-run --headless --snapshot --control /run/btvm.sock --serial file:/run/serial -m $memory "$@" /floppy.img 2>/out/$name.log &
    process=$!
    if await $process /run/serial; then
        echo "$begin $(seconds)" >/out/$name.time
        btvm-ctl -S /run/btvm.sock stats --json >/out/$name.json
        btvm-ctl -S /run/btvm.sock quit
    fi
    wait $process
}
boot_qemu() {
    rm -f /run/serial
    echo "== qemu" >&2
    begin=$(seconds)
    %(qemu)s -nodefaults -no-user-config -display none -M pc -accel tcg -cpu pentium3 -m $memory -vga std -boot a \\
        -L /usr/share/seabios -drive if=floppy,format=raw,snapshot=on,file=/floppy.img -serial file:/run/serial 2>/out/qemu.log &
    process=$!
    await $process /run/serial && echo "$begin $(seconds)" >/out/qemu.time
    kill $process
}
insmod /btvm.ko || exit 1
""" % {"prompt": PROMPT, "memory": MEMORY, "qemu": QEMU}


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


def boots(module, settings, with_qemu, seconds=900):
    """{name: Boot} for each name and options of `settings`, and "qemu"."""
    tools = ROOT / "build" / "hosted" / "userland"
    with tempfile.TemporaryDirectory() as out:
        command = [ROOT / "tests" / "host" / "btvm-host", "--mem", str(HOST_MEMORY), "--timeout", str(seconds), "--cwd", "/",
                   "--out", out, "--share", f"{module}:/btvm.ko", "--share", f"{IMAGE}:/floppy.img"]
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
            script += "boot_qemu\n"
        script += "rmmod btvm\n"
        done = subprocess.run([*command, "--", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              errors="replace", check=False)
        try:
            return {name: Boot(pathlib.Path(out), name) for name in [*settings, *(["qemu"] if with_qemu else [])]}
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{done.stdout[-3000:]}") from error
