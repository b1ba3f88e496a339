"""The arithmetic of the suite: samples, medians, spreads, ratios."""

import dataclasses
import statistics

OK, TIMEOUT, WRONG, ABSENT = "ok", "timeout", "wrong", "absent"
# The counters shown beside a time, with what stands above their columns.
COUNTERS = (
    ("trap_breakpoint", "breakpoints"),
    ("trap_privileged", "privileged"),
    ("trap_page_fault", "page faults"),
    ("hidden_page_faults", "hidden"),
    ("true_page_faults", "true"),
    ("trap_exception", "exceptions"),
    ("trap_host_interrupt", "host irqs"),
    ("world_switches", "world sw."),
    ("leave_userland_io", "userland I/O"),
    ("emulated_instructions", "emulated"),
    ("branches_resolved", "branches"),
    ("interpreted_instructions", "interpreted"),
)


@dataclasses.dataclass
class Sample:
    """One measurement: `seconds` from mark to mark by the measuring machine's clock, `guest_seconds` by the guest's own;
    `waited`: the share of the time for which other work on this machine kept a CPU from it (see contention.py)."""
    count: int
    seconds: float
    guest_seconds: float
    waited: float = 0
    counters: dict | None = None  # what was added to btvm's counters meanwhile

    @property
    def each(self):
        return self.seconds / self.count


@dataclasses.dataclass
class Cell:
    """All samples of one benchmark in one column, or why there are none."""
    samples: list = dataclasses.field(default_factory=list)
    status: str = ABSENT
    why: str = ""

    def add(self, sample):
        self.samples.append(sample)
        self.status = OK

    def fail(self, status, why):
        """A wrong result spoils the cell. A time-out spoils it only if there is no sample."""
        self.why = why
        if status == WRONG:
            self.samples.clear()
        if not self.samples:
            self.status = status

    @property
    def median(self):
        """Seconds of one, or None."""
        return statistics.median(s.each for s in self.samples) if self.samples else None

    @property
    def spread(self):
        """Half of the distance between the largest and the smallest, as a share of the median; None for less than two."""
        if len(self.samples) < 2:
            return None
        each = [s.each for s in self.samples]
        return (max(each) - min(each)) / 2 / self.median

    @property
    def clock_error(self):
        """By how much the guest's clock differs from the measuring machine's, over all samples: 0.01 is one percent fast."""
        seconds = sum(s.seconds for s in self.samples)
        return sum(s.guest_seconds for s in self.samples) / seconds - 1 if seconds else None

    @property
    def waited(self):
        """The share of all samples' time in which other work was in the way, or None."""
        seconds = sum(s.seconds for s in self.samples)
        return sum(s.waited * s.seconds for s in self.samples) / seconds if seconds else None

    def counter(self, name):
        """The median of a counter for one, or None where there are no counters."""
        values = [s.counters[name] / s.count for s in self.samples if s.counters]
        return statistics.median(values) if values else None

    def as_json(self):
        return {"status": self.status, "why": self.why, "median_seconds": self.median, "spread": self.spread,
                "guest_clock_error": self.clock_error, "waited": self.waited, "samples": [dataclasses.asdict(s) for s in self.samples]}

    @staticmethod
    def from_json(made):
        """Of what as_json() has made."""
        return Cell([Sample(**sample) for sample in made["samples"]], made["status"], made["why"])


def difference(before, after):
    """Of two sets of counters; those that are not sums (peaks, sizes) are as they are afterwards."""
    levels = {"shadow_pages", "shadow_pages_peak", "shadow_pages_limit", "host_memory"}
    return {name: value if name in levels else value - before.get(name, 0) for name, value in after.items()}


def ratio(cell, base):
    """How many times the time of the cell `base` this one takes, or None."""
    return cell.median / base.median if cell and base and cell.median and base.median else None


def geometric_mean(values):
    """Of those that are not None; None if there is none."""
    values = [value for value in values if value is not None]
    return statistics.geometric_mean(values) if values else None


def next_count(count, seconds, wanted):
    """A count for a measurement to take about `wanted` seconds, judged by one that took `seconds`; two leading digits, even
    (what counts switches does two at a time), and at most a hundred times as many: a short time is known badly."""
    scaled = count * min(100.0, wanted / max(seconds, 1e-6))
    digits = max(0, len(str(int(scaled))) - 2)
    return max(2, int(scaled / 10**digits / 2 + 0.5) * 2 * 10**digits)
