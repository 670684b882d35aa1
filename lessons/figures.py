"""Runs the python blocks of the lessons and draws their figures:

    python -m lessons.figures [03 ...]

Besides numbers it knows README, whose pictures take minutes; without arguments it makes everything.

Most pictures of a lesson are made by its own blocks, with `show` (`lessons/update.py` keeps them).
Here are the diagrams: `figures/07-who-looks-where.png` is made by the function
`who_looks_where(ns)` below, where ns is the namespace that the blocks of lesson 07 leave. It
returns a matplotlib figure or a PIL image. Needs matplotlib: `pip install -e ".[lessons]"`. How
to write a lesson: see tests/test_lessons.py.
"""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tav.io.runs import RUNS

from .blocks import LESSONS, ROOT, STRIPS, lesson_files, run_blocks, shown

FIGURES = LESSONS / "figures"
LARGE, MOST_BYTES = 60_000, 250_000  # of one figure


# ---- what figures share


def canvas(rows: int = 1, columns: int = 1, width: float = 8.0, height: float = 3.0, **options):
    """A white matplotlib figure of `width` x `height` inches at 160 dots per inch, and its axes (as
    plt.subplots)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    plt.close("all")
    return plt.subplots(
        rows, columns, figsize=(width, height), dpi=160, layout="constrained", **options
    )


def rectangle(axis, x, y, width, height, **style) -> None:
    """A rectangle, from its corner at the least x and y."""
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((x, y), width, height, **style))


def save(figure, path: Path) -> None:
    """A matplotlib figure or PIL image as a png: with 256 colours where it is large without."""
    if not isinstance(figure, Image.Image):
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.05
        )
        figure = Image.open(buffer)
    figure = figure.convert("RGB")
    figure.save(path, format="png", optimize=True)
    if path.stat().st_size > LARGE:
        figure = figure.quantize(256, kmeans=3, dither=Image.Dither.NONE)
        figure.save(path, format="png", optimize=True)


def draw(name: str, ns: dict):
    """What the function of the figure `03-forward-chain` draws."""
    return globals()[name.partition("-")[2].replace("-", "_")](ns)


def names(lesson: Path) -> list[str]:
    """The diagrams that a lesson shows, without folder and ending: `07-who-looks-where`. They are
    all its own figures that no `show` of its blocks makes."""
    text = lesson.read_text(encoding="utf-8")
    number = lesson.name.partition("-")[0]
    figures = re.findall(rf"\]\(figures/({number}-[\w-]+)\.png\)", text)
    return [name for name in dict.fromkeys(figures) if name not in shown(text)]


# The figures, lesson by lesson: each a function of the namespace `ns` that the lesson's blocks
# leave. A lesson's functions stand under the line with its number.


# ---- 04


BLUE, AMBER = "#9dc3e6", "#f3b562"  # of ResNet blocks and transformers
# The arrows of `the_u`: data, skips, time, text.
DATA = {"color": "black", "linewidth": 1.2}
SKIP = {"color": "gray", "linewidth": 1.2, "linestyle": (0, (4, 2))}
TIME, TEXT = {"color": "#c0392b", "linewidth": 1.8}, {"color": "#1e8449", "linewidth": 1.8}


def way(axis, style, *points):
    """A line through points, with an arrowhead at the last."""
    axis.plot(*zip(*points[:-1]), **style, solid_capstyle="butt", zorder=0)
    arrow = style | {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", points[-1], points[-2], arrowprops=arrow, zorder=1)


def layers_of_u(axis, x, y, kinds):
    """Layers side by side, "ResNet" or "transf.", with the arrows of time and text; where they
    end."""
    for kind in kinds:
        color = BLUE if kind == "ResNet" else AMBER
        rectangle(axis, x, y - 0.3, 1, 0.6, facecolor=color, edgecolor="black")
        axis.text(x + 0.5, y, kind, ha="center", va="center", fontsize=9)
        up = 1 if kind == "ResNet" else -1
        style = TIME if kind == "ResNet" else TEXT
        way(axis, style, (x + 0.5, y + 0.68 * up), (x + 0.5, y + 0.3 * up))
        x += 1
    return x


def shapes_of_u(unet, x, text) -> dict[str, tuple[list[int], list[int]]]:
    """The shapes (c, h, w) that go into each block of the UNet, and come out, by its name."""
    blocks = {name: block for name, block in unet.named_children() if name.startswith("conv_")}
    blocks |= {f"down_blocks.{i}": block for i, block in enumerate(unet.down_blocks)}
    shapes, hooks = {}, []
    for name, block in blocks.items():

        def note(_, inputs, output, name=name):
            shapes[name] = list(inputs[0].shape[1:]), list(output.shape[1:])

        hooks.append(block.register_forward_hook(note))
    unet(x, torch.tensor([999]), text[:1])
    for hook in hooks:
        hook.remove()
    return shapes


def the_u(ns):
    """The miniature's UNet, level by level: its layers, its skips, and what time and text reach."""
    from matplotlib.patches import Circle

    unet = ns["model"].unet
    shapes = shapes_of_u(unet, ns["noise"], ns["text"])
    down, up, row, slope = unet.down_blocks, unet.up_blocks[::-1], 2.2, 0.45
    figure, axis = canvas(width=8, height=1.7 + 1.1 * len(down))
    count = len(down[0].resnets)
    widest = 0.7 + 2 * count + 2.3 + (count + 1) * 2.35 + count * 0.35  # the lowest level, full
    right = widest + 2 * slope * (len(down) - 1)  # where the first row ends

    def kinds(level, i):
        return ["ResNet", "transf."][: 2 if i < len(level.attentions) else 1]

    def point(x, y, color):
        axis.add_patch(Circle((x, y), 0.09, facecolor=color, edgecolor="black", zorder=3))

    left_end, right_start = (-0.45, 1.6), None
    for i in range(len(down)):
        y, x, kept, joined = -row * i, slope * i, [slope * i], []
        way(axis, DATA, left_end, (x - 0.45, left_end[1]), (x - 0.45, y), (x - 0.09, y))
        for j in range(count):
            way(axis, DATA, (x, y), (x + 0.35, y))
            x = layers_of_u(axis, x + 0.35, y, kinds(down[i], j)) + 0.35
            axis.plot([x - 0.35, x], [y, y], **DATA)
            kept.append(x)
        axis.plot([x, x], [y, y - 0.9], **DATA)
        left_end, end = (x, y - 0.9), right - slope * i
        x = end
        for j in reversed(range(count + 1)):  # from the last layer to the first
            x -= len(kinds(up[i], j))
            layers_of_u(axis, x, y, kinds(up[i], j))
            x -= 0.35
            way(axis, DATA, (x, y), (x + 0.35, y))
            joined.append(x)
            if j:
                axis.plot([x - 0.35, x], [y, y], **DATA)
                x -= 0.35
        for n, (a, b) in enumerate(zip(kept, joined)):  # the first that is kept is used last
            over = y + 1 - 0.15 * n
            bent = (a, over), (b, over), (b, y + 0.09)
            way(axis, SKIP, (a, y), *([(b - 0.09, y)] if n == count else bent))
            point(a, y, "black")
            point(b, y, "white")
        if i:  # up to the resolution above
            turn = (end, y + row - 0.9), (right_start, y + row - 0.9)
            way(axis, DATA, (end, y), *turn, (right_start, y + row - 0.09))
        right_start = joined[-1]
        size, channels = shapes[f"down_blocks.{i}"][0][1], shapes[f"down_blocks.{i}"][1][0]
        label, middle = f"{size} x {size}\n{channels} channels", (kept[-1] + joined[-1]) / 2
        axis.text(middle, y - 0.12, label, ha="center", va="top", fontsize=10)
        axis.text(kept[0] - 0.6, y, f"down_blocks.{i}", ha="right", va="center", fontsize=10)
        axis.text(end + 0.2, y, f"up_blocks.{len(up) - 1 - i}", va="center", fontsize=10)
    y, x = -row * len(down), (left_end[0] + right_start) / 2 - 1.5
    way(axis, DATA, left_end, (left_end[0], y + 0.9), (x - 0.35, y + 0.9), (x - 0.35, y), (x, y))
    layers_of_u(axis, x, y, ["ResNet", "transf.", "ResNet"])
    turn = (x + 3.35, y), (x + 3.35, y + 0.9), (right_start, y + 0.9)
    way(axis, DATA, (x + 3, y), *turn, (right_start, y + row - 0.09))
    axis.text(x - 0.5, y, "mid_block", ha="right", va="center", fontsize=10)
    way(axis, DATA, (right, 0), (right, 1.6))
    for x, name, (c, h, w) in (
        (-0.45, "conv_in", shapes["conv_in"][0]),
        (right, "conv_out", shapes["conv_out"][1]),
    ):
        axis.text(x, 1.7, f"{name}\n{c} x {h} x {w}", ha="center", va="bottom", fontsize=10)
    key = {"time embedding": TIME, "text states": TEXT, "skip, joined to the channels": SKIP}
    for n, (text, style) in enumerate(key.items()):
        x = right * (0.02 + 0.33 * n)
        way(axis, style, (x, y - 1.1), (x + 0.8, y - 1.1))
        axis.text(x + 1, y - 1.1, text, va="center", fontsize=10)
    axis.set(xlim=(-2.8, right + 2.1), ylim=(y - 1.4, 2.6), aspect="equal")
    axis.axis("off")
    return figure


# ---- 06


def two_layouts(ns):
    """The numbered blocks of the original layout and their names in the diffusers layout, level by
    level."""
    listed = json.loads((ROOT / "tests" / "data" / "single_file.json").read_text())["unet"]
    pairs = {theirs: ours for theirs, (ours, *_) in listed.items()}
    figure, axis = canvas(width=8.2, height=6.2)
    colors = [AMBER, BLUE, "#b5d99c", "#d8b4e2"]

    def row(x, y, theirs, color, ours):
        rectangle(axis, x, y - 0.4, 1.7, 0.8, facecolor=color, edgecolor="black")
        axis.text(x + 0.85, y, theirs, ha="center", va="center")
        axis.text(x + 1.8, y, ours, va="center")

    def inside(block):
        """What a numbered block holds: names in the diffusers layout, with their level."""
        names = [ours for theirs, ours in pairs.items() if theirs.startswith(block + ".")]
        parts = [name.split(".") for name in names]
        return parts[0][:2], " + ".join(".".join(part[2:4]) for part in parts)

    for x, blocks, numbers in (
        (0, "input_blocks", range(1, 12)),
        (4.3, "output_blocks", range(12)),
    ):
        y, before = 0.0, None
        if x == 0:
            row(x, y, "input_blocks.0", "#dddddd", "conv_in")
            y -= 1
        # from top to bottom: the way up ends at the top
        for n in numbers if x == 0 else reversed(numbers):
            level, names = inside(f"{blocks}.{n}")
            if level != before:
                axis.text(x, y + 0.05, ".".join(level) + ":", va="center", weight="bold")
                y, before = y - 0.9, level
            depth = int(level[1]) if x == 0 else 3 - int(level[1])
            row(x, y, f"{blocks}.{n}", colors[depth], names)
            y -= 1
    low = y + 1
    parts = [name.split(".", 1)[1] for name in pairs.values() if "mid_block" in name]
    row(2.2, low - 1.5, "middle_block", "#dddddd", f"mid_block: {' + '.join(parts)}")
    arrow = {"arrowstyle": "-|>", "color": "gray"}
    axis.annotate("", (-0.25, low), (-0.25, 0.4), arrowprops=arrow)
    axis.annotate("", (4.05, 0.4), (4.05, low), arrowprops=arrow)
    axis.set(xlim=(-0.35, 9.6), ylim=(low - 2, 0.6))
    axis.axis("off")
    return figure


# ---- 07


def who_looks_where(ns):
    """For one token of frame 2, the tokens that each kind of layer reads, as coloured cells of four
    frames."""
    side, at = 6, (2, 3)  # cells along a side; row and column of the token
    cells = {(i, y, x) for i in range(4) for y in range(side) for x in range(side)}
    own = {cell for cell in cells if cell[0] == 2}
    near = {(2, y, x) for _, y, x in own if abs(y - at[0]) <= 1 and abs(x - at[1]) <= 1}
    kinds = [
        ("3 x 3 convolution", near, ""),
        ("GroupNorm of the transformer", own, "statistics"),
        ("cross-attention", {(2, *at)}, ""),
        ("feed-forward", {(2, *at)}, ""),
        ("GroupNorm of the ResNet blocks", cells, "statistics"),
        ("SC-Attn", {cell for cell in cells if cell[0] in (0, 1)}, ""),
        ("Temp-Attn", {(i, *at) for i in range(4)}, ""),
    ]
    figure, axis = canvas(width=8, height=6.4)
    for r, (name, read, what) in enumerate(kinds):
        top = -7.6 * r - (3.5 if r > 3 else 0)
        axis.text(-1, top - 3, name, ha="right", va="center", fontsize=10)
        for i, y, x in cells:
            colour = "#e8e8e8" if (i, y, x) not in read else "#ffd9a8" if what else "#ff8c1a"
            if (i, y, x) == (2, *at):  # in SC-Attn, for the query
                colour = "#ff8c1a"
            square = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.8}
            rectangle(axis, 8 * i + x, top - y - 1, 1, 1, **square)
        mark = {"fill": False, "edgecolor": "black", "linewidth": 2, "zorder": 3}
        rectangle(axis, 16 + at[1], top - at[0] - 1, 1, 1, **mark)
        if name == "cross-attention":
            rectangle(axis, 33, top - 4, 9, 2, facecolor="#ff8c1a")
            axis.text(37.5, top - 3, "all text tokens", ha="center", va="center", fontsize=9)
    for i in range(4):
        axis.text(8 * i + 3, 1, f"frame {i}", ha="center", fontsize=10)
    for y, text in ((-0.5, "as in the\nimage network"), (-34, "looks at\nother frames")):
        axis.text(33, y, text, va="top", fontsize=10, style="italic")
    axis.plot([-18, 42], [-31.4, -31.4], color="gray", linewidth=0.8, linestyle="--")
    rectangle(axis, 33, -47, 1.5, 1.5, facecolor="#ff8c1a")
    axis.text(35, -46.3, "read", va="center", fontsize=9)
    rectangle(axis, 33, -50, 1.5, 1.5, facecolor="#ffd9a8")
    axis.text(35, -49.3, "only mean, variance", va="center", fontsize=9)
    axis.set(xlim=(-19, 44), ylim=(-55.5, 3), aspect="equal")
    axis.axis("off")
    return figure


# ---- 13


def one_step(ns):
    """What a tuning step of SD 1.4 takes while it runs, without and with checkpointing; the weights
    and the optimizer at the bottom."""
    figure, axis = canvas(width=8, height=3.6)
    fixed, curves = ns["fixed"], {how: curve.numpy() for how, curve in ns["curves"].items()}
    axis.axhspan(0, fixed, color="silver", linewidth=0)
    axis.text(0.012, fixed / 2, "weights, and what AdamW needs", va="center", fontsize=9)
    for (how, curve), colour in zip(curves.items(), ("tab:orange", "tab:blue")):
        moments = np.linspace(0, 1, len(curve))
        axis.plot(moments, fixed + curve, color=colour, linewidth=1.3, label=f"{how} checkpointing")
        top = int(curve.argmax())
        axis.annotate(
            f"{fixed + curve[top]:.1f} GB",
            (moments[top], fixed + curve[top]),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            color=colour,
        )
    axis.set(
        xlabel="one step of tuning, from its first operation to its last",
        ylabel="GB, by count",
        xlim=(0, 1),
        ylim=(0, 1.12 * (fixed + max(curve.max() for curve in curves.values()))),
        xticks=[],
    )
    axis.legend(frameon=False, loc="upper right")
    return figure


# ---- README


def edits() -> Image.Image:
    """The pictures of README, lesson 00 and the start page, which take minutes: what the two
    commands leave, as a gif, written here at half its size, and as a sheet."""
    run = ROOT / RUNS / "lessons" / "readme"
    shutil.rmtree(run, ignore_errors=True)
    command("tune.py", "clip.mp4", "a man is skiing", "--out", run)
    command("sample.py", "--run", run)
    shrink(run / "samples" / "comparison.gif", FIGURES / "edits.gif")
    return Image.open(run / "samples" / "comparison.png")


def parts() -> Image.Image:
    """The picture of README of what each part of the method does, from the strips of the start
    page, which `python -m lessons.parts` makes."""
    from .parts import picture

    return picture()


def command(*job) -> None:
    """Run one of the two commands."""
    subprocess.run([sys.executable, *job], cwd=ROOT, check=True)


def shrink(source: Path, target: Path) -> None:
    """A gif at half its width and height."""
    from tav.io.video import read_clip, write_gif

    frames, fps = read_clip(source)  # f 3 h w
    half = torch.nn.functional.interpolate(
        frames, scale_factor=0.5, mode="bilinear", antialias=True
    )
    write_gif(target, half, fps)


# ---- the command


def main() -> None:
    if not sys.argv[1:] or "README" in sys.argv:
        save(edits(), FIGURES / "edits.png")
        if STRIPS.exists():
            save(parts(), FIGURES / "parts.png")
    for lesson in lesson_files(sys.argv[1:]):
        if diagrams := names(lesson):
            _, ns = run_blocks(lesson)
            for name in diagrams:
                save(draw(name, ns), FIGURES / f"{name}.png")
                print(f"lessons/figures/{name}.png")


if __name__ == "__main__":
    main()
