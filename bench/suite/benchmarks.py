"""What the suite measures: the source's Table 3.1 (003, section 3.5) and more of the same kind."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A micro-benchmark is done `count` times in one measurement, and its result is the time of one; a task is done once.

    first: the count to begin with when looking for one that takes long enough.
    after: the benchmark that must have been done right before in the same guest, if any.
    """
    name: str
    request: str  # what the guest's process 1 is asked for; see guest-images/bench-disk/programs/init.c
    what: str
    first: int = 0
    after: str = ""

    @property
    def micro(self):
        return self.first > 0

    def line(self, count):
        return f"{self.request} {count}" if self.micro else self.request


def micro(name, first, what):
    return Benchmark(name, f"micro {name}", what, first)


def task(name, what, request=None, after=""):
    return Benchmark(name, f"task {request or name}", what, after=after)


ALL = (
    micro("getuid", 1000, "system call getuid"),
    micro("forkexec", 4, "fork and exec of a program that ends at once"),
    micro("process-switch", 100, "two processes play ping-pong through pipes; one switch"),
    micro("thread-switch", 100, "two threads play ping-pong by a futex; one switch"),
    micro("segv", 100, "a forbidden store, its SIGSEGV, and the return"),
    micro("signal", 100, "a signal to oneself and its handler"),
    micro("pipe", 100, "4 KB into a pipe and out of it"),
    micro("mmap", 100, "map a page of a file, read it, unmap it"),
    micro("page-fault", 512, "first touch of a page of fresh memory"),
    task("gzip", "gzip 1 MB of random data"),
    task("gcc-cold", "gcc bzip2.c, nothing of it in memory", "gcc cold"),
    task("gcc-hot", "gcc bzip2.c, once more", "gcc hot", after="gcc-cold"),
    task("dd", "dd 10 MB to the disk"),
    task("nqueens", "Python counts 7 queens"),
    task("untar", "untar 275 files and find them"),
    task("shell", "a shell script with pipes"),
)
BY_NAME = {benchmark.name: benchmark for benchmark in ALL}


def with_predecessors(names):
    """The names, each with what must come before it, in the order of ALL."""
    wanted = set(names) | {BY_NAME[name].after for name in names if BY_NAME[name].after}
    return [benchmark.name for benchmark in ALL if benchmark.name in wanted]


def rounds(names, repeats, random):
    """What is to be measured, in which order: each of the names `repeats` times, shuffled, but a benchmark with an `after` comes
    right behind that one. The names are such as with_predecessors() gives."""
    followers = {BY_NAME[name].after: name for name in names if BY_NAME[name].after}
    groups = [[name, followers[name]] if name in followers else [name]
              for name in names if not BY_NAME[name].after] * repeats
    random.shuffle(groups)
    return [BY_NAME[name] for group in groups for name in group]
