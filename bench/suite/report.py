"""The part "suite" of bench/run: measures, prints, and returns what goes into the report."""

import os
import pathlib
import random
import sys
import time

from . import benchmarks, machines, measure, results, tables

QUICK = measure.Plan(repeats=3, micro_seconds=0.1, cell_seconds=20, boot_seconds=150, seed=0)
FULL = measure.Plan(repeats=5, micro_seconds=0.3, cell_seconds=60, boot_seconds=300, seed=0)
QUICK_COLUMNS = ("native", "btvm", "registers-4", "qemu")


def run(report, quick, out, columns=(), names=(), here=False, seed=None):
    plan = QUICK if quick else FULL
    seed = int(time.time()) % 100000 if seed is None else seed
    chosen = [column for column in machines.COLUMNS if column.name in (columns or (QUICK_COLUMNS if quick else machines.BY_NAME))]
    names = benchmarks.with_predecessors(names or benchmarks.BY_NAME)
    print(f"== the suite: {len(names)} benchmarks in {len(chosen)} columns, {plan.repeats} times each; order by seed {seed}",
          file=sys.stderr)
    began = time.monotonic()
    grid, boots = measure.measure(chosen, names, plan, random.Random(seed), pathlib.Path(out), here)
    where = "on this machine" if here else "in the test host"
    columns = [column.name for column in chosen]
    base = "native" if "native" in columns and any(c.samples for c in grid["native"].values()) else "qemu"
    print(f"\nThe suite, {where}; every time from mark to mark on the guest's serial line, by that machine's clock:")
    tables.times(grid, columns, names)
    tables.ratios(grid, columns, names, base)
    tables.counts(grid, columns, names)
    tables.counters(grid, columns, names)
    tables.remarks(grid, columns, names, boots)
    report["suite"] = {
        "where": where, "seed": seed, "seconds": time.monotonic() - began, "load_at_end": os.getloadavg(), "plan": vars(plan) | {"seed": seed},
        "guest_memory_mib": machines.MEMORY, "base": base, "boot_seconds": boots,
        "columns": {c.name: {"what": c.what, "options": c.options} for c in chosen},
        "benchmarks": {name: benchmarks.BY_NAME[name].what for name in names},
        "cells": {column: {name: grid[column][name].as_json() for name in names} for column in columns},
    }
    return grid
