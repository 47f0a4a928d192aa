"""A plot as SVG: one panel a curve, and a row of ticks for each kind of fault. Light or dark as the reader's screen."""
import statistics

WIDTH, LEFT, RIGHT, PANEL, GAP, ROW = 960, 130, 20, 90, 26, 11
BINS = 400
PANELS = [("resident size", "KiB", lambda now, before: now["resident_kib"]),
          ("descriptors", "", lambda now, before: now["descriptors"]),
          ("workers", "", lambda now, before: now["workers"]),
          ("requests", "a second", lambda now, before: (now["requests"] - before["requests"]) /
           max(0.1, now["seconds"] - before["seconds"]))]
STYLE = """
text { font: 11px sans-serif; fill: #333 } .title { font-weight: bold } .end { text-anchor: end }
.mid { text-anchor: middle } .back { fill: #fff } .frame { fill: none; stroke: #ccc } .band { fill: #2a6fb0; opacity: .25 }
.line { fill: none; stroke: #2a6fb0; stroke-width: 1.5 } .tick { stroke: #b04a2a; stroke-width: 1; opacity: .7 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .back { fill: #15181c } .frame { stroke: #444 } .band { fill: #6fb1ee } .line { stroke: #6fb1ee }
.tick { stroke: #f0906a } }
"""


def binned(points, end):
    """(middle of the bin, lowest, median, highest) of each that has any."""
    bins = {}
    for seconds, value in points:
        bins.setdefault(min(BINS - 1, int(seconds / end * BINS)), []).append(value)
    return [((number + 0.5) / BINS, min(values), statistics.median(values), max(values))
            for number, values in sorted(bins.items())]


def x_of(part):
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def panel(top, title, unit, points, end):
    bins = binned(points, end)
    most = max([highest for _, _, _, highest in bins] + [1]) * 1.1

    def y(value):
        return top + PANEL - value / most * PANEL

    line = " ".join(f"{x_of(part):.1f},{y(median):.1f}" for part, _, median, _ in bins)
    band = " ".join([f"{x_of(part):.1f},{y(highest):.1f}" for part, _, _, highest in bins] +
                    [f"{x_of(part):.1f},{y(lowest):.1f}" for part, lowest, _, _ in reversed(bins)])
    return [f'<rect class="frame" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}"/>',
            f'<text class="title end" x="{LEFT - 10}" y="{top + 40}">{title}</text>',
            f'<text class="end" x="{LEFT - 10}" y="{top + 55}">{unit}</text>',
            f'<text class="end" x="{LEFT - 10}" y="{top + 10}">{most:,.0f}</text>',
            f'<text class="end" x="{LEFT - 10}" y="{top + PANEL}">0</text>',
            f'<polygon class="band" points="{band}"/>', f'<polyline class="line" points="{line}"/>']


def marks(top, name, times, end):
    path = "".join(f"M{x_of(seconds / end):.1f} {top}v{ROW - 3}" for seconds in times)
    return [f'<text class="end" x="{LEFT - 10}" y="{top + ROW - 3}" style="font-size: 9px">'
            f'{name.replace("_", " ")} ({len(times)})</text>', f'<path class="tick" d="{path}"/>']


def write(path, samples, faults):
    if len(samples) < 2:
        return
    end = samples[-1]["seconds"] + 1
    body, top = [], 30
    for title, unit, value in PANELS:
        points = [(now["seconds"], value(now, before)) for before, now in zip(samples, samples[1:])]
        body += panel(top, title, unit, points, end)
        top += PANEL + GAP
    body.append(f'<text class="title" x="{LEFT}" y="{top}">faults</text>')
    top += 8
    for name in sorted({name for _, name, _ in faults}):
        body += marks(top, name, [seconds for seconds, fault, _ in faults if fault == name], end)
        top += ROW
    for part in range(7):
        body.append(f'<text class="mid" x="{x_of(part / 6):.0f}" y="{top + 16}">{end * part / 6:,.0f} s</text>')
    last = samples[-1]
    head = (f'{end:,.0f} s: {len(faults):,} faults, {last["requests"]:,} requests answered, {last["lost"]} lost, '
            f'{last["excused"]} with a worker that was killed')
    height = top + 30
    with open(path, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
                  f'height="{height}"><style>{STYLE}</style><rect class="back" width="{WIDTH}" height="{height}"/>'
                  f'<text class="title" x="{LEFT}" y="18">{head}</text>\n' + "\n".join(body) + "\n</svg>\n")
