"""Runs the python blocks of the lessons and draws their figures: `python lessons/figures.py [03
...]`.

Besides numbers it knows README, whose picture takes minutes, and EVALUATION, lesson 12's benchmark,
which takes half an hour; without arguments it makes everything.

A figure `figures/03-forward-chain.png` is made by the function `forward_chain(ns)` below, where ns
is the namespace that the blocks of lesson 03 leave: the lesson computes, the function only draws.
It returns a matplotlib figure or a PIL image. Needs matplotlib: `pip install -e ".[lessons]"`. How
to write a lesson: see tests/test_lessons.py.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    # so that `tav` and `lessons` are found from wherever this is started
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from tav.io.runs import RUNS  # noqa: E402
from tav.vae import to_uint8  # noqa: E402

LESSONS = ROOT / "lessons"
FIGURES = LESSONS / "figures"
MOST_BYTES = 300_000  # of one figure


# ---- the blocks of a lesson


@dataclass
class Fence:
    """A fenced block of a markdown file: its language, its lines, and the comment `<!-- note -->`
    right above it."""

    language: str
    code: str  # ends in a newline unless empty
    first: int  # index of its opening line ```language; the code begins on the next
    last: int  # index of its closing line ```
    note: str = ""


def fences(text: str) -> list[Fence]:
    """All fenced blocks of a markdown text, in order."""
    lines, found, i = text.splitlines(), [], 0
    while i < len(lines):
        if lines[i].startswith("```"):
            first, i = i, i + 1
            assert "```" in lines[i:], f"the fence of line {first + 1} has no end"
            i = lines.index("```", i)
            above = re.fullmatch(r"<!-- (.*) -->", lines[first - 1]) if first else None
            code = "".join(line + "\n" for line in lines[first + 1 : i])
            found.append(Fence(lines[first][3:], code, first, i, above[1] if above else ""))
        i += 1
    return found


def blocks(text: str) -> list[tuple[Fence, Fence | None]]:
    """The blocks to execute, each with the ```text fence of its output; None where it prints
    nothing."""
    found = fences(text)
    pairs = []
    for fence, after in zip(found, [*found[1:], None]):
        if fence.language == "python" and not fence.note.startswith("quote "):
            pairs.append((fence, after if after and after.language == "text" else None))
    return pairs


def run_blocks(lesson: Path, seed: int = 1) -> tuple[list[str], dict]:
    """Execute a lesson's blocks in the repository root; what each printed, and the namespace they
    leave.

    `seed` is torch's before the first block. A lesson seeds for itself, so it must not show in the
    output.
    """
    printed, ns = [], {"__name__": "lesson"}
    before = Path.cwd()
    torch.manual_seed(seed)
    os.chdir(ROOT)
    try:
        for fence, _ in blocks(lesson.read_text(encoding="utf-8")):
            blank = "\n" * (fence.first + 1)  # so that a traceback names the lesson's own lines
            code = compile(blank + fence.code, str(lesson), "exec")
            with redirect_stdout(io.StringIO()) as out:
                exec(code, ns)
            printed.append(out.getvalue())
    finally:
        os.chdir(before)
    return printed, ns


def lesson_files(numbers: list[str]) -> list[Path]:
    """The files of the lessons with these numbers; all of them if none is given."""
    return [
        file
        for file in sorted(LESSONS.glob("[0-9][0-9]*-*.md"))
        if not numbers or file.name.partition("-")[0] in numbers
    ]


# ---- what lessons share


def tuned_miniature(frames: int = 8):
    """The miniature tuned on `frames` frames of clip.mp4 by its own recipe, and these frames (f, 3,
    128, 128).

    Tuned once, which takes a minute or two, and kept in runs/lessons/, by the hash of the weights.
    If you change what tunes it in tav/, delete that folder.
    """
    from safetensors.torch import load_file, save_file

    import tav
    from tav.io.video import replacing
    from tav.tuning import Tuning, encode_clip, load_tuned

    model = tav.load(ROOT / "weights" / "mini")
    own = model.recipe("tune")
    clip, _ = tav.read_clip(ROOT / "clip.mp4", frames=frames, stride=16 // frames, size=model.size)
    name = (
        f"tuned-{model.hash[:12]}-{frames}-frames-{own['steps']}-steps-lr-{own['lr']}.safetensors"
    )
    file = ROOT / RUNS / "lessons" / name
    if not file.exists():
        tuning = Tuning(
            model, encode_clip(model, clip), model.embed("a man is skiing"), own["lr"], seed=0
        )
        for i in range(own["steps"]):
            if i % 10 == 0:
                print(
                    f"tuning the miniature, once for all lessons: step {i} of {own['steps']}",
                    file=sys.stderr,
                )
            tuning.update(tuning.loss())
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            save_file(tuning.tuned(), part)
        model = tav.load(ROOT / "weights" / "mini")
    load_tuned(model.unet, load_file(file), str(file))
    return model, clip


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


def save(figure, path: Path) -> None:
    """A matplotlib figure or PIL image as a png of at most 300 KB: with 256 colours if it has to
    be."""
    if not isinstance(figure, Image.Image):
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.05
        )
        figure = Image.open(buffer)
    figure = figure.convert("RGB")
    buffer = io.BytesIO()
    figure.save(buffer, format="png", optimize=True)
    if buffer.tell() > MOST_BYTES:
        buffer = io.BytesIO()
        figure.quantize(256, dither=Image.Dither.NONE).save(buffer, format="png", optimize=True)
    path.write_bytes(buffer.getvalue())


def draw(name: str, ns: dict):
    """What the function of the figure `03-forward-chain` draws."""
    return globals()[name.partition("-")[2].replace("-", "_")](ns)


def names(lesson: Path) -> list[str]:
    """The figures of its own that a lesson shows, without folder and ending: `03-forward-chain`."""
    text = lesson.read_text(encoding="utf-8")
    shown = re.findall(r"\]\(figures/(\d\d[a-z]?-[\w-]+)\.png\)", text)
    number = lesson.name.partition("-")[0]
    return [name for name in dict.fromkeys(shown) if name.partition("-")[0] == number]


# The figures, lesson by lesson: each a function of the namespace `ns` that the lesson's blocks
# leave.
# A lesson's functions stand under the line with its number.


# ---- 00


def there_and_back(ns):
    """Four frames of the clip on their way to an edit: frames, latents, noise, other latents, other
    frames."""
    rows = {"clip": ns["clip"]}
    rows |= {label: (ns[key][:, :3] / 3).clamp(-1, 1) for label, key in LATENT_ROWS.items()}
    rows["edit"] = ns["video"]
    figure, axes = canvas(5, 4, width=5.2, height=6.2)
    for row, (label, pictures) in zip(axes, rows.items()):
        for axis, picture in zip(row, pictures[::2]):
            show(axis, picture)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


LATENT_ROWS = {"latents": "latents", "noise": "noise", "latents\nof the edit": "edited"}


def no_inversion(ns):
    """The clip, its edit from inverted noise, and from random noise."""
    rows = {
        "clip": ns["clip"],
        "from its\nown noise": ns["video"],
        "from random\nnoise": ns["unled"],
    }
    figure, axes = canvas(3, 8, width=9, height=3.2)
    for row, (label, pictures) in zip(axes, rows.items()):
        for axis, picture in zip(row, pictures):
            show(axis, picture)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


# ---- 00b


def drawn(ns):
    """Drawings to train on, and sampled ones, a row for each guidance."""
    rows = {"to train on": ns["examples"]}
    rows |= {f"guidance {g}": pictures for g, (pictures, _) in ns["sampled"].items()}
    figure, axes = canvas(len(rows), 12, width=9, height=3.3)
    for row, (label, pictures) in zip(axes, rows.items()):
        for axis, picture in zip(row, pictures):
            show(axis, picture)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
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
    """The cosine of the end states of each pair of captions."""
    figure, axis = canvas(width=8, height=4.2)
    axis.imshow(ns["cosines"].numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
    for i, row in enumerate(ns["cosines"].tolist()):
        for j, cosine in enumerate(row):
            axis.text(
                j,
                i,
                f"{cosine:.1f}".replace("-0.0", "0.0"),
                ha="center",
                va="center",
                color="white" if cosine > 0.7 else "black",
            )
    count = range(len(ns["captions"]))
    axis.set(xticks=count, yticks=count)
    axis.set_xticklabels([chr(ord("A") + i) for i in count])
    axis.set_yticklabels(
        [f"{caption}  {chr(ord('A') + i)}" for i, caption in enumerate(ns["captions"])]
    )
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return figure


def one_word(ns):
    """How much each text state changes when the third piece does."""
    figure, axis = canvas(width=8, height=2.6)
    labels = [label.removesuffix("</w>") for label in ns["labels"]]
    labels[0], labels[2], labels[-1] = "start", "man / cat", "end"
    change, count = ns["change"].tolist(), len(ns["change"])
    colors = [
        "tab:red" if i == 2 else "tab:blue" if i < len(labels) else "silver" for i in range(count)
    ]
    axis.bar(range(count), change, color=colors)
    axis.set_xticks(
        range(count),
        [*labels, *["padding"] * (count - len(labels))],
        rotation=60,
        ha="right",
        fontsize=8,
    )
    axis.set(ylabel="relative change", xlim=(-0.6, count - 0.4))
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


def the_u(ns):
    """The UNet of the trace, each block a box: as high as its maps, as wide as they are deep."""
    from matplotlib.patches import Patch, Rectangle

    figure, axis = canvas(width=8, height=4)
    shapes, unet = dict(zip(ns["blocks"], ns["trace"])), ns["unet"]
    most, colors = max(after[0] for _, after in ns["trace"]), ["#9dc3e6", "#f3b562"]
    arrow = {"arrowstyle": "->", "color": "gray", "shrinkA": 0, "shrinkB": 0}
    last = 0.0  # half the height of the box above

    def box(x, y, name, channels, size, attentive):
        w, h = 0.15 + 0.5 * channels / most, 0.2 + 0.025 * size
        color = colors[bool(attentive)]
        axis.add_patch(Rectangle((x - w / 2, y - h / 2), w, h, facecolor=color, edgecolor="black"))
        at, ha = (x + 0.45, "left") if x > 4 else (x - 0.45, "right")
        at, ha, below = (x, "center", y - h / 2 - 0.3) if x == 4 else (at, ha, y)
        axis.text(
            at, below, f"{name}\n{channels} x {size} x {size}", ha=ha, va="center", fontsize=8
        )
        return w / 2, h / 2

    for i, down in enumerate(unet.down_blocks):
        up, y = len(unet.up_blocks) - 1 - i, -float(i)
        left, right, size = 1.3 + 0.6 * i, 6.7 - 0.6 * i, shapes[f"down_blocks.{i}"][0][1]
        w, h = box(
            left,
            y,
            f"down_blocks.{i}",
            shapes[f"down_blocks.{i}"][1][0],
            size,
            len(down.attentions),
        )
        block, channels = unet.up_blocks[up], shapes[f"up_blocks.{up}"][1][0]
        v, _ = box(right, y, f"up_blocks.{up}", channels, size, len(block.attentions))
        axis.annotate("", (right - v, y), (left + w, y), arrowprops=arrow | {"linestyle": "--"})
        axis.text(
            4,
            y + 0.04,
            f"{len(block.resnets)} skips",
            ha="center",
            va="bottom",
            fontsize=8,
            color="gray",
        )
        if i:
            axis.annotate("", (left - 0.1, y + h), (left - 0.5, y + 1 - last), arrowprops=arrow)
            axis.annotate("", (right + 0.5, y + 1 - last), (right + 0.1, y + h), arrowprops=arrow)
        last = h
    c, size, _ = shapes["mid_block"][1]
    w, _ = box(4, y - 0.6, "mid_block", c, size, True)
    axis.annotate("", (4 - w, y - 0.6), (left, y - last), arrowprops=arrow)
    axis.annotate("", (right, y - last), (4 + w, y - 0.6), arrowprops=arrow)
    for x, sign, name in ((1.3, 1, "conv_in"), (6.7, -1, "conv_out")):
        c, size, _ = shapes[name][0] if sign > 0 else shapes[name][1]
        ends = [(x, 0.32), (x, 0.62)][::sign]
        axis.annotate("", ends[0], ends[1], arrowprops=arrow)
        axis.text(x, 0.65, f"{name}: {c} x {size} x {size}", ha="center", va="bottom", fontsize=8)
    labels = ["ResNet blocks (time)", "ResNet blocks (time) and transformers (text)"]
    keys = [
        Patch(facecolor=color, edgecolor="black", label=label)
        for color, label in zip(colors, labels)
    ]
    axis.legend(handles=keys, loc="lower left", fontsize=8, frameon=False)
    axis.set(xlim=(-0.6, 8.6), ylim=(y - 1.25, 0.9))
    axis.axis("off")
    return figure


def time_embedding(ns):
    """The waves of all timesteps, and how alike the row of t = 500 is to the others."""
    rows = ns["timestep_embedding"](ns["torch"].arange(1000), ns["unet"].conv_in.out_channels)
    figure, (left, right) = canvas(1, 2, width=8, height=2.8, width_ratios=[1.7, 1])
    picture = left.imshow(
        rows.T.numpy(), cmap="RdBu_r", aspect="auto", vmin=-1, vmax=1, interpolation="nearest"
    )
    half = rows.shape[1] // 2
    left.axhline(half - 0.5, color="black", linewidth=1)
    left.set(
        xlabel="timestep t", yticks=[0, half, 2 * half - 1], ylabel="cosines above, sines below"
    )
    figure.colorbar(picture, ax=left)
    right.plot(rows @ rows[500] / half)
    right.set(xlabel="timestep t", ylabel="cosine with the row of t = 500")
    return figure


def attention_maps(ns):
    """A sampled picture; where its words are looked at; and what share each of three words has
    among them."""
    pieces, attention = ns["pieces"], ns["attention"]
    words = [pieces.index(word) for word in ("man", "skiing", "beach")]
    figure, axes = canvas(2, 5, width=8, height=3.4)
    show(axes[0, 0], ns["picture"], ns["prompt"].replace(" skiing", "\nskiing"))
    show(axes[0, 4], ns["padding"].numpy(), "all padding")
    among = attention / attention[words].sum(0)
    for column, word in enumerate(words, start=1):
        show(axes[0, column], attention[word].numpy(), pieces[word])
        show(axes[1, column], among[word].numpy())
    axes[0, 1].set_ylabel("share of all", fontsize=10)
    axes[1, 1].set_ylabel("among the three", fontsize=10)
    axes[1, 0].axis("off")
    axes[1, 4].axis("off")
    return figure


def wrong_unets(ns):
    """The same noise through the UNet and through what four mistakes make of it."""
    figure, axes = canvas(2, len(ns["sampled"]), width=8, height=3.6)
    for column, (name, pictures) in zip(axes.T, ns["sampled"].items()):
        show(column[0], pictures[0], wrapped(name))
        show(column[1], pictures[1])
    return figure


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
    from matplotlib.patches import Rectangle

    figure, axis = canvas(width=8, height=2.7)
    raw, length, entries = ns["raw"], ns["length"], list(ns["header"].items())[:3]
    gray = {"fontsize": 8, "color": "gray"}
    code = {"family": "monospace", "fontsize": 7.5, "va": "center"}
    parts = {"length of the table": (8, 0.0, 2.3), "table, as JSON": (length, 2.5, 5.2)}
    parts["numbers"] = (len(raw) - 8 - length, 7.9, 2.5)
    for what, (size, left, width) in parts.items():
        axis.add_patch(Rectangle((left, 3.6), width, 0.5, facecolor="#eeeeee", edgecolor="black"))
        axis.text(left + width / 2, 3.85, what, ha="center", va="center", fontsize=9)
        axis.text(left + width / 2, 4.2, f"{size:,} bytes", ha="center", va="bottom", **gray)
    axis.text(0.0, 3.2, raw[:8].hex(" "), **code)
    axis.text(0.0, 2.85, f"= {length:,}", **code)
    for i, ((name, about), color) in enumerate(zip(entries, ["#f3b562", "#9dc3e6", "#b5d99c"])):
        box = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
        axis.text(2.5, 3.2 - 0.38 * i, json.dumps({name: about})[1:-1], bbox=box, **code)
        left, (begin, end) = 2.5 + 2.6 * i, about["data_offsets"]
        values = np.frombuffer(raw[8 + length + begin :][:4], "<f2")
        axis.add_patch(Rectangle((left, 0.9), 2.4, 0.5, facecolor=color, edgecolor="black"))
        axis.text(
            left + 0.08, 1.15, ", ".join(f"{value:.3f}" for value in values) + ", ...", **code
        )
        axis.text(left + 1.2, 1.5, name, ha="center", va="bottom", fontsize=8)
        axis.text(left, 0.75, f"{begin:,}", va="top", **gray)
        axis.text(left + 2.4, 0.75, f"{end:,}", va="top", ha="right", **gray)
    axis.text(2.3, 1.15, "numbers", ha="right", va="center", fontsize=9)
    axis.text(2.3, 0.75, "data_offsets", ha="right", va="top", **gray)
    axis.text(10.25, 1.15, "...", va="center")
    axis.set(xlim=(-0.05, 10.5), ylim=(0.4, 4.6))
    axis.axis("off")
    return figure


def two_layouts(ns):
    """The numbered blocks of the original layout and their names in the diffusers layout, level by
    level."""
    from matplotlib.patches import Rectangle

    figure, axis = canvas(width=8, height=4.6)
    colors = {
        "conv_in": "#dddddd",
        "0": "#f3b562",
        "1": "#9dc3e6",
        "2": "#b5d99c",
        "3": "#d8b4e2",
        "mid": "#dddddd",
    }

    def row(x, y, theirs, color, ours):
        axis.add_patch(
            Rectangle((x, y - 0.4), 1.75, 0.8, facecolor=color, edgecolor="black", linewidth=0.7)
        )
        axis.text(x + 0.875, y, theirs, ha="center", va="center", fontsize=8)
        axis.text(x + 1.83, y, ours, va="center", fontsize=8)

    for x, way in ((0.0, "input"), (6.15, "output")):
        for n in range(12):
            ours = [
                ours
                for theirs, ours in ns["pairs"].items()
                if theirs.startswith(f"{way}_blocks.{n}.")
            ]
            block, level = (
                ours[0].split(".")[:2] if n or way == "output" else ("conv_in", "conv_in")
            )
            color = colors[level if way == "input" else str(3 - int(level))]
            inside = " + ".join(".".join(name.split(".")[2:4]) for name in ours)
            label = f"{block}.{level}: {inside}" if inside else block
            row(x, -n if way == "input" else n - 11, f"{way}_blocks.{n}", color, label)
    ours = " + ".join(
        o.removeprefix("mid_block.") for t, o in ns["pairs"].items() if t.startswith("middle_block")
    )
    row(2.6, -12.4, "middle_block", colors["mid"], f"mid_block: {ours}")
    arrow = {"arrowstyle": "->", "color": "gray"}
    axis.annotate("", (-0.25, -11.4), (-0.25, 0.4), arrowprops=arrow)
    axis.annotate("", (5.95, 0.4), (5.95, -11.4), arrowprops=arrow)
    axis.set(xlim=(-0.4, 12.5), ylim=(-13, 0.6))
    axis.axis("off")
    return figure


def not_strict(ns):
    """Two prompts, sampled with the right weights and with three that were loaded carelessly."""
    return two_rows(ns["pictures"], 3.9, width=7)


# ---- 07


def folding(ns):
    """Two videos as a grid, folded into one row of pictures, and stacked into two tall ones."""
    figure, axis = canvas(width=8, height=4.1)
    videos = [[rgb(frame) for frame in video[:4]] for video in (ns["clip"], ns["together"])]
    colours = ["tab:blue", "tab:orange"]

    def put(v, i, x, y, text=""):
        axis.imshow(videos[v][i], extent=(x, x + 1, y, y + 1))
        axis.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=colours[v], linewidth=1.5))
        axis.text(x + 0.5, y - 0.07, text, ha="center", va="top", fontsize=8)

    from matplotlib.patches import Rectangle

    for v in range(2):
        axis.text(
            -0.15,
            3.9 - 1.1 * v,
            f"video {v}",
            ha="right",
            va="center",
            color=colours[v],
            fontsize=9,
        )
        for i in range(4):
            put(v, i, 1.1 * i, 3.4 - 1.1 * v)
            put(v, i, 1.04 * (4 * v + i) - 0.6, 0, f"row {4 * v + i}")
            put(v, i, 9.2 + 1.3 * v, 3.4 - i)
    for i in range(4):
        axis.text(1.1 * i + 0.5, 4.5, f"frame {i}", ha="center", fontsize=9)
    arrow = {"arrowstyle": "-|>", "linewidth": 1.5}
    axis.annotate("", (2.1, 1.15), (2.1, 2.2), arrowprops=arrow)
    axis.text(2.3, 1.68, "fold:  (b, f, c, h, w)  to  (b f, c, h, w)", va="center", fontsize=9)
    axis.annotate("", (9.0, 1.9), (7.8, 1.15), arrowprops=arrow)
    axis.text(10.35, 4.78, "for GroupNorm: (b, c, f h, w)", ha="center", fontsize=9)
    axis.text(10.35, 4.5, "one mean, one variance each", ha="center", fontsize=9)
    axis.set(xlim=(-1.1, 12.2), ylim=(-0.4, 5.1))
    axis.axis("off")
    return figure


def who_looks_where(ns):
    """For one token of frame 2, the tokens that each kind of layer reads, as coloured cells of four
    frames."""
    from matplotlib.patches import Rectangle

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
            square = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.8}
            axis.add_patch(Rectangle((8 * i + x, top - y - 1), 1, 1, **square))
        mark = {"fill": False, "edgecolor": "black", "linewidth": 2, "zorder": 3}
        axis.add_patch(Rectangle((16 + at[1], top - at[0] - 1), 1, 1, **mark))
        if name == "cross-attention":
            axis.add_patch(Rectangle((33, top - 4), 9, 2, facecolor="#ff8c1a"))
            axis.text(37.5, top - 3, "77 text tokens", ha="center", va="center", fontsize=9)
    for i in range(4):
        axis.text(8 * i + 3, 1, f"frame {i}", ha="center", fontsize=10)
    for y, text in ((-0.5, "as in the\nimage network"), (-34, "is told\nhow many frames")):
        axis.text(33, y, text, va="top", fontsize=10, style="italic")
    axis.plot([-18, 42], [-31.4, -31.4], color="gray", linewidth=0.8, linestyle="--")
    axis.add_patch(Rectangle((33, -47), 1.5, 1.5, facecolor="#ff8c1a"))
    axis.text(35, -46.3, "read", va="center", fontsize=9)
    axis.add_patch(Rectangle((33, -50), 1.5, 1.5, facecolor="#ffd9a8"))
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
        # room for the name, which must not push its neighbour away
        line[0].set_title(" ", fontsize=10)
        line[0].text(0, 1.06, name, fontsize=10, transform=line[0].transAxes).set_in_layout(False)
    return figure


def one_by_one(ns):
    """The same noises sampled as pictures, and as one video."""
    return strips(
        {"one by one": ns["one_by_one"], "together, as one video": ns["together"]}, height=1.25
    )


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
    bars.legend(frameon=False, ncols=3)
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
            markersize=6.5,
            color="none",
            markeredgecolor="red",
            mew=2,
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
    """Four kinds of attention as matrices of frames: rows ask, columns are looked at."""
    f = 8
    first = torch.eye(f)[0].expand(f, f)
    previous = torch.eye(f)[[0, *range(f - 1)]]
    kinds = {
        "image network": (torch.eye(f), "f n²"),
        "all frames": (torch.ones(f, f), "f² n²"),
        "all up to itself": (torch.ones(f, f).tril(), "½ f (f + 1) n²"),
        "SC-Attn": ((first + previous) / 2, "2 f n²"),
    }
    figure, axes = canvas(1, 4, width=8, height=2.7)
    for axis, (name, (seen, cost)) in zip(axes, kinds.items()):
        axis.imshow(seen.numpy(), cmap="Oranges", vmin=0, vmax=1.3)
        axis.set(xticks=range(f), yticks=range(f), xlabel=f"looks at frame\n{cost} pairs")
        axis.set_title(name, fontsize=10)
        axis.set_xticks(np.arange(f) - 0.5, minor=True)
        axis.set_yticks(np.arange(f) - 0.5, minor=True)
        axis.grid(which="minor", color="white", linewidth=1.5)
        axis.tick_params(which="both", length=0, labelsize=8)
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel("frame that asks")
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
                    fontsize=7.5,
                    color="white" if i == j else "black",
                )
        axis.set(xticks=range(8), yticks=range(8), xlabel="frame that is disturbed")
        axis.set_title(name, fontsize=10)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel("frame whose prediction moves, percent")
    return figure


def flicker(ns):
    """The same noises drawn with four choices of frames to look at."""
    return strips(
        {f"each frame looks at: {name}": video for name, video in ns["videos"].items()}, height=1.25
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
    """The clip with two places marked, and below it Temp-Attn's matrix of each, before and after
    tuning."""
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    canvas()
    figure = plt.figure(figsize=(8, 3.6), dpi=160, layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.2])
    colours = {"skier": "red", "sky": "tab:green"}
    for i, axis in enumerate(top.subplots(1, 8)):
        show(axis, ns["clip"][i], f"frame {i}")
        for name, place in ns["places"].items():
            side = ns["maps"][name, "after"][ns["most"]][0]
            y, x = (int(p * side) * 128 / side - 0.5 for p in place)
            outline = {"fill": False, "edgecolor": colours[name], "linewidth": 1.5}
            axis.add_patch(Rectangle((x, y), 128 / side, 128 / side, **outline))
    axes = bottom.subplots(1, 4)
    for axis, ((name, when), of_layers) in zip(axes, ns["maps"].items()):
        image = axis.imshow(8 * of_layers[ns["most"]][1].numpy(), cmap="viridis", vmin=0, vmax=4)
        axis.set_title(f"{name}, {when} tuning", fontsize=10, color=colours[name])
        axis.set(xticks=range(8), yticks=range(8), xlabel="looks at frame")
        axis.tick_params(length=0, labelsize=8)
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel("frame that asks")
    bottom.colorbar(image, ax=axes, shrink=0.8, extend="max", label="even share = 1")
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
        line[0].set_ylabel(name)
    axes[0, 6].set_title(
        "difference from the image network, times 10", fontsize=10, x=0
    ).set_in_layout(False)
    return figure


# ---- 10


def tuning_loss(ns):
    """The losses of the run by step, coloured by timestep; and by timestep, with the loss at fixed
    timesteps."""
    losses = np.array(ns["losses"])
    figure, (left, right) = canvas(1, 2, width=9, height=3.2, sharey=True)
    left.plot(losses, color="lightgray", linewidth=0.8, zorder=0)
    means = np.convolve(losses, np.ones(20) / 20, "valid")
    left.plot(range(19, len(losses)), means, "k", linewidth=2, label="mean of the last 20")
    for axis, places in ((left, range(len(losses))), (right, ns["drawn"])):
        dots = axis.scatter(places, losses, c=ns["drawn"], s=16, cmap="viridis", vmin=0, vmax=999)
    right.plot(
        ns["times"], ns["curves"][0], "--", color="tab:red", label="fixed noise, before tuning"
    )
    right.plot(ns["times"], ns["curves"][60], color="tab:red", label="fixed noise, after")
    left.set(
        xlabel="step", ylabel="loss", yscale="log", ylim=(losses.min() / 3, losses.max() * 1.5)
    )
    right.set(xlabel="timestep t")
    left.legend(frameon=False, loc="lower left")
    right.legend(frameon=False)
    figure.colorbar(dots, ax=(left, right), label="timestep t", pad=0.01)
    return figure


def tuning_steps(ns):
    """The clip; then two prompts, two frames of each, after more and more steps of tuning."""
    columns = {"the clip": (ns["clip"], ns["clip"])}
    columns |= {
        f"{key} steps" if isinstance(key, int) else key: pair for key, pair in ns["looks"].items()
    }
    figure, axes = canvas(4, len(columns), width=9, height=6.1)
    for column, (label, videos) in zip(axes.T, columns.items()):
        for k, axis in enumerate(column):
            show(axis, videos[k // 2][(0, 2)[k % 2]], label if k == 0 else "")
    for k, prompt in zip((0, 2), ns["prompts"]):
        axes[k, 0].set_ylabel(prompt.replace(" on ", "\non "), y=-0.05)
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
    figure, axes = canvas(3, 8, width=9, height=3.6)
    for row, (label, (latents, pictures)) in zip(axes, rows.items()):
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for i in range(4):
            show(row[i], latents[i, 0], cmap="gray", vmin=-2.5, vmax=2.5)
            show(row[4 + i], pictures[i])
    return figure


def words_over_frames(ns):
    """The frames of an edit, and where two words of its prompt are asked for in each."""
    figure, axes = canvas(3, 4, width=7, height=4.8)
    for row, label in zip(axes, ("edit", '"skiing"', '"beach"')):
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    for k in range(4):
        show(axes[0, k], ns["edits"][1][k])
        for row, maps in zip(axes[1:], ns["words"]):
            show(row[k], maps[k], vmin=maps.min(), vmax=maps.max())
    return figure


def edit_grid(ns):
    """Four edits, and beneath each what the program that drew the clip draws for its prompt."""
    sys.path.insert(0, str(ROOT / "weights" / "make"))
    import world
    from matplotlib import pyplot as plt

    film = world.clip(world.Scene(), 16)[::4]
    canvas()
    figure = plt.figure(figsize=(9, 5.2), dpi=160, layout="constrained")
    for part, prompt, edit in zip(figure.subfigures(2, 2).flat, ns["prompts"], ns["edits"]):
        truth = [world.draw(scene) for scene in world.edit(film, **world.parse(prompt))]
        part.suptitle(prompt, fontsize=10)
        axes = part.subplots(2, 4)
        for k in range(4):
            show(axes[0, k], edit[k])
            show(axes[1, k], torch.from_numpy(np.array(truth[k])).permute(2, 0, 1) / 127.5 - 1)
        for axis, label in zip(axes[:, 0], ("edit", "truth")):
            axis.set_ylabel(label)
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
    """A frame, and what comes back of it after round trips of several kinds."""
    pictures = {"the clip": ns["frames"][0]} | ns["pictures"]
    figure, axes = canvas(1, len(pictures), width=9, height=1.9)
    for axis, (name, picture) in zip(axes, pictures.items()):
        show(axis, picture, name.replace("guided ", "guided\n"))
    return figure


# ---- 12


def near_and_far(ns):
    """Cosines, times 100, of the clip's frames and an ideal edit's with each other and with two
    prompts."""
    from matplotlib.patches import Rectangle

    figure, axis = canvas(width=8, height=6)
    pictures, cosines = [*ns["frames"], *ns["truths"][0]], ns["cosines"].numpy()
    columns = [*range(8), 8.6, 9.6]
    for i, picture in enumerate(pictures):
        axis.imshow(rgb(picture), extent=(-1.15, -0.2, i + 0.95, i), interpolation="antialiased")
        axis.imshow(rgb(picture), extent=(i, i + 0.95, -0.2, -1.15), interpolation="antialiased")
    for i, row in enumerate(cosines):
        for x, cosine in zip(columns, row):
            heat = min(max(cosine / 100, 0), 1)  # white to orange
            axis.add_patch(
                Rectangle((x, i), 0.95, 0.95, facecolor=(1, 1 - 0.5 * heat, 1 - 0.9 * heat))
            )
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
        axis.add_patch(
            Rectangle(
                (8.6 + first / 4, first), 0.95, 3.95, fill=False, edgecolor=colour, linewidth=2.5
            )
        )
    for x, label in zip(columns[8:], (ns["caption"], ns["prompts"][0])):
        axis.text(x + 0.5, -0.25, label, rotation=55, ha="left", va="bottom", fontsize=10)
    for y, label in ((2, "the clip"), (6, "the ideal edit")):
        axis.text(-1.4, y, label, rotation=90, ha="center", va="center", fontsize=10)
    axis.set(xlim=(-1.7, 12), ylim=(8.1, -2.6), aspect="equal")
    axis.axis("off")
    return figure


def scored(videos, rows, width, height):
    """Videos (f, 3, h, w) as rows of pictures, under their names, and their scores on the right."""
    headings, count = (
        ["consistency", "adjacent", "alignment", "PSNR, dB", "moves, %"],
        len(next(iter(videos.values()))),
    )
    # 0.75 inches each
    ratios = [1] * count + [0.75 * count / (width - 0.75 * len(headings))] * len(headings)
    figure, axes = canvas(len(videos), len(ratios), width=width, height=height, width_ratios=ratios)
    for line, (name, video) in zip(axes, videos.items()):
        for axis, picture in zip(line, video):
            show(axis, picture)
        # room for the name, which must not push its neighbour away
        line[0].set_title(" ", fontsize=10)
        line[0].text(0, 1.06, name, fontsize=10, transform=line[0].transAxes).set_in_layout(False)
        for axis, score in zip(line[count:], rows[name].tolist()):
            axis.axis("off")
            axis.text(0.5, 0.5, f"{score:.1f}", ha="center", va="center", fontsize=11)
    for axis, heading in zip(axes[0, count:], headings):
        axis.text(0.5, 1.06, heading, fontsize=9, ha="center", transform=axis.transAxes)
    return figure


def by_method(ns):
    """Two edits by each method, and the truth, with the means of their scores."""
    return scored(
        {name: torch.cat([*both]) for name, both in ns["videos"].items()}, ns["rows"], 10, 5.8
    )


def cheats(ns):
    """The truth and what cheats, with their scores."""
    return scored(ns["cheats"], ns["cheated"], 8, 7)


# ---- 13


def three_accounts(ns):
    """The estimate of what a tuning step of SD 1.4 takes, as bars of weights, optimizer and
    activations."""
    figure, axis = canvas(width=8, height=2.3)
    names, left = list(ns["accounts"]), np.zeros(len(ns["accounts"]))
    for part, colour in {
        "weights": "dimgray",
        "AdamW": "tab:blue",
        "activations": "tab:orange",
    }.items():
        sizes = np.array([account[part] for account in ns["accounts"].values()])
        axis.barh(names, sizes, left=left, color=colour, label=part, height=0.6)
        left += sizes
    for y, total in enumerate(left):
        axis.text(total + 1, y, f"{total:.1f}", va="center")
    axis.set(
        xlabel="GB, estimated: UNet of SD 1.4 in bf16, 24 frames of 512 x 512 pixels",
        xlim=(0, 1.1 * max(left)),
    )
    axis.invert_yaxis()
    axis.legend(frameon=False, loc="lower right")
    return figure


def who_keeps(ns):
    """Bytes kept, by block of the UNet (bars) and kind of layer (colours): measured small,
    estimated large."""
    kinds = {"resnets": "ResNet blocks", "attn1": "SC-Attn", "attn2": "cross-attention"}
    kinds |= {"ff": "feed-forward", "attn_temp": "Temp-Attn", "": "norms, resampling"}
    blocks = (
        [f"down_blocks.{i}" for i in range(4)]
        + ["mid_block"]
        + [f"up_blocks.{i}" for i in range(4)]
    )
    figure, axes = canvas(1, 2, width=9, height=3.4)
    words = ("MB, miniature, 4 frames", "GB, SD 1.4, estimated")
    for axis, key, unit, word in zip(axes, ("small", "large"), (1e6, 1e9), words):
        bottom = np.zeros(len(blocks))
        for (part, label), colour in zip(kinds.items(), TABLEAU):
            heights = np.zeros(len(blocks))
            for name, size in ns[key].items():
                parts = name.split(".")
                own = next((p for p in parts if p in kinds), "")
                for i, block in enumerate(blocks):
                    if name.startswith(block) and own == part:
                        heights[i] += size / unit
            axis.bar(range(len(blocks)), heights, bottom=bottom, color=colour, label=label)
            bottom += heights
        axis.set(ylabel=f"activations, {word}")
        axis.set_xticks(
            range(len(blocks)), [re.sub("_blocks?.?", " ", block) for block in blocks], rotation=45
        )
    axes[0].legend(frameon=False, fontsize=9)
    return figure


TABLEAU = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "silver")


def arithmetic(ns):
    """Shares of the FLOPs of a forward pass, by part, as pairs of bars."""
    figure, axis = canvas(width=8, height=3)
    parts = [part for part, _ in ns["arithmetic"]["SD 1.4, 24 frames"].most_common()]
    for i, (name, counts) in enumerate(ns["arithmetic"].items()):
        shares = [100 * counts[part] / counts.total() for part in parts]
        bars = axis.barh(np.arange(len(parts)) + 0.4 * i - 0.2, shares, 0.38, label=name)
        axis.bar_label(bars, [f"{share:.0f}" for share in shares], padding=3, fontsize=9)
    axis.set_yticks(range(len(parts)), parts)
    axis.invert_yaxis()
    axis.set(xlabel="percent of the FLOPs of one forward pass")
    axis.legend(frameon=False, loc="lower right")
    return figure


# ---- README


def edits() -> Image.Image:
    """The README's picture, and its gif at half the size: what its command leaves, which takes
    minutes."""
    run = ROOT / RUNS / "lessons" / "readme"
    shutil.rmtree(run, ignore_errors=True)
    for job in (
        ["tune.py", "clip.mp4", "a man is skiing", "--out", run],
        ["sample.py", "--run", run],
    ):
        subprocess.run([sys.executable, *job], cwd=ROOT, check=True)
    shrink(run / "samples" / "comparison.gif", FIGURES / "edits.gif")
    return Image.open(run / "samples" / "comparison.png")


def shrink(source: Path, target: Path) -> None:
    """A gif at half its width and height."""
    from tav.io.video import read_clip, write_gif

    frames, fps = read_clip(source)  # f 3 h w
    half = torch.nn.functional.interpolate(
        frames, scale_factor=0.5, mode="bilinear", antialias=True
    )
    write_gif(target, half, fps)


# ---- the benchmark


def evaluation() -> None:
    """The table and the sheet of the benchmark, which take half an hour; what is done is not done
    again."""
    evaluate = [sys.executable, "weights/make/evaluate.py", "--clips"]
    # two processes of a thread each are faster than one of two
    one = os.environ | {"OMP_NUM_THREADS": "1"}
    jobs = [subprocess.Popen([*evaluate, clips], cwd=ROOT, env=one) for clips in ("6-8", "9-11")]
    assert not any([job.wait() for job in jobs]), "evaluate.py failed"
    subprocess.run([*evaluate, "6-11", "--table"], cwd=ROOT, check=True)


evaluation_sheet = evaluation


# ---- the command


def main() -> None:
    if not sys.argv[1:] or "EVALUATION" in sys.argv:
        evaluation()
    if not sys.argv[1:] or "README" in sys.argv:
        save(edits(), FIGURES / "edits.png")
    for lesson in lesson_files(sys.argv[1:]):
        if shown := names(lesson):
            _, ns = run_blocks(lesson)
            for name in shown:
                save(draw(name, ns), FIGURES / f"{name}.png")
                print(f"lessons/figures/{name}.png")


if __name__ == "__main__":
    main()
