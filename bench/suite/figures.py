"""The suite's plots, as SVG and PNG, shaped like the source's Figures 3.8 and 3.9: a group of bars for each benchmark, a bar for
each column, on a logarithmic scale; and one of what each of btvm's parts is worth."""

from . import benchmarks, machines, results

ABLATED = "btvm"  # what the ablations are compared with
PLAIN = ("native", ABLATED, "registers-4", "qemu", "bochs")  # the columns of the first two figures
COLOURS = {"native": "#4d4d4d", ABLATED: "#1f6fb4", "registers-4": "#7fb3de", "qemu": "#e08a1e", "bochs": "#8c6bb1"}


def bars(plt, title, axis, names, series, colours, missing=None):
    """series: {label: [(value, low, high) or None for each name]}; missing: {label: [text for each name]}."""
    figure, axes = plt.subplots(figsize=(max(7, 1.1 * len(names) + 1.5), 4.2))
    width = 0.8 / len(series)
    floor = min((v[0] for values in series.values() for v in values if v), default=1) / 2
    for place, (label, values) in enumerate(series.items()):
        at = [i - 0.4 + width * (place + 0.5) for i in range(len(names))]
        shown = [(x, v) for x, v in zip(at, values) if v]
        axes.bar([x for x, _ in shown], [v[0] for _, v in shown], width * 0.92, label=label, color=colours.get(label),
                 yerr=[[v[0] - v[1] for _, v in shown], [v[2] - v[0] for _, v in shown]], ecolor="#222222",
                 error_kw={"elinewidth": 0.8, "capsize": 1.5}, zorder=3)
        for x, value, text in zip(at, values, (missing or {}).get(label, [])):
            if not value and text:
                axes.text(x, floor, f" {text}", rotation=90, ha="center", va="bottom", fontsize=6, color=colours.get(label))
    axes.set_yscale("log")
    axes.set_ylim(bottom=floor)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_ylabel(axis)
    axes.set_title(title, fontsize=11)
    axes.grid(axis="y", color="#dddddd", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=min(5, len(series)), fontsize=8, frameon=False)
    figure.tight_layout()
    return figure


def measured(cell, scale):
    if not cell.samples:
        return None
    each = [sample.each * scale for sample in cell.samples]
    return cell.median * scale, min(each), max(each)


def draw(grid, names, where, out):
    """Writes suite-*.svg and .png into the folder `out`; returns their paths, or says why there are none."""
    try:
        import matplotlib
    except ImportError:
        return [], "no plots: python3-matplotlib is not installed (tests/host/install-packages bench installs it)"
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "btvm"
    import matplotlib.pyplot as plt

    paths = []

    def save(figure, name):
        for kind in ("svg", "png"):
            paths.append(out / f"{name}.{kind}")
            figure.savefig(paths[-1], dpi=120)
        plt.close(figure)

    columns = [column for column in PLAIN if column in grid and any(cell.samples for cell in grid[column].values())]
    for name, title, chosen, scale, axis in (
            ("suite-micro", "Micro-benchmarks", [n for n in names if benchmarks.BY_NAME[n].micro], 1e6, "microseconds for one"),
            ("suite-applications", "Application benchmarks", [n for n in names if not benchmarks.BY_NAME[n].micro], 1, "seconds")):
        if columns and chosen:
            series = {c: [measured(grid[c][n], scale) for n in chosen] for c in columns}
            missing = {c: [{results.TIMEOUT: "time out", results.WRONG: "wrong"}.get(grid[c][n].status, "") for n in chosen]
                       for c in columns}
            save(bars(plt, f"{title}, {where}", axis, chosen, series, COLOURS, missing), name)
    others = [c for c in grid if c != ABLATED and machines.BY_NAME[c].kind == "btvm" and any(
        cell.samples for cell in grid[c].values())]
    if others and ABLATED in grid:
        series = {}
        for c in others:
            found = [results.ratio(grid[c][n], grid[ABLATED][n]) for n in names]
            series[c] = [(value, value, value) if value else None for value in found]
        save(bars(plt, f"btvm's configurations, {where}", f"time, as a multiple of {ABLATED}'s", list(names), series, {}), "suite-ablations")
    return paths, ""
