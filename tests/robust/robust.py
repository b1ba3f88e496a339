"""What the programs of tests/robust share: one long run in the test host, its marked lines, and verdicts on what it left.

A program gives run() a shell script, which is run inside with the functions of inside.sh. The script prints lines that
begin with "@"; all else it prints is kept for the details of a failure. memory_verdict() and log_verdict() judge what
`report_memory` and `report_log` in there print.
"""

import argparse
import contextlib
import fcntl
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "host")]
import kernels  # noqa: E402
import tap  # noqa: E402

HERE = ROOT / "tests" / "robust"
GUESTS = ROOT / "build" / "guests"
FIRMWARE = ("/usr/share/seabios", "/usr/share/vgabios", "/usr/share/bochs")

# Lines of the host's log that a sound module brings along: it is not Debian's and not signed.
# The last of these is the debug kernel's, which measures stacks.
EXPECTED_LOG = re.compile(r"loading out-of-tree module taints kernel|module verification failed: signature|used greatest stack depth")
# The test host is emulated and gets little time when the machine is busy: its clocks notice, which says nothing about the module.
EMULATION_LOG = re.compile(r"clocksource: |hrtimer: interrupt took|perf: interrupt took|sched: RT throttling")


class Writer(tap.Writer):
    """Prints results; what a run in the test host printed stands before the first failure that has to do with it."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def of_run(self, run, passed, name, details=""):
        if not passed and run not in self.shown:
            self.shown.append(run)
            details = f"{run.tail(250)}\n{details}"
        self.result(passed, name, details)


def parser(docstring):
    """The options that all programs have. (And a signal that ends the program shall end its test host too.)"""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    made = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--short", action="store_true", help="a small part of it, in a few minutes")
    made.add_argument("--no-build", action="store_true", help="userland, module and images are built")
    made.add_argument("--kernel", choices=sorted(kernels.FLAVOURS), default="standard", help="of the test host")
    return made


def build(writer, options, images):
    """Makes userland, module and images, one build at a time in this checkout; returns whether that worked."""
    if options.no_build:
        return True
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / ".make-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-s", "userland", "module-test-host", f"KERNEL={options.kernel}",
                               *(f"build/guests/{image}" for image in images)], cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    writer.result(done.returncode == 0, "everything is built", done.stdout)
    return done.returncode == 0


def host_command(options, shares, host=()):
    """The call of btvm-host with module, tools, firmware, inside.sh and the shares {inside: file}; the command follows."""
    # These run for long on machines that have other work to do: no sign of life for a minute means nothing yet.
    command = [ROOT / "tests" / "host" / "btvm-host", "--kernel", options.kernel, "--cwd", "/", "--hang", "300", *host]
    module = ROOT / "build" / "module" / kernels.version(options.kernel) / "btvm.ko"
    tools = ROOT / "build" / "hosted" / "userland"
    shares = {"/btvm.ko": module, "/inside.sh": HERE / "inside.sh", "/bin/btvm-run": tools / "btvm-run",
              "/bin/btvm-ctl": tools / "btvm-ctl", **shares}
    for inside, file in shares.items():
        command += ["--share", f"{file}:{inside}"]
    for folder in FIRMWARE:
        if pathlib.Path(folder).is_dir():
            command += ["--share", folder]
    return command


@contextlib.contextmanager
def text_file(text):
    """The path of a file with this text, for a share."""
    with tempfile.NamedTemporaryFile("w", prefix="robust-") as file:
        file.write(text)
        file.flush()
        yield file.name


class Run:
    """One run in the test host: marked holds its lines that begin with "@", without that; output all of them."""

    def __init__(self, options, script, arguments=(), *, shares, seconds, host=()):
        self.marked, self.output, self.seconds = [], [], time.monotonic()
        command = host_command(options, shares, ["--timeout", str(int(seconds)), *host])
        command += ["--", "sh", "-c", f". /inside.sh\n{script}", "robust", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors="replace")
        try:
            for line in process.stdout:
                self.output.append(line)
                if line.startswith("@"):
                    self.marked.append(line[1:].strip())
                    print(f"# {line[1:].strip()}", flush=True)
            self.status = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        self.seconds = time.monotonic() - self.seconds

    def values(self, word):
        """The rest of each marked line that begins with this word."""
        return [line.partition(" ")[2] for line in self.marked if line.partition(" ")[0] == word]

    def value(self, word):
        return (self.values(word) or [None])[-1]

    def tail(self, lines=60):
        return "".join(self.output[-lines:])


def memory_verdict(writer, run, before, after, margins):
    """Compares two reports of report_memory; margins are KiB by field of /proc/meminfo, what may be missing afterwards."""
    reports = {}
    for line in run.values("memory"):
        label, *fields = line.split()
        reports[label] = {name: int(value) for name, _, value in (field.partition("=") for field in fields)}
    if before not in reports or after not in reports:
        writer.of_run(run, False, "the host's memory is measured before and after")
        return
    for field, margin in margins.items():
        first, last = reports[before][field], reports[after][field]
        lost = first - last if field == "MemAvailable" else last - first
        writer.of_run(run, lost <= margin, f"{field} is what it was: {first} KiB before, {last} KiB after, {margin} KiB may be missing")


def log_verdict(writer, run):
    """The host's log since `load_module` has no line but the expected ones, and the host ended well."""
    lines = run.values("log")
    unexpected = [line for line in lines if line.strip() and not EXPECTED_LOG.search(line) and not EMULATION_LOG.search(line)]
    writer.of_run(run, bool(run.values("log-end")) and not unexpected, "the host's kernel has logged nothing unexpected",
                  "\n".join(unexpected))
    writer.of_run(run, run.value("rmmod") == "0", "the module is removed")
    writer.of_run(run, run.status == 0, f"the test host ends well (status {run.status})")
