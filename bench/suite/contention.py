"""How long a process and its descendants have waited for a CPU that others had: what disturbs a measurement from outside."""

import pathlib


def read(path):
    try:
        return path.read_text().split()
    except OSError:  # it has ended meanwhile
        return []


def waited(pid):
    """Seconds that the threads of the process and of all its descendants have spent runnable but not running, since their starts:
    the second field of /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst). 0 where the kernel does not tell.
    Where they are more than there are CPUs, they wait for each other, too."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        total += int((read(task / "schedstat") + [0, 0])[1]) / 1e9
        total += sum(waited(child) for child in read(task / "children"))
    return total
