"""How good is an edited video, where the right answers are known?

Shapes: f frames, H W pixels, k points, p parts, a right answers.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from tav.io.weights import load_clip
from tav.metrics import scores

from ..make.judge import load_judge
from ..make.pose import POINTS, load_pose, truth
from ..make.world.scenes import Scene
from ..make.world.skeletons import joints
from .clips import Clip, drawn

SAME = 6 / 255  # colours that differ by less than this are taken for the same
FEW = 0.05  # of the pixels; where a style changes everything, those that agree do so by chance
COLUMNS = {  # what a score is called on the page, its digits there, and which end is better
    "asked": ("asked is there, %", 0, "high"),
    "spread": ("spread, of 255", 1, "low"),
    "motion": ("motion error, % of width", 1, "low"),
    "kept": ("kept, dB", 1, "high"),
    "consistency": ("CLIP consistency", 1, "high"),
    "alignment": ("CLIP alignment", 1, "high"),
    "psnr": ("PSNR, dB", 1, ""),  # it rewards blur and copies, so none is better
}
# The parts of a subject: lines between points, and the radius about them, in shares of the frame.
# They are thinner than what is drawn, so that a point that is off by a pixel does no harm.
PARTS = {
    "head": ([("head", "head")], 0.09),
    "torso": ([("neck", "hip")], 0.05),
    "arms": ([("left_elbow", "left_hand"), ("right_elbow", "right_hand")], 0.02),
    "thighs": ([("hip", "left_knee"), ("hip", "right_knee")], 0.02),
    "shins": ([("left_knee", "left_foot"), ("right_knee", "right_foot")], 0.02),
    "body": ([("centre", "centre")], 0.07),  # of a car, between its wheels
}


def psnr(video: Tensor, ideal: Tensor, where: Tensor | None = None) -> float:
    """10 log10(1 / MSE) in dB of frames (f, 3, H, W), for values from 0 to 1; `where` (f, H, W) are
    the pixels that count. At most 100; nan if hardly any count."""
    error = ((video - ideal) / 2).square().mean(dim=1)  # f H W
    if where is not None:
        if where.float().mean() < FEW:
            return float("nan")
        error = error[where]
    return -10 * error.mean().clamp(min=1e-10).log10().item()


def near_line(a: Tensor, b: Tensor, radius: float, side: int) -> Tensor:
    """The pixels of square frames that lie within `radius` of the line from a to b, two points
    (f, 2) in shares of the frame: (f, H, W) bool."""
    places = (torch.arange(side) + 0.5) / side
    pixels = torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)  # H W 2
    a, along = a[:, None, None], (b - a)[:, None, None]  # f 1 1 2
    share = ((pixels - a) * along).sum(dim=3) / along.square().sum(dim=3).clamp(min=1e-9)
    nearest = a + share.clamp(0, 1)[..., None] * along  # f H W 2
    return (pixels - nearest).norm(dim=3) < radius


def part_colors(video: Tensor, points: Tensor, scene: Scene) -> Tensor:
    """The mean colour of each part in each frame, (f, p, 3): of those parts that the scene's
    subject has, at the `points` (f, k, 2). nan where a point is nan or out of the frame."""
    at = {name: points[:, i] for i, name in enumerate(POINTS) if name in joints(scene)}
    colors = []
    for lines, radius in PARTS.values():
        if all(end in at for line in lines for end in line):
            near = [near_line(at[a], at[b], radius, video.shape[3]) for a, b in lines]
            where = torch.stack(near).any(dim=0)[:, None].float()  # f 1 H W
            colors.append((video * where).sum(dim=(2, 3)) / where.sum(dim=(2, 3)))
    return torch.stack(colors, dim=1)


def spread(colors: Tensor) -> float:
    """How much the parts' colours (f, p, 3) change from frame to frame: their standard deviation
    over the frames, mean over parts and channels, of 255."""
    apart = 127.5 * (colors - colors.nanmean(dim=0))
    return apart.square().nanmean(dim=0).sqrt().nanmean().item()


class Scorer:
    """Everything that looks at a finished video."""

    def __init__(self, weights: str):
        self.clip, self.tokenizer = load_clip(f"{weights}/clip")
        self.judge, self.pose = load_judge(), load_pose()
        here = Path(__file__).parent
        files = [here / "scores.py", here / "clips.py", here / "clips.md"]
        files += [*here.parent.glob("make/*.safetensors"), *here.parent.glob("make/world/*.py")]
        files += Path(weights).glob("clip/*.safetensors")
        text = b"".join(file.read_bytes() for file in sorted(files))
        self.digest = hashlib.sha256(text).hexdigest()[:12]  # of all that decides a score

    @torch.no_grad()
    def __call__(self, video: Tensor, clip: Clip, edit: str) -> dict[str, float]:
        """The scores of a video (f, 3, H, W) in [-1, 1] that should show this edit of the clip.

        `spread` is that of the video less what right answers have, whose subjects turn and bend as
        well; that is some units of 255. The video's own joints say where its parts are, so that a
        subject in a wrong place is no fault here: `motion` counts that. As joints are hard to find
        in a bad drawing, `spread_there` looks where they should be, and subtracts nothing.
        """
        size, scene = video.shape[3], clip.edits[edit][0]
        ideals = torch.stack([drawn(film, size) for film in clip.ideals(edit)])  # a f 3 H W
        kept = ((ideals - drawn(clip.source, size)).abs() / 2 < SAME).all(dim=2).all(dim=0)  # f H W
        closest = max(ideals, key=lambda ideal: psnr(video, ideal))
        points = self.pose(video)
        own = [spread(part_colors(answer, self.pose(answer), scene)) for answer in ideals]
        right = self.judge.shows(video, scene)
        truly, seen = truth(clip.edits[edit])
        there = truly.masked_fill(~seen[..., None], torch.nan)
        consistency, alignment = scores(self.clip, self.tokenizer, video, clip.prompt(edit))
        return {
            "asked": 100 * sum(right) / len(right),
            "spread": spread(part_colors(video, points, scene)) - sum(own) / len(own),
            "motion": 100 * (points - truly).norm(dim=2)[seen].mean().item(),
            "kept": psnr(video, closest, kept),
            "consistency": consistency,
            "alignment": alignment,
            "psnr": psnr(video, closest),
            "spread_there": spread(part_colors(video, there, scene)),
        }
