"""Measures: column by column, each in one boot of the guest, everything in shuffled order."""

import dataclasses
import pathlib
import sys
import tempfile
import time

from . import benchmarks, machines, results
from .session import Dead, Session, TimedOut, Wrong


DISTURBED = 0.05  # the share of a sample's time that other work may be in its way
RETRIES, RETRIED_SECONDS = 3, 2


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured."""
    passes: int            # times that a column is booted, at most (see machines.Column)
    repeats: int           # measurements of each benchmark in each pass
    micro_seconds: float   # that one measurement of a micro-benchmark takes, about
    cell_seconds: float    # after which no more measurements of a cell are begun
    limit_seconds: float   # after which one is stopped
    boot_seconds: float    # for a guest to boot


class Progress:
    """Says on standard error what is being done; on a terminal, in one line."""

    def __init__(self, steps):
        self.steps, self.step, self.began = steps, 0, time.monotonic()
        self.terminal = sys.stderr.isatty()

    def say(self, text, last=False):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        line = f"[{100 * self.step // self.steps:3d}% {minutes:2d}:{seconds:02d}] {text}"
        if self.terminal:
            print(f"\r\033[K{line[:110]}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last:
            print(line, file=sys.stderr, flush=True)


def calibrate(session, benchmark, plan):
    """A count with which one measurement takes about plan.micro_seconds. The first time, which loads the program and runs all
    code for the first time, does not count unless it was too long altogether."""
    count = benchmark.first
    deadline = time.monotonic() + plan.limit_seconds
    for attempt in range(6):
        sample = session.run(benchmark.line(count), count, max(1, deadline - time.monotonic()))
        if sample.seconds >= plan.micro_seconds * (0.5 if attempt else 5):
            break
        if not attempt:
            continue
        count = results.next_count(count, sample.seconds, plan.micro_seconds)
    return count


def undisturbed(session, benchmark, count, plan):
    """A sample; one more where other work on this machine was in the way and one more does not take long."""
    best = session.run(benchmark.line(count), count, plan.limit_seconds)
    for _ in range(RETRIES):
        if best.waited < DISTURBED or best.seconds > RETRIED_SECONDS or benchmark.after:
            break
        best = min(best, session.run(benchmark.line(count), count, plan.limit_seconds), key=lambda sample: sample.waited)
    return best


def measure_column(session, names, plan, random, cells, progress, column):
    """Fills `cells`, one for each name. Dead if the guest dies; what it had measured by then is kept."""
    counts = {name: cell.samples[0].count for name, cell in cells.items() if cell.samples}
    spent, hopeless = dict.fromkeys(names, 0.0), {name for name, cell in cells.items() if cell.why}
    done = None  # the last benchmark that was done
    for benchmark in benchmarks.rounds(names, plan.repeats, random):
        progress.step += 1
        cell = cells[benchmark.name]
        if benchmark.name in hopeless or spent[benchmark.name] > plan.cell_seconds:
            continue
        progress.say(f"{column.name}: {benchmark.name}")
        if benchmark.after in hopeless:
            hopeless.add(benchmark.name)
            before = cells[benchmark.after].status
            cell.fail(results.ABSENT if before == results.WRONG else results.TIMEOUT, f"{benchmark.after} was not done")
            continue
        if benchmark.after and benchmark.after != done:
            continue  # its predecessor has had its time
        began = time.monotonic()
        try:
            if benchmark.micro and benchmark.name not in counts:
                counts[benchmark.name] = calibrate(session, benchmark, plan)
            count = counts.get(benchmark.name, 1)
            cell.add(undisturbed(session, benchmark, count, plan))
            done = benchmark.name
        except TimedOut:
            hopeless.add(benchmark.name)
            cell.fail(results.TIMEOUT, f"not done within {plan.limit_seconds:.0f} s")
        except Wrong as wrong:
            hopeless.add(benchmark.name)
            cell.fail(results.WRONG, str(wrong))
        spent[benchmark.name] += time.monotonic() - began


def measure(columns, names, plan, random, out, here=False, keep=lambda grid, boots: None):
    """{column name: {benchmark name: Cell}} and {column name: seconds to boot}; `keep` gets what there is after each boot."""
    marks = machines.compile_marks(out)
    names = benchmarks.with_predecessors(names)
    order = [column for column in columns for _ in range(min(plan.passes, column.passes))]
    random.shuffle(order)
    progress = Progress(max(1, len(order) * len(names) * plan.repeats))
    grid = {column.name: {name: results.Cell() for name in names} for column in columns}
    boots = {}
    for number, column in enumerate(order):
        cells = grid[column.name]
        progress.step = number * progress.steps // len(order)
        why = machines.absent(column, here)
        if not why:
            for cell in cells.values():
                if cell.status == results.ABSENT:
                    cell.why = ""  # the boot before this one may have died
            progress.say(f"{column.name}: booting")
            with tempfile.TemporaryDirectory(prefix="btvm-bench-") as folder:
                session = Session(machines.command(column, marks, pathlib.Path(folder), here), out / f"{column.name}.log",
                                  machines.ROOT)
                try:
                    boots[column.name] = session.wait_for_guest(plan.boot_seconds)
                    patient = dataclasses.replace(plan, limit_seconds=plan.limit_seconds * column.patience)
                    measure_column(session, names, patient, random, cells, progress, column)
                except Dead as dead:
                    why = str(dead)
                finally:
                    session.close()
        for cell in cells.values():
            if not cell.samples and cell.status == results.ABSENT:
                cell.fail(results.ABSENT, why)
        keep(grid, boots)
        done = sum(cell.status == results.OK for cell in cells.values())
        progress.say(f"{column.name}: {done} of {len(cells)} measured" + (f", booted in {boots[column.name]:.0f} s"
                     if column.name in boots else "") + (f"; {why}" if why else ""), last=True)
    return grid, boots
