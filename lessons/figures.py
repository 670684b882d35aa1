"""Runs the python blocks of the lessons and draws their figures:

    python -m lessons.figures [03 ...]

Besides numbers it knows README, whose picture takes minutes; without arguments it makes everything.

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
from tav.vae import to_uint8

from .blocks import LESSONS, ROOT, lesson_files, run_blocks, shown

FIGURES = LESSONS / "figures"
MOST_BYTES = 250_000  # of one figure


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


def rgb(frame: torch.Tensor) -> np.ndarray:
    """A frame (3, h, w) in [-1, 1] as bytes (h, w, 3)."""
    return to_uint8(frame[None])[0]


def show(axis, picture, label: str = "", **options) -> None:
    """A picture (3, h, w) in [-1, 1], or a map (h, w), without ticks, and a label above it."""
    axis.imshow(
        rgb(picture) if picture.ndim == 3 else np.asarray(picture),
        **{"interpolation": "nearest"} | options,
    )
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_title(label, fontsize=10)


def rectangle(axis, x, y, width, height, **style) -> None:
    """A rectangle, from its corner at the least x and y."""
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((x, y), width, height, **style))


def without_frame(axis, **ticks) -> None:
    """Numbers beside a picture, but no lines."""
    axis.tick_params(length=0, **ticks)
    axis.spines[:].set_visible(False)


def beside(axis, label: str) -> None:
    """A label on the left of a picture."""
    axis.set_ylabel(label, rotation=0, ha="right", va="center")


def above(axis, label: str) -> None:
    """A label above a picture that may be wider, and does not push its neighbour away."""
    axis.set_title(" ", fontsize=10)  # room for it
    axis.text(0, 1.06, label, fontsize=10, transform=axis.transAxes).set_in_layout(False)


def wrapped(label: str) -> str:
    """A label over two lines, if it has two words."""
    words = label.split()
    half = min(
        range(1, len(words) + 1),
        key=lambda i: max(len(" ".join(words[:i])), len(" ".join(words[i:]))),
    )
    return (" ".join(words[:half]) + "\n" + " ".join(words[half:])).strip()


def two_rows(columns: dict, height: float, width: float = 8.0):
    """The first two pictures of each column beneath each other, under the column's name."""
    figure, axes = canvas(2, len(columns), width=width, height=height)
    for axis, (name, pictures) in zip(axes.T, columns.items()):
        show(axis[0], pictures[0], wrapped(name))
        show(axis[1], pictures[1])
    return figure


def rows_of(videos: dict, columns: int, width: float, height: float):
    """Videos (f, 3, h, w), one a row, with their names on the left: the figure and its axes."""
    figure, axes = canvas(len(videos), columns, width=width, height=height)
    for row, (name, video) in zip(axes, videos.items()):
        beside(row[0], name)
        for axis, picture in zip(row, video):
            show(axis, picture)
    return figure, axes


def save(figure, path: Path) -> None:
    """A matplotlib figure or PIL image as a png of 256 colours."""
    if not isinstance(figure, Image.Image):
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.05
        )
        figure = Image.open(buffer)
    figure = figure.convert("RGB").quantize(256, dither=Image.Dither.NONE)
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


# ---- 00


def there_and_back(ns):
    """Four frames of the clip on their way to an edit: frames, latents, noise, other latents, other
    frames."""
    rows = {"clip": ns["clip"]}
    for name, key in {
        "latents": "latents",
        "noise": "noise",
        "latents\nof the edit": "edited",
    }.items():
        rows[name] = (ns[key][:, :3] / 3).clamp(-1, 1)
    rows["edit"] = ns["video"]
    figure, _ = rows_of({name: row[::2] for name, row in rows.items()}, 4, width=5.2, height=6.2)
    return figure


def no_inversion(ns):
    """The clip, its edit from inverted noise, and from random noise."""
    rows = {
        "clip": ns["clip"],
        "from its\nown noise": ns["video"],
        "from random\nnoise": ns["unled"],
    }
    figure, _ = rows_of(rows, 8, width=9, height=3.2)
    return figure


# ---- 00b


def drawn(ns):
    """Drawings to train on, and sampled ones, a row for each guidance."""
    rows = {"to train on": ns["examples"]}
    rows |= {f"guidance {g}": pictures for g, (pictures, _) in ns["sampled"].items()}
    figure, axes = rows_of(rows, 12, width=9, height=3.3)
    for axis, word in zip(axes[1, 1::4], ns["WORDS"]):
        axis.set_title(f"{word}s", fontsize=10, loc="left")
    return figure


def on_the_way(ns):
    """One sample of each word at some of its steps: the noisy drawing above, the implied below."""
    path = ns["sampled"][1][1]
    shown = [path[i] for i in (0, 15, 30, 45, 60, 75, 90, 99)]
    figure, axes = canvas(6, len(shown), width=7, height=5.6)
    for column, (t, x, x0) in zip(axes.T, shown):
        for k, i in enumerate((0, 5, 9)):
            show(column[2 * k], x[i].clamp(-1, 1), f"t = {t}" if k == 0 else "")
            show(column[2 * k + 1], x0[i])
    return figure


# ---- 01


def latent_channels(ns):
    """A frame, and its latents channel by channel."""
    figure, axes = canvas(1, 5, width=9, height=2.2)
    show(axes[0], ns["frames"][0], "frame, 3 x 128 x 128")
    for i, axis in enumerate(axes[1:]):
        show(axis, ns["x0"][0, i], f"latent channel {i}", cmap="gray", vmin=-2.5, vmax=2.5)
    return figure


def reconstruction(ns):
    """A frame, decoded from its latents, what that lost, and the same with symmetric padding."""
    frame, rebuilt, shifted = (ns[name][0] for name in ("frames", "rebuilt", "shifted"))
    figure, axes = canvas(1, 5, width=9, height=2.2)
    show(axes[0], frame, "frame")
    show(axes[1], rebuilt, "reconstruction")
    show(axes[2], lost(rebuilt, frame), "difference x 2")
    show(axes[3], shifted, "symmetric padding")
    show(axes[4], lost(shifted, frame), "difference x 2")
    return figure


def lost(picture, frame):
    """The difference of two pictures (3, h, w), twice as large: dark where much was lost."""
    return (1 - 2 * (picture - frame).abs()).clamp(-1, 1)


def not_scaled(ns):
    """The forward chain of scaled and of unscaled latents, decoded."""
    figure, axes = canvas(2, len(ns["levels"]), width=6, height=3.2)
    for row, (name, pictures) in zip(axes, ns["chains"].items()):
        for axis, t, picture in zip(row, ns["levels"], pictures):
            show(axis, picture, f"t = {t}" if name == "scaled" else "")
        row[0].set_ylabel(name, fontsize=10)
    return figure


# ---- 02


def captions(ns):
    """How similar CLIP finds each pair of captions, and in a column of their own, each caption and
    a frame."""
    figure, (axis, column) = canvas(1, 2, width=7.5, height=4.4, width_ratios=[9, 1.4])
    letters = [chr(ord("A") + i) for i in range(len(ns["captions"]))]
    for place, cosines in ((axis, ns["cosines"]), (column, ns["with_frame"][:, None])):
        place.imshow(cosines.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for (i, j), cosine in np.ndenumerate(cosines.numpy()):
            text = f"{cosine:.1f}".replace("-0.0", "0.0")
            color = "white" if abs(cosine) > 0.6 else "black"
            place.text(j, i, text, ha="center", va="center", color=color)
        without_frame(place)
        place.xaxis.tick_top()
    axis.set(xticks=range(len(letters)), xticklabels=letters, yticks=range(len(letters)))
    axis.set_yticklabels([f"{text}   {x}" for text, x in zip(ns["captions"], letters)])
    column.set(xticks=[], yticks=[])
    axis.set_title("caption and caption", fontsize=11)
    column.set_title("caption\nand frame", fontsize=11)
    side = column.inset_axes([0.0, -0.19, 1.0, 0.17])  # under the column: the frame itself
    show(side, ns["frame"][0])
    return figure


def one_word(ns):
    """How much each text state changes when the third piece does."""
    figure, axis = canvas(width=7, height=2.8)
    labels = [label.removesuffix("</w>") for label in ns["labels"]]
    labels[0], labels[2], labels[-1] = "start", "man / cat", "end"
    words, change, count = len(labels), ns["change"].tolist(), len(ns["change"])
    colors = ["tab:red" if i == 2 else "tab:blue" if i < words else "silver" for i in range(count)]
    axis.bar(range(count), change, color=colors)
    axis.set_xticks(range(words), labels, rotation=60, ha="right", rotation_mode="anchor")
    middle, low = (words + count - 1) / 2, -0.06 * max(change)
    axis.plot([words - 0.4, count - 0.6], [low, low], color="gray", clip_on=False)
    axis.text(middle, 1.6 * low, f"padding, {count - words} positions", ha="center", va="top")
    axis.set(ylabel="relative change", xlim=(-0.6, count - 0.4), ylim=(0, 1.05 * max(change)))
    return figure


def wrong_text(ns):
    """The same noise and prompt with the right text states, and with two wrong ones."""
    figure, axes = canvas(1, len(ns["pictures"]), width=6, height=2.2)
    for axis, (name, picture) in zip(axes, ns["pictures"].items()):
        show(axis, picture, name)
    return figure


# ---- 03


def forward_chain(ns):
    """Latents of the clip's first frame under more and more noise, and decoded."""
    figure, axes = canvas(2, len(ns["levels"]), width=8, height=2.9)
    for i, t in enumerate(ns["levels"]):
        # three of four channels as colours
        show(axes[0, i], (ns["chain"][i, :3] / 3).clamp(-1, 1), f"t = {t}")
        show(axes[1, i], ns["decoded"][i])
    return figure


def best_guess(ns):
    """The mean of the clip's frames, weighted by how probable the noisy latents make each."""
    figure, axes = canvas(1, len(ns["averages"]), width=9, height=1.8)
    for axis, (t, picture) in zip(axes, ns["averages"].items()):
        show(axis, picture, f"t = {t}")
    return figure


def loss_by_timestep(ns):
    """The network's error in the noise, the error of the picture that it implies, and the weight of
    the timestep in the miniature's training."""
    figure, axis = canvas(width=7, height=2.8)
    axis.plot(ns["steps"], ns["losses"], "o-", color="tab:red", label="error of the noise")
    axis.plot(
        ns["steps"], ns["errors"], "s-", color="tab:blue", label="error of the picture it implies"
    )
    weight = (ns["snr"].clamp(max=5) / ns["snr"]).tolist()
    axis.plot(weight, "--", color="gray", label="weight in training")
    axis.set(xlabel="timestep t", ylabel="mean squared error; weight", ylim=(0, 1.05))
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def wrong_schedule(ns):
    """Two prompts from the same noise, sampled with each schedule."""
    figure, axes = canvas(2, len(ns["sampled"]), width=6.6, height=4.6)
    for column, (name, pictures) in zip(axes.T, ns["sampled"].items()):
        show(column[0], pictures[0], name)
        show(column[1], pictures[1])
    return figure


def schedules(ns):
    """sqrt(Abar) and sqrt(1 - Abar) of each schedule."""
    figure, axis = canvas(width=7, height=2.8)
    for style, (name, schedule) in zip(["-", "--", ":"], ns["schedules"].items()):
        left = schedule.alphas_cumprod
        axis.plot(left.sqrt(), style, color="tab:blue", label=f"picture, {name}")
        axis.plot((1 - left).sqrt(), style, color="tab:red", label=f"noise, {name}")
    axis.set(xlabel="timestep t", ylabel="factor in the mixture", ylim=(0, 1.02))
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


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


def steps_of_u(axis, x, y, kinds):
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


def the_u(ns):
    """The UNet of the trace, resolution by resolution: its layers, its skips, and what time and
    text reach."""
    from matplotlib.patches import Circle

    shapes, unet = dict(zip(ns["blocks"], ns["trace"])), ns["unet"]
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
            x = steps_of_u(axis, x + 0.35, y, kinds(down[i], j)) + 0.35
            axis.plot([x - 0.35, x], [y, y], **DATA)
            kept.append(x)
        axis.plot([x, x], [y, y - 0.9], **DATA)
        left_end, end = (x, y - 0.9), right - slope * i
        x = end
        for j in reversed(range(count + 1)):  # from the last step to the first
            x -= len(kinds(up[i], j))
            steps_of_u(axis, x, y, kinds(up[i], j))
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
    steps_of_u(axis, x, y, ["ResNet", "transf.", "ResNet"])
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


def time_embedding(ns):
    """Four of the waves over all timesteps, and the whole rows of five timesteps."""
    times, torch = [100, 101, 500, 501, 900], ns["torch"]
    rows = ns["timestep_embedding"](torch.arange(1000), ns["unet"].conv_in.out_channels).numpy()
    half = rows.shape[1] // 2
    figure, axes = canvas(5, 1, width=7, height=6, height_ratios=[1, 1, 1, 1, 3.2])
    for axis, k in zip(axes, [half * part // 16 for part in (3, 6, 9, 12)]):
        axis.plot(rows[:, k], color="tab:blue")
        axis.plot(rows[:, half + k], color="tab:orange", linestyle="--", linewidth=1)
        axis.set(xlim=(0, 999), ylim=(-1.15, 1.15), yticks=[-1, 1], xticks=range(0, 1000, 100))
        axis.tick_params(labelbottom=axis is axes[3])
        axis.set_ylabel(f"k = {k}", rotation=0, ha="right", va="center", labelpad=12)
    axes[3].set_xlabel("timestep t")
    picture = axes[4].imshow(rows[times], cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    axes[4].set(yticks=range(len(times)), yticklabels=[f"t = {t}" for t in times])
    axes[4].set_xticks([0, half - 1, half, 2 * half - 1], ["fast", "slow", "fast", "slow"])
    for tick, side in zip(axes[4].get_xticklabels(), ("left", "right", "left", "right")):
        tick.set_ha(side)
    without_frame(axes[4])
    for y in range(1, len(times)):
        axes[4].axhline(y - 0.5, color="white", linewidth=4)
    axes[4].axvline(half - 0.5, color="white", linewidth=6)
    for x, what in ((half / 2, "cosines"), (1.5 * half, "sines")):
        axes[4].text(x - 0.5, -0.65, what, ha="center", va="bottom")
    figure.colorbar(picture, ax=axes[4], ticks=[-1, 0, 1])
    return figure


def attention_maps(ns):
    """A sampled picture, and over it, how much each place attends to the start, to three words and
    to the padding."""
    figure, axes = canvas(2, 3, width=5.6, height=4)
    maps = {"start token": ns["attention"][0]}
    maps |= {
        f'"{piece}"': ns["attention"][i] for i, piece in enumerate(ns["pieces"]) if len(piece) > 4
    }
    maps = {name: heat for name, heat in maps.items() if "|" not in name}
    maps["all padding"] = ns["padding"]
    picture = rgb(ns["picture"])
    pale = 0.6 + 0.4 * picture.mean(-1) / 255  # so that the heat shows
    show(axes.flat[0], ns["picture"], "the picture")
    whole = (-0.5, len(picture) - 0.5, len(picture) - 0.5, -0.5)
    heats = {"cmap": "inferno", "alpha": 0.75, "vmin": 0, "vmax": 1, "interpolation": "bilinear"}
    for axis, (name, heat) in zip(axes.flat[1:], maps.items()):
        show(axis, pale, f"{name}: {100 * heat.mean():.0f} %", cmap="gray", vmin=0, vmax=1)
        share = np.clip((heat / heat.max()).numpy(), 0, 1)
        image = axis.imshow(share, extent=whole, **heats)
    bar = figure.colorbar(image, ax=axes, ticks=[0, 1], shrink=0.5, aspect=12)
    bar.ax.set_yticklabels(["none", "most"])
    return figure


def wrong_unets(ns):
    """The same noise through the UNet and through what four mistakes make of it."""
    return two_rows(ns["sampled"], 3.6)


# ---- 05


def guesses(ns):
    """The latents on their way from noise to picture, and the picture that each answer implies,
    decoded."""
    figure, axes = canvas(2, len(ns["shown"]), width=8, height=3)
    for column, (t, _, _), x, guess in zip(axes.T, ns["shown"], ns["on_the_way"], ns["guesses"]):
        show(column[0], x, f"t = {t}")
        show(column[1], guess)
    axes[0, 0].set_ylabel("latents", fontsize=10)
    axes[1, 0].set_ylabel("guess", fontsize=10)
    return figure


def ddpm_and_ddim(ns):
    """Both recipes from the same noise, by number of steps."""
    figure, axes = canvas(2, len(ns["counts"]), width=6, height=3.3)
    for row, (name, pictures) in zip(axes, ns["by_recipe"].items()):
        for axis, steps, picture in zip(row, ns["counts"], pictures):
            show(axis, picture, f"{steps} steps" if name == "DDIM" else "")
        row[0].set_ylabel(name, fontsize=10)
    return figure


def guidance(ns):
    """Two prompts under more and more guidance."""
    return two_rows({f"{scale}": pictures for scale, pictures in ns["guided"].items()}, 2.7)


def mismatched(ns):
    """Two prompts sampled with the right loop and with four wrong ones."""
    return two_rows(ns["wrong"], 3.6)


# ---- 06


def header(ns):
    """The parts of a safetensors file, and how the table leads to the numbers."""
    figure, axis = canvas(width=7.4, height=3.4)
    raw, length, entries = ns["raw"], ns["length"], list(ns["header"].items())[:3]
    gray, code = {"color": "#555555"}, {"family": "monospace", "fontsize": 8, "va": "center"}
    parts = {"length of the table": (8, 0, 2.8), "table, as JSON": (length, 3.0, 4.3)}
    parts["numbers"] = (len(raw) - 8 - length, 7.5, 2.5)
    for what, (size, left, width) in parts.items():
        rectangle(axis, left, 4.2, width, 0.55, facecolor="#eeeeee", edgecolor="black")
        axis.text(left + width / 2, 4.475, what, ha="center", va="center")
        axis.text(left + width / 2, 4.8, f"{size:,} bytes", ha="center", va="bottom", **gray)
    axis.text(0, 3.95, f"{raw[:8].hex(' ')} = {length:,}", **code)
    axis.text(0, 3.45, "the first entries of the table:", va="center", **gray)
    axis.text(0, 1.75, "their numbers, and the data_offsets where they are:", va="center", **gray)
    for i, ((name, about), color) in enumerate(zip(entries, [AMBER, BLUE, "#b5d99c"])):
        box = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
        axis.text(0.03, 3.05 - 0.4 * i, json.dumps({name: about})[1:-1], bbox=box, **code)
        left, (begin, end) = 3.25 * i, about["data_offsets"]
        values = np.frombuffer(raw[8 + length + begin :][:4], "<f2")
        rectangle(axis, left, 0.6, 3.05, 0.5, facecolor=color, edgecolor="black")
        text = ", ".join(f"{value:.3f}" for value in values) + ", ..."
        axis.text(left + 0.1, 0.85, text, **code)
        axis.text(left + 1.525, 1.15, name, ha="center", va="bottom", fontsize=9)
        axis.text(left, 0.5, f"{begin:,}", va="top", **gray)
        axis.text(left + 3.05, 0.5, f"{end:,}", va="top", ha="right", **gray)
    axis.text(9.7, 0.85, "...", va="center")
    axis.set(xlim=(-0.05, 10.05), ylim=(0.1, 5.2))
    axis.axis("off")
    return figure


def two_layouts(ns):
    """The numbered blocks of the original layout and their names in the diffusers layout, level by
    level."""
    figure, axis = canvas(width=8.2, height=6.2)
    colors = [AMBER, BLUE, "#b5d99c", "#d8b4e2"]

    def row(x, y, theirs, color, ours):
        rectangle(axis, x, y - 0.4, 1.7, 0.8, facecolor=color, edgecolor="black")
        axis.text(x + 0.85, y, theirs, ha="center", va="center")
        axis.text(x + 1.8, y, ours, va="center")

    def inside(block):
        """What a numbered block holds: names in the diffusers layout, with their level."""
        names = [ours for theirs, ours in ns["pairs"].items() if theirs.startswith(block + ".")]
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
    parts = [name.split(".", 1)[1] for name in ns["pairs"].values() if "mid_block" in name]
    row(2.2, low - 1.5, "middle_block", "#dddddd", f"mid_block: {' + '.join(parts)}")
    arrow = {"arrowstyle": "-|>", "color": "gray"}
    axis.annotate("", (-0.25, low), (-0.25, 0.4), arrowprops=arrow)
    axis.annotate("", (4.05, 0.4), (4.05, low), arrowprops=arrow)
    axis.set(xlim=(-0.35, 9.6), ylim=(low - 2, 0.6))
    axis.axis("off")
    return figure


def not_strict(ns):
    """Two prompts, sampled with the right weights and with three that were loaded carelessly; under
    each wrong picture, how much it differs from the right one."""
    titles = {
        "right": "right",
        "VAE's attention random": "VAE's attention\nrandom",
        "text encoder random": "text encoder\nrandom",
        "query and key swapped": "query and key\nswapped",
    }
    figure, axes = canvas(4, len(titles), width=5, height=5.5)
    right = ns["pictures"]["right"]
    for column, (name, title) in zip(axes.T, titles.items()):
        for i, picture in enumerate(ns["pictures"][name][:2]):
            show(column[2 * i], picture, "" if i else title)
            below = column[2 * i + 1]
            if name == "right":
                below.axis("off")
                prompt = ns["prompts"][2 + i].replace(" is ", "\nis ").replace(" at ", "\nat ")
                text = prompt.replace(" on ", "\non ") + "\n\ndifferences:"
                below.text(0.97, 0.95, text, ha="right", va="top", transform=below.transAxes)
                continue
            off = (picture - right[i]).abs().mean(0)
            show(below, off, cmap="magma", vmin=0, vmax=1)
    return figure


# ---- 07


def folding(ns):
    """Two videos as a grid, folded into one row of pictures, and stacked into two tall ones."""
    figure, axis = canvas(width=8, height=4.1)
    videos = [[rgb(frame) for frame in video[:4]] for video in (ns["clip"], ns["together"][0])]
    colours = ["tab:blue", "tab:orange"]

    def put(v, i, x, y, text=""):
        axis.imshow(videos[v][i], extent=(x, x + 1, y, y + 1))
        rectangle(axis, x, y, 1, 1, fill=False, edgecolor=colours[v], linewidth=1.5)
        axis.text(x + 0.5, y - 0.07, text, ha="center", va="top", fontsize=10)

    for v in range(2):
        axis.text(
            -0.15,
            3.9 - 1.1 * v,
            f"video {v}",
            ha="right",
            va="center",
            color=colours[v],
            fontsize=10,
        )
        for i in range(4):
            put(v, i, 1.1 * i, 3.4 - 1.1 * v)
            put(v, i, 1.04 * (4 * v + i) - 0.6, 0, f"row {4 * v + i}")
            put(v, i, 9.2 + 1.3 * v, 3.4 - i)
    for i in range(4):
        axis.text(1.1 * i + 0.5, 4.5, f"frame {i}", ha="center", fontsize=10)
    arrow = {"arrowstyle": "-|>", "linewidth": 1.5}
    axis.annotate("", (2.1, 1.15), (2.1, 2.2), arrowprops=arrow)
    axis.text(2.3, 1.68, "fold:  (b, f, c, h, w)  to  (b f, c, h, w)", va="center", fontsize=10)
    axis.annotate("", (9.0, 1.9), (7.8, 1.15), arrowprops=arrow)
    axis.text(10.35, 4.78, "for GroupNorm: (b, c, f h, w)", ha="center", fontsize=10)
    axis.text(10.35, 4.5, "one mean, one variance each", ha="center", fontsize=10)
    axis.set(xlim=(-1.1, 12.2), ylim=(-0.4, 5.1))
    axis.axis("off")
    return figure


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


def strips(rows, width=8.0, height=1.1):
    """Videos (f, 3, h, w) under their names, as rows of pictures."""
    figure, axes = canvas(
        len(rows), len(next(iter(rows.values()))), width=width, height=height * len(rows)
    )
    for line, (name, video) in zip(axes, rows.items()):
        for axis, picture in zip(line, video):
            show(axis, picture)
        above(line[0], name)
    return figure


def one_by_one(ns):
    """The same noises sampled as pictures, and as one video in the orders of the least and the
    largest spread."""
    rows = {f"one by one: spread {ns['spread'](ns['one_by_one']):.2f}": ns["one_by_one"]}
    for what, i in (("best", ns["spreads"].argmin()), ("worst", ns["spreads"].argmax())):
        name = f"as one video, {what} order: spread {ns['spreads'][i]:.2f}"
        rows[name] = ns["together"][i]
    return strips(rows, width=7, height=1.15)


def not_pooled(ns):
    """How far predictions are off without pooling, as bars above the frames of the three clips."""
    from matplotlib import pyplot as plt

    canvas()
    figure = plt.figure(figsize=(8, 4.6), dpi=160, layout="constrained")
    grid = figure.add_gridspec(4, 8, height_ratios=[2, 1, 1, 1])
    bars = figure.add_subplot(grid[0, :])
    for n, ((name, off), colour) in enumerate(
        zip(ns["off"].items(), ("tab:blue", "tab:orange", "tab:purple"))
    ):
        bars.bar(np.arange(8) + 0.25 * (n - 1), off.numpy(), 0.25, color=colour, label=name)
        for i in range(8):
            axis = figure.add_subplot(grid[1 + n, i])
            show(axis, ns["clips"][name][i])
            axis.spines[:].set(visible=True, color="lightgray")
            if i == 0:
                axis.set_ylabel(name, color=colour)
    bars.set(xlim=(-0.5, 7.5), xlabel="frame", ylabel="off by, percent")
    bars.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


# ---- 08


def where_patches_look(ns):
    """A patch of frame 5 a row; beside it its attention, as colour over frame 0 and frame 4."""
    figure, axes = canvas(3, 3, width=5.8, height=4.9)
    for line, (name, (y, x)) in zip(axes, ns["patches"].items()):
        show(line[0], ns["clip"][5], "frame 5" if name == "jacket" else "")
        line[0].set_ylabel(name)
        line[0].plot(
            8 * x + 3.5,
            8 * y + 3.5,
            "s",
            markersize=8,
            color="none",
            markeredgecolor="red",
            mew=2.5,
        )
        for axis, i, seen in zip(line[1:], (0, 4), ns["maps"][name]):
            show(
                axis,
                ns["clip"][i].mean(0),
                f"frame {i}" if name == "jacket" else "",
                cmap="gray",
                vmin=-2,
                vmax=1.3,
            )
            even = seen * ns["maps"][name].numel()  # 1: as much as if all patches got the same
            heat = axis.imshow(
                even.numpy(),
                extent=(-0.5, 127.5, 127.5, -0.5),
                cmap="inferno",
                vmin=0,
                vmax=4,
                alpha=0.65,
            )
    label = "attention, in multiples of an even share"
    figure.colorbar(heat, ax=axes, ticks=range(5), shrink=0.8, extend="max", label=label)
    return figure


def who_sees_whom(ns):
    """Four kinds of attention as matrices of frames: a row looks, columns are looked at."""
    f = 8
    first = torch.eye(f)[0].expand(f, f)
    previous = torch.eye(f)[[0, *range(f - 1)]]
    kinds = {
        "image network": (torch.eye(f), "f n²"),
        "all frames": (torch.ones(f, f), "f² n²"),
        "all up to itself": (torch.ones(f, f).tril(), "½ f (f + 1) n²"),
        "SC-Attn": ((first + previous) / 2, "2 f n²"),
    }
    figure, axes = canvas(1, 4, width=8, height=2.9)
    for axis, (name, (seen, cost)) in zip(axes, kinds.items()):
        axis.imshow(seen.numpy(), cmap="Oranges", vmin=0, vmax=1.3)
        axis.set(xticks=range(f), yticks=range(f), xlabel=f"looks at frame\n{cost} pairs")
        axis.xaxis.label.set_size(11)
        axis.set_title(name, fontsize=11)
        axis.set_xticks(np.arange(f) - 0.5, minor=True)
        axis.set_yticks(np.arange(f) - 0.5, minor=True)
        axis.grid(which="minor", color="white", linewidth=1.5)
        without_frame(axis, which="both", labelsize=9.5)
    axes[0].set_ylabel("frame", fontsize=11)
    return figure


def influence(ns):
    """How far a disturbance of one frame moves each prediction, in percent of its own, on a
    logarithmic scale."""
    from matplotlib.colors import LogNorm

    figure, axes = canvas(1, 2, width=8, height=4.2)
    for axis, (name, percent) in zip(axes, ns["influence"].items()):
        axis.imshow(percent.clamp(min=0.01).numpy(), cmap="Oranges", norm=LogNorm(0.02, 50))
        for i in range(8):
            for j in range(8):
                number = (
                    f"{percent[i, j]:.0f}"
                    if i == j
                    else f"{percent[i, j]:.1f}"
                    if percent[i, j]
                    else "0"
                )
                axis.text(
                    j,
                    i,
                    number,
                    ha="center",
                    va="center",
                    fontsize=9.5,
                    color="white" if i == j else "black",
                )
        axis.set(xticks=range(8), yticks=range(8), xlabel="frame that is disturbed")
        axis.set_title(name, fontsize=10)
        without_frame(axis)
    axes[0].set_ylabel("frame whose prediction moves (percent)")
    return figure


def flicker(ns):
    """The same noises, in the first of the orders, drawn with four choices of frames to look at."""
    return strips(
        {f"each frame looks at: {name}": videos[0] for name, videos in ns["videos"].items()},
        width=7,
        height=1.15,
    )


# ---- 09


def trained(ns):
    """How many parameters of SD 1.4's video UNet are of which kind, and which of them train."""
    kinds = sorted(ns["counts"], key=ns["counts"].get)
    millions = [ns["counts"][kind] / 1e6 for kind in kinds]
    train = [["attn_temp"], ["attn1.to_q"], ["attn2.to_q"]]
    colours = ["tab:orange" if ns["kinds"][kind] in train else "silver" for kind in kinds]
    figure, axis = canvas(width=8, height=3)
    bars = axis.barh(kinds, millions, color=colours)
    axis.bar_label(bars, [f"{m:.1f}" for m in millions], padding=3)
    axis.set(xlabel="millions of parameters, SD 1.4", xlim=(0, 1.1 * max(millions)))
    pair = [bars[kinds.index("Temp-Attn")], bars[-1]]
    axis.legend(pair, ["trained", "frozen"], frameon=False, loc="center right")
    return figure


def over_time(ns):
    """Of the most uneven Temp-Attn: the matrices of two places, before and after tuning, and how
    uneven it is at all places; below, how uneven all layers are."""
    from matplotlib import pyplot as plt

    canvas()
    figure = plt.figure(figsize=(7, 8.2), dpi=160, layout="constrained")
    top, middle, maps, bottom = figure.subfigures(4, 1, height_ratios=[1, 2.2, 2.3, 2])
    uneven = [ns["distance"](a, 1 / 8) for a in ns["attention"]["after"]]
    layer = max(range(len(uneven)), key=lambda i: uneven[i].mean())
    side = round(len(uneven[layer]) ** 0.5)
    change = ns["change"](side * side)
    places = {"changes most": change.argmax().item(), "changes least": change.argmin().item()}
    colours = {"changes most": "red", "changes least": "tab:green"}

    def mark(axis, size):
        """Outline the two places in a picture `size` pixels wide."""
        for name, place in places.items():
            corner = (np.array([place % side, place // side])) * size / side - 0.5
            outline = {"fill": False, "edgecolor": colours[name], "linewidth": 2}
            rectangle(axis, *corner, size / side, size / side, **outline)

    for i, axis in enumerate(top.subplots(1, 8)):
        show(axis, ns["clip"][i], f"frame {i}")
        mark(axis, ns["clip"].shape[-1])

    axes = middle.subplots(1, 4)
    pairs = [(name, when) for name in places for when in ns["attention"]]
    for axis, (name, when) in zip(axes, pairs):
        a = ns["attention"][when][layer][places[name]]
        image = axis.imshow(8 * a.numpy(), cmap="viridis", vmin=0, vmax=4)
        axis.set_title(f"{name},\n{when} tuning", fontsize=10, color=colours[name])
        axis.set(xticks=range(8), yticks=range(8), xlabel="looks at frame")
        without_frame(axis, labelsize=9)
    axes[0].set_ylabel("frame")
    label = "attention,\neven share = 1"
    middle.colorbar(image, ax=axes, shrink=0.7, extend="max", label=label)

    axes = maps.subplots(1, 3)
    show(axes[0], change.view(side, side), "change of the pixels", cmap="gray")
    for axis, (when, attention) in zip(axes[1:], ns["attention"].items()):
        values = ns["distance"](attention[layer], 1 / 8).view(side, side)
        show(axis, values, f"uneven, {when} tuning", cmap="viridis", vmin=0, vmax=7 / 8)
    for axis in axes:
        mark(axis, side)
    maps.colorbar(axes[2].images[0], ax=axes, shrink=0.8, label="uneven by")

    axis, numbers = bottom.subplots(), ns["by_layer"]
    layers = np.arange(len(uneven))
    axis.axvspan(layer - 0.4, layer + 0.4, color="#eeeeee")
    for column, what, colour in ((0, "most", "red"), (1, "least", "tab:green")):
        for when, style in (("before", {"mfc": "white"}), ("after", {})):
            label = f"changes {what}, {when}"
            axis.plot(layers, numbers[when][:, column], "o", color=colour, label=label, **style)
    ticks = ["first"] + [""] * (len(layers) - 2) + ["last"]
    axis.set(
        ylim=(0, None), ylabel="uneven by", xlabel="Temp-Attn layers; grey: the layer shown above"
    )
    axis.set_xticks(layers, ticks)
    axis.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


def not_zero(ns):
    """The same noises drawn by networks that differ in how Temp-Attn begins, and how they differ
    from the first."""
    image = ns["pictures"]["image network"]
    figure, axes = canvas(len(ns["pictures"]), 8, width=8, height=4.4)
    for line, (name, pictures) in zip(axes, ns["pictures"].items()):
        for i, picture in enumerate(pictures):
            show(line[i], picture)
            show(line[i + 4], (picture - image[i]).abs().mean(0), cmap="magma", vmin=0, vmax=0.2)
        line[0].set_ylabel(wrapped(name))
    axes[0, 6].set_title(
        "difference from the image network, times 10", fontsize=10, x=0
    ).set_in_layout(False)
    return figure


# ---- 11


def clip_noise(ns):
    """The clip, its own noise and random noise: a channel of the latents, and the frames they are
    or become."""
    rows = {
        "the clip": (ns["latents"], ns["frames"]),
        "its own\nnoise": (ns["own"], ns["from_own"]),
        "random\nnoise": (ns["other"], ns["from_other"]),
    }
    ratios = [1, 1, 1, 0.08, 1, 1, 1]
    figure, axes = canvas(3, 7, width=7.5, height=3.7, width_ratios=ratios)
    for axis in axes[:, 3]:
        axis.axis("off")
    for row, (label, (latents, pictures)) in zip(axes, rows.items()):
        beside(row[0], label)
        for i in range(3):
            show(row[i], latents[i, 0], cmap="gray", vmin=-2.5, vmax=2.5)
            show(row[4 + i], pictures[i])
    axes[0, 1].set_title("channel 0 of the latents", fontsize=10).set_in_layout(False)
    axes[0, 5].set_title("frames: the clip, or drawn", fontsize=10).set_in_layout(False)
    return figure


def words_over_frames(ns):
    """The frames of an edit, and how much each place of them attends to two words of its prompt."""
    figure, axes = canvas(3, 4, width=7, height=4.8)
    for row, label in zip(axes, ("edit", 'attention\nto "skiing"', 'attention\nto "beach"')):
        beside(row[0], label)
    for k in range(4):
        show(axes[0, k], ns["edits"][1][k])
        for row, maps in zip(axes[1:], ns["words"]):
            show(row[k], maps[k], vmin=maps.min(), vmax=maps.max())
    return figure


def edit_grid(ns):
    """The clip and four edits, and beside each what the program that drew the clip draws for its
    prompt."""
    from weights.benchmark.clips import drawn as as_frames
    from weights.make.train import demonstration
    from weights.make.world.captions import parse
    from weights.make.world.scenes import edit

    film = demonstration()[::4]
    rows = [("the clip: a man is skiing", ns["frames"], film)]
    for prompt, video in zip(ns["prompts"], ns["edits"]):
        rows.append((prompt, video, edit(film, **parse(prompt))))
    figure, axes = canvas(
        len(rows), 7, width=7.5, height=6.9, width_ratios=[1, 1, 1, 0.12, 1, 1, 1]
    )
    for line, (prompt, video, scenes) in zip(axes, rows):
        line[3].axis("off")
        ideal = as_frames(scenes, 128)
        for k in range(3):
            show(line[k], video[k])
            show(line[4 + k], ideal[k])
        for axis, label in ((line[0], prompt), (line[4], "drawn by the program")):
            above(axis, label)
    return figure


def inversion_error(ns):
    """The distance after a round trip, by its number of steps, on logarithmic axes."""
    figure, axis = canvas(width=6, height=2.8)
    for mark, (name, counts) in zip("os", ns["counts"].items()):
        axis.plot(
            counts, [ns["distance"](ns["back"][name, n]) for n in counts], mark + "-", label=name
        )
    first = ns["distance"](ns["back"]["predicts noise", 4])
    axis.plot([4, 32], [first, first / 8], ":", color="gray", label="half for twice the steps")
    axis.set(
        xscale="log", yscale="log", xlabel="steps up, and steps down", ylabel="distance, as a share"
    )
    axis.set_xticks([4, 8, 16, 32], ["4", "8", "16", "32"])
    low, high = axis.get_ylim()
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if low < tick < high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    for side in (axis.xaxis, axis.yaxis):
        side.set_ticks([], minor=True)
    axis.legend(frameon=False)
    return figure


def wrong_ways(ns):
    """A frame and what comes back of it: above from v, right and wrong, below with more and more
    guidance."""
    pictures = {"the clip": ns["frames"][0]} | ns["pictures"]
    figure, axes = canvas(2, 4, width=7, height=4.1)
    for axis, (name, picture) in zip(axes.flat, pictures.items()):
        show(axis, picture, name)
    return figure


# ---- 12


def near_and_far(ns):
    """Cosines, times 100, of the clip's frames and an ideal edit's with each other and with two
    prompts."""
    figure, axis = canvas(width=8, height=6)
    pictures, cosines = [*ns["frames"], *ns["truths"]["subject"]], ns["cosines"].numpy()
    columns = [*range(8), 8.6, 9.6]
    for i, picture in enumerate(pictures):
        axis.imshow(rgb(picture), extent=(-1.15, -0.2, i + 0.95, i), interpolation="antialiased")
        axis.imshow(rgb(picture), extent=(i, i + 0.95, -0.2, -1.15), interpolation="antialiased")
    for i, row in enumerate(cosines):
        for x, cosine in zip(columns, row):
            heat = min(max(cosine / 100, 0), 1)  # white to orange
            rectangle(axis, x, i, 0.95, 0.95, facecolor=(1, 1 - 0.5 * heat, 1 - 0.9 * heat))
            axis.text(x + 0.48, i + 0.5, f"{cosine:.0f}", ha="center", va="center", fontsize=10)
    stairs = [
        (1, 0),
        (3.95, 0),
        (3.95, 2.95),
        (3, 2.95),
        (3, 1.95),
        (2, 1.95),
        (2, 0.95),
        (1, 0.95),
        (1, 0),
    ]
    for first, colour in ((0, "tab:blue"), (4, "tab:green")):
        axis.plot(*zip(*[(x + first, y + first) for x, y in stairs]), color=colour, linewidth=2.5)
        rectangle(
            axis, 8.6 + first / 4, first, 0.95, 3.95, fill=False, edgecolor=colour, linewidth=2.5
        )
    for x, label in zip(columns[8:], (ns["caption"], ns["prompts"]["subject"])):
        axis.text(x + 0.5, -0.25, label, rotation=55, ha="left", va="bottom", fontsize=10)
    for y, label in ((2, "the clip"), (6, "the ideal edit")):
        axis.text(-1.4, y, label, rotation=90, ha="center", va="center", fontsize=10)
    axis.set(xlim=(-1.7, 12), ylim=(8.1, -2.6), aspect="equal")
    axis.axis("off")
    return figure


# ---- 13


def one_step(ns):
    """What a tuning step of SD 1.4 takes while it runs, without and with checkpointing; the weights
    and the optimizer at the bottom."""
    figure, axis = canvas(width=8, height=3.6)
    fixed = ns["fixed"]
    axis.axhspan(0, fixed, color="silver", linewidth=0)
    axis.text(0.012, fixed / 2, "weights, and what AdamW needs", va="center", fontsize=9)
    for (how, curve), colour in zip(ns["curves"].items(), ("tab:orange", "tab:blue")):
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
        ylim=(0, 1.12 * (fixed + max(map(max, ns["curves"].values())))),
        xticks=[],
    )
    axis.legend(frameon=False, loc="upper right")
    return figure


# ---- 14


def two_ways(ns):
    """Two edits side by side: the clip, both ways to edit it, and what the program draws."""
    labels = ("the clip", "by\ninversion", "by the\ndifference", "drawn by\nthe program")
    ratios = [1] * 4 + [0.1] + [1] * 4
    figure, axes = canvas(4, 9, width=8.4, height=3.7, width_ratios=ratios)
    for row, label in zip(axes, labels):
        row[4].axis("off")
        beside(row[0], label)
    for first, (prompt, edits) in zip((0, 5), ns["videos"].items()):
        _, ideal = ns["wanted"][prompt][0]
        for row, video in zip(axes, [*edits.values(), ideal]):
            for axis, picture in zip(row[first:], video):
                show(axis, picture)
        above(axes[0, first], prompt)
    return figure


def watercolor(ns):
    """What the program draws for a prompt, and edits with the clip's attention in more and more
    of the steps."""
    _, ideal = ns["wanted"][ns["water"]][0]
    return films({"drawn by\nthe program": ideal} | with_scores(ns, "painted", "water"))


def one_thing_changed(ns):
    """An edit by the difference, and below it the same with one thing changed."""
    return films(with_scores(ns, "variants", "beach"))


def with_scores(ns, videos, prompt):
    """These videos by their names, to which their PSNR is added."""
    labelled = {}
    for name, video in ns[videos].items():
        score, _ = ns["judged"](video, ns[prompt]).split(", ")
        labelled[f"{name}\n{score}"] = video
    return labelled


def films(videos):
    """Videos of four frames with their names, one a row."""
    figure, _ = rows_of(videos, 4, width=5.6, height=1.05 * len(videos))
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
    for lesson in lesson_files(sys.argv[1:]):
        if diagrams := names(lesson):
            _, ns = run_blocks(lesson)
            for name in diagrams:
                save(draw(name, ns), FIGURES / f"{name}.png")
                print(f"lessons/figures/{name}.png")


if __name__ == "__main__":
    main()
