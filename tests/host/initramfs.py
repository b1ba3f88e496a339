"""The test host's root file system: a cpio archive made afresh for every run, in memory.

It holds process 1 (init.c), busybox, the kernel modules of the virtio port, terminal descriptions, the UTF-8 locale,
and whatever the caller shares, with the libraries that shared programs are linked with. Reading all that again takes
some ten milliseconds; a cache of it would be one more thing that can be stale.
"""

import hashlib
import os
import pathlib
import stat
import struct
import subprocess

import kernels

BUSYBOX = pathlib.Path("/bin/busybox")
LOCALE = pathlib.Path("/usr/lib/locale/C.utf8")
TERMINALS = ("dumb", "linux", "vt100", "xterm", "xterm-256color", "screen", "screen-256color", "tmux", "tmux-256color")
TERMINFO_FOLDERS = [pathlib.Path(p) for p in ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ShareError(Exception):
    """Something that is to be shared is not there or cannot be read."""


class Archive:
    """A cpio archive in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self.parts = []
        self.names = set()
        self.inode = 0

    def _entry(self, name, mode, data=b""):
        name = name.strip("/")
        if name in self.names:
            return
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)
        self.names.add(name)
        self.inode += 1
        encoded = name.encode() + b"\0"
        # ino, mode, uid, gid, nlink, mtime, filesize, device and rdevice numbers, namesize, check
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self.parts += [header, b"\0" * (-len(header) % 4), data, b"\0" * (-len(data) % 4)]

    def directory(self, name):
        if name.strip("/"):
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name, target):
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def tree(self, source, name):
        """Adds a file or a folder of the machine, links inside it as links; programs bring their libraries."""
        source = pathlib.Path(source)
        try:
            if source.is_dir():
                self.directory(name)
                for entry in sorted(source.iterdir()):
                    inside = f"{name}/{entry.name}"
                    if entry.is_symlink():
                        self.symlink(inside, os.readlink(entry))
                    elif entry.is_dir() or entry.is_file():
                        self.tree(entry, inside)
                return
            data = source.read_bytes()
            self.file(name, data, stat.S_IMODE(source.stat().st_mode))
        except OSError as error:
            raise ShareError(f"cannot share {source}: {error.strerror}") from error
        if is_dynamic_program(data):
            for library in libraries(source):
                self.tree(library, str(library))

    def contents(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def is_dynamic_program(data):
    """Whether this is an ELF file for x86-64 that names a program interpreter (PT_INTERP)."""
    if data[:5] != b"\x7fELF\x02" or len(data) < 64:
        return False
    offset, = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    return any(struct.unpack_from("<I", data, offset + i * size)[0] == 3 for i in range(count)
               if offset + i * size + 4 <= len(data))


def libraries(program):
    """The shared libraries a program needs, its loader among them, by the paths it looks for them at."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if listing.returncode != 0:
        raise ShareError(f"cannot list the libraries of {program}: {listing.stderr.strip()}")
    found = []
    for line in listing.stdout.splitlines():
        words = line.split()
        if "not found" in line:
            raise ShareError(f"{program}: library {words[0]} is missing on this machine")
        found += [pathlib.Path(word) for word in (words[2:3] if "=>" in words else words[:1]) if word.startswith("/")]
    return found


def compiled_init():
    """Process 1, compiled once for each state of its source."""
    source = pathlib.Path(__file__).with_name("init.c")
    program = kernels.CACHE / ("init-" + hashlib.sha256(source.read_bytes()).hexdigest()[:12])
    if not program.exists():
        partial = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-o", partial, source])
        if done.returncode != 0:
            raise ShareError("cannot compile the test host's init")
        partial.rename(program)
    return program


def add_terminals(archive, wanted):
    """Adds the terminal descriptions; returns the TERM to use inside: the wanted one when it is known here."""
    known = False
    for name in dict.fromkeys((*TERMINALS, wanted)):
        for folder in TERMINFO_FOLDERS:
            path = folder / name[:1] / name
            if name and "/" not in name and path.is_file():
                archive.file(f"/lib/terminfo/{name[:1]}/{name}", path.read_bytes())
                known |= name == wanted
                break
    return wanted if known else "linux"


def build(release, argv, shares, environment, directory, terminal_size, terminal, drivers=()):
    """The archive of one run. shares: (path on the machine, path inside); terminal_size: (rows, columns) or None;
    drivers: kernel modules to load besides those that the tool itself needs."""
    archive = Archive()
    for folder in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/etc", "/root", "/dev", "/btvm-host/modules.d"):
        archive.directory(folder)
    archive.file("/init", compiled_init().read_bytes(), 0o755)
    archive.file("/bin/busybox", BUSYBOX.read_bytes(), 0o755)
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    archive.file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    modules = kernels.module_files(release, ["virtio_pci", "virtio_console", *drivers])
    for module in modules:
        archive.file(f"/btvm-host/modules.d/{module.name}", module.read_bytes())
    archive.file("/btvm-host/modules", "".join(f"/btvm-host/modules.d/{m.name}\n" for m in modules).encode())
    if LOCALE.is_dir():
        archive.tree(LOCALE, str(LOCALE))
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "BTVM_OUT": "/out",
                   "TERM": add_terminals(archive, terminal), **environment}
    for source, name in shares:
        archive.tree(source, name)
    # After the shares: a shared program may take the place of busybox's namesake.
    for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        archive.symlink(f"/bin/{applet}", "busybox")
    archive.directory(directory)
    archive.file("/btvm-host/cwd", os.fsencode(directory))
    archive.file("/btvm-host/argv", b"".join(os.fsencode(word) + b"\0" for word in argv))
    archive.file("/btvm-host/env", b"".join(os.fsencode(f"{k}={v}") + b"\0" for k, v in environment.items()))
    if terminal_size:
        archive.file("/btvm-host/tty", b"%d %d" % terminal_size)
    return archive.contents()
