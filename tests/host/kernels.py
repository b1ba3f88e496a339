#!/usr/bin/python3
"""The kernels that the test host boots: found or fetched, and unpacked, without being installed.

A flavour is one of Debian's two kernels, "standard" (linux-image-amd64) or "cloud" (linux-image-cloud-amd64), or "debug", which
is built from Debian's source with KASAN, lockdep and more when it is first asked for (see debug-kernel). For Debian's two the
installed header package decides the version, because the module is built against it; image and modules of just that
version are taken from the machine when they are there and from the package archive otherwise. Nothing is installed,
so no boot loader and no initramfs of the machine is touched.

As a command: kernels.py version|kdir|vmlinux|bzimage|modules [standard|cloud|debug]   prints one line.
"""

import contextlib
import fcntl
import lzma
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "host"
FLAVOURS = {"standard": "amd64", "cloud": "cloud-amd64", "debug": "btvm-debug"}


class KernelError(Exception):
    """A kernel, its headers or its package cannot be had; the text says what to do."""


@contextlib.contextmanager
def cache_lock():
    """Several instances may start at once on an empty cache: one fills it, the others wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text):
    print(f"test host: {text}", file=sys.stderr, flush=True)


def version_key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def debug_kernel():
    """The folder of the debug kernel, which is built if it is not there: do not hold the lock of the cache meanwhile."""
    done = subprocess.run([ROOT / "tests" / "host" / "debug-kernel" / "build"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        raise KernelError(f"the debug kernel cannot be built (the log is {CACHE / 'debug-kernel.log'})")
    return pathlib.Path(done.stdout.strip())


def prepare(flavour):
    """What takes long and has a lock of its own; to be called before cache_lock()."""
    if flavour == "debug":
        debug_kernel()


def is_debug(release):
    return release.endswith("-" + FLAVOURS["debug"])


def version(flavour):
    """The newest kernel version of this flavour whose headers are installed, e.g. 6.1.0-18-amd64."""
    suffix = FLAVOURS[flavour]
    if flavour == "debug":
        return (debug_kernel() / "release").read_text().strip()
    pattern = re.compile(r"linux-headers-(\d[\w.]*-(?:\w+-)?" + re.escape(suffix) + ")$")
    found = []
    for entry in pathlib.Path("/usr/src").glob("linux-headers-*"):
        match = pattern.match(entry.name)
        # "cloud-amd64" also ends in "amd64".
        if match and (flavour == "cloud" or "-cloud-" not in entry.name):
            found.append(match.group(1))
    if not found:
        raise KernelError(f"no headers of the {flavour} kernel are installed (linux-headers-{suffix}): run 'make deps'")
    return max(found, key=version_key)


def headers(release):
    """The folder to give to the kernel's own build system as its source (KDIR)."""
    if is_debug(release):
        return debug_kernel() / "linux-source-6.1"
    return pathlib.Path("/usr/src") / f"linux-headers-{release}"


def package_root(release):
    """A folder with boot/vmlinuz-RELEASE and lib/modules/RELEASE/kernel: the machine itself, or the unpacked package. (That of
    the debug kernel, which is never a package, has neither.)"""
    if is_debug(release):
        return debug_kernel()
    if os.access(f"/boot/vmlinuz-{release}", os.R_OK) and pathlib.Path(f"/lib/modules/{release}/kernel").is_dir():
        return pathlib.Path("/")
    root = CACHE / "package" / release
    if root.is_dir():
        return root
    package = f"linux-image-{release}"
    say(f"fetching {package} (about 70 MB, once; unpacked in {root.relative_to(ROOT)}, not installed)")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as work:
        # The header package's exact version first; a rebuilt image of the same ABI name fits as well.
        installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", f"linux-headers-{release}"],
                                   capture_output=True, text=True).stdout
        attempts = [[f"{package}={installed}"]] if installed else []
        errors = ""
        for wanted in attempts + [[package]]:
            done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=", "download", *wanted],
                                  cwd=work, capture_output=True, text=True)
            errors += done.stderr
            if done.returncode == 0:
                break
        debs = list(pathlib.Path(work).glob("*.deb"))
        if not debs:
            raise KernelError(f"cannot fetch {package}: run 'make deps' again (the archive may have moved on to a "
                              f"newer kernel)\n{errors}")
        unpacked = pathlib.Path(work) / "root"
        subprocess.run(["dpkg-deb", "-x", debs[0], unpacked], check=True)
        unpacked.rename(root)
    return root


def bzimage(release):
    if is_debug(release):
        return debug_kernel() / "bzImage"
    return package_root(release) / "boot" / f"vmlinuz-{release}"


def vmlinux(release):
    """The kernel as a plain ELF file: it boots by PVH in half the time that the bzImage takes under emulation."""
    unpacked = CACHE / f"vmlinux-{release}"
    source = bzimage(release)
    if unpacked.exists() and unpacked.stat().st_mtime >= source.stat().st_mtime:
        return unpacked
    say(f"decompressing {source.name} (once)")
    image = source.read_bytes()
    # Boot protocol fields (Documentation/x86/boot.rst): setup_sects, payload_offset, payload_length.
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length - 4]  # the last four bytes are the size of what comes out
    if payload.startswith(b"\xfd7zXZ\0"):  # the standard kernel
        kernel = lzma.decompress(payload, lzma.FORMAT_XZ)
    elif payload.startswith(b"\x02\x21\x4c\x18"):  # the cloud kernel: LZ4's legacy frames
        kernel = subprocess.run(["lz4", "-dc"], input=payload, stdout=subprocess.PIPE, check=True).stdout
    else:
        raise KernelError(f"{source}: compressed in a way this tool does not know")
    if not kernel.startswith(b"\x7fELF"):
        raise KernelError(f"{source}: its payload is not an ELF file")
    partial = unpacked.with_suffix(f".{os.getpid()}")
    partial.write_bytes(kernel)
    partial.rename(unpacked)
    return unpacked


def image(release, compressed):
    """What to boot. The debug kernel is always compressed: where PVH enters, KASAN has no shadow memory yet."""
    return bzimage(release) if compressed or is_debug(release) else vmlinux(release)


def module_files(release, names):
    """The files of these modules and of what they depend on, each after its dependencies; none where all is built in."""
    if is_debug(release):
        return []
    folder = package_root(release) / "lib" / "modules" / release
    paths = {path.stem.replace("-", "_"): path for path in (folder / "kernel").rglob("*.ko")}
    ordered = []

    def add(name):
        path = paths.get(name)
        if path is None:
            raise KernelError(f"kernel {release} has no module {name}")
        if path in ordered:
            return
        for dependency in module_dependencies(path):
            add(dependency)
        ordered.append(path)

    for name in names:
        add(name)
    return ordered


def module_dependencies(path):
    """What the module's own .modinfo says: a package that is only unpacked has no modules.dep."""
    match = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
    return [name for name in match.group(1).decode().replace("-", "_").split(",") if name] if match else []


def main(arguments):
    actions = {"version": version, "kdir": lambda f: headers(version(f)), "vmlinux": lambda f: vmlinux(version(f)),
               "bzimage": lambda f: bzimage(version(f)),
               "modules": lambda f: package_root(version(f)) / "lib" / "modules" / version(f)}
    if not 1 <= len(arguments) <= 2 or arguments[0] not in actions or not set(arguments[1:2]) <= set(FLAVOURS):
        print(__doc__, file=sys.stderr)
        return 2
    flavour = (arguments + ["standard"])[1]
    try:
        prepare(flavour)
        with cache_lock():
            print(actions[arguments[0]](flavour))
    except KernelError as error:
        say(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
