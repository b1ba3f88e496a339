"""The suite's report in the terminal."""

from . import benchmarks, machines, results


def tabulate(rows):
    """Prints rows of equal length, the first of them the header; the first column to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def duration(seconds):
    """Three digits and a unit."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            break
    value = seconds / scale
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def amount(value):
    """A count for one measurement: up to three digits after the point where it is small."""
    if value is None:
        return "-"
    if value >= 1e6:
        return f"{value / 1e6:.1f}M"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time_of(cell):
    if cell.status != results.OK:
        return {results.TIMEOUT: "time out", results.WRONG: "WRONG"}.get(cell.status, "-")
    spread = cell.spread
    return duration(cell.median) + (f" ±{100 * spread:.0f}%" if spread is not None else "     ")


def times(grid, columns, names):
    print("\nTime of one (median of several measurements, and half of the distance between the extremes):")
    tabulate([("", *columns)] + [(name, *(time_of(grid[column][name]) for column in columns)) for name in names])


def ratios(grid, columns, names, base):
    """As multiples of the column `base`."""
    def text(value):
        return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"

    if base not in grid or len(columns) < 2:
        return
    print(f"\nAs multiples of {base}:")
    table = [("", *columns)]
    for title, chosen in (("micro", [n for n in names if benchmarks.BY_NAME[n].micro]),
                          ("applications", [n for n in names if not benchmarks.BY_NAME[n].micro])):
        found = {column: [results.ratio(grid[column][n], grid[base][n]) for n in chosen] for column in columns}
        table += [(name, *(text(found[column][i]) for column in columns)) for i, name in enumerate(chosen)]
        if len(chosen) > 1:
            # Only over what all of the columns have: a mean over fewer would flatter the one that has not finished.
            common = [i for i in range(len(chosen)) if all(found[c][i] is not None for c in columns)]
            means = (text(results.geometric_mean([found[c][i] for i in common])) for c in columns)
            table.append((f"{title}: geometric mean of {len(common)}", *means))
    tabulate(table)


def counts(grid, columns, names):
    print("\nTimes it was done in one measurement:")
    chosen = [name for name in names if benchmarks.BY_NAME[name].micro]
    tabulate([("", *columns)] + [(name, *(grid[c][name].samples[0].count if grid[c][name].samples else "-" for c in columns))
                                 for name in chosen])


def counters(grid, columns, names):
    for column in columns:
        cells = grid[column]
        if machines.BY_NAME[column].kind != "btvm" or not any(cell.samples for cell in cells.values()):
            continue
        print(f"\n{column}: {machines.BY_NAME[column].what}; what one costs (medians):")
        tabulate([("", "time", *(title for _, title in results.COUNTERS))] +
                 [(name, time_of(cells[name]), *(amount(cells[name].counter(key)) for key, _ in results.COUNTERS))
                  for name in names if cells[name].samples])


def remarks(grid, columns, names, boots):
    """What was left out and why, what other work was in the way, and where the guest's clock and the measuring machine's disagree."""
    print("\nBooted to the first benchmark in: " +
          ", ".join(f"{column} {boots[column]:.1f} s" for column in columns if column in boots))
    for column in columns:
        missing = {}
        for name in names:
            if grid[column][name].why:
                missing.setdefault(grid[column][name].why, []).append(name)
        for why, which in missing.items():
            print(f"{column}: {'nothing' if len(which) == len(names) else ', '.join(which)}"
                  f"{'' if len(which) < len(names) else ' compared'}: {why}")
        errors = [(abs(error), error, name) for name in names
                  if (error := grid[column][name].clock_error) is not None and abs(error) > 0.05]
        busy = [(waited, name) for name in names if (waited := grid[column][name].waited) is not None and waited > 0.05]
        if busy:
            waited, name = max(busy)
            print(f"{column}: other work on this machine was in the way of {len(busy)} of {len(names)}, most of {name}: for "
                  f"{100 * waited:.0f}% of the time")
        if errors:
            _, error, name = max(errors)
            print(f"{column}: the guest's clock differs by more than 5% in {len(errors)} of {len(names)}, most in {name}: {100 * error:+.1f}%")
