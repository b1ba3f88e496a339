"""The part "suite" of bench/run: measures, prints, and returns what goes into the report."""

import json
import os
import pathlib
import random
import sys
import time

from . import benchmarks, figures, machines, measure, results, tables

QUICK = measure.Plan(passes=1, repeats=3, micro_seconds=0.2, cell_seconds=5, limit_seconds=30, boot_seconds=120)
FULL = measure.Plan(passes=2, repeats=3, micro_seconds=0.2, cell_seconds=4, limit_seconds=45, boot_seconds=900)
QUICK_COLUMNS = ("native", "btvm", "qemu")  # bochs, nested in an emulator, takes many minutes to boot


def run(report, quick, out, columns=(), names=(), here=False, seed=None):
    plan = QUICK if quick else FULL
    seed = int(time.time()) % 100000 if seed is None else seed
    chosen = [column for column in machines.COLUMNS if column.name in (columns or (QUICK_COLUMNS if quick else machines.BY_NAME))]
    names = benchmarks.with_predecessors(names or benchmarks.BY_NAME)
    print(f"== the suite: {len(names)} benchmarks in {len(chosen)} columns, {plan.repeats} times each; order by seed {seed}",
          file=sys.stderr)
    began = time.monotonic()
    out = pathlib.Path(out)
    where = "on this machine" if here else "in the test host"

    def keep(grid, boots):
        """What there is so far goes into the report, and into a file of its own in case that the run is broken off."""
        report["suite"] = {
            "where": where, "seed": seed, "seconds": time.monotonic() - began, "load_average": os.getloadavg(),
            "plan": vars(plan), "guest_memory_mib": machines.MEMORY, "boot_seconds": boots,
            "columns": {c.name: {"what": c.what, "options": c.options} for c in chosen},
            "benchmarks": {name: benchmarks.BY_NAME[name].what for name in names},
            "cells": {column: {name: cell.as_json() for name, cell in cells.items()} for column, cells in grid.items()},
        }
        (out / "suite.json").write_text(json.dumps(report["suite"], indent=1) + "\n")

    grid, boots = measure.measure(chosen, names, plan, random.Random(seed), out, here, keep)
    show(grid, boots, names, where, out)


def again(path, out):
    """Shows a report that was kept, be it of a run that was broken off."""
    kept = json.loads(pathlib.Path(path).read_text())
    kept = kept.get("suite", kept)
    grid = {column: {name: results.Cell.from_json(cell) for name, cell in cells.items()} for column, cells in kept["cells"].items()
            if any(cell["status"] != results.ABSENT or cell["why"] for cell in cells.values())}
    show(grid, kept["boot_seconds"], list(kept["benchmarks"]), kept["where"], pathlib.Path(out))


def show(grid, boots, names, where, out):
    columns = list(grid)
    base = "native" if any(cell.samples for cell in grid.get("native", {}).values()) else "qemu"
    print(f"\nThe suite, {where}; every time from mark to mark on the guest's serial line, by that machine's clock:")
    tables.times(grid, columns, names)
    tables.ratios(grid, columns, names, base)
    tables.counts(grid, columns, names)
    tables.counters(grid, columns, names)
    tables.remarks(grid, columns, names, boots)
    paths, why = figures.draw(grid, names, where, out)
    print("\nPlots: " + ", ".join(str(path.relative_to(machines.ROOT)) for path in paths) if paths
          else f"\n{why or 'No plots: nothing to compare.'}")
