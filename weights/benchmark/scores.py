"""How good is an edited video, where the ideal one is known?

Shapes: f frames, H W pixels.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tav.io.weights import load_clip
from tav.metrics import scores

from ..make.judge import QUESTIONS, load_judge
from ..make.pose import load_pose, truth
from ..make.world.scenes import Scene
from ..make.world.styles import figure_mask, jacket_mask
from .clips import PLANS, Clip, drawn

SAME = 6 / 255  # colours that differ by less than this are taken for the same
QUESTION = {"color": "dye"}  # what the judge calls it

# What a score is called, its digits after the point, and a factor.
SCORES = {
    "psnr": ("PSNR, dB", 2, 1),
    "kept": ("where nothing was asked, dB", 2, 1),
    "changed": ("where something was, dB", 2, 1),
    "asked": ("asked is there, %", 1, 100),
    "success": ("and the rest is right, %", 1, 100),
    "motion": ("motion error, % of width", 2, 100),
    "jacket": ("error of the jacket's colour, of 255", 1, 127.5),
    "drift": ("drift of the subject's colours, of 255", 1, 127.5),
    "consistency": ("frame consistency", 1, 1),
    "alignment": ("textual alignment", 1, 1),
}


def changed(source: Tensor, ideals: list[Tensor]) -> Tensor:
    """The pixels at which an ideal edit differs visibly from the source: (f, H, W) bool.

    Of several ideal edits any counts. So these are the same pixels for every method.
    """
    where = torch.zeros_like(source[:, 0], dtype=torch.bool)
    for ideal in ideals:
        difference = (ideal - source).abs() / 2  # f 3 H W
        where |= (difference > SAME).any(dim=1)
    return where


def closest(video: Tensor, ideals: list[Tensor]) -> int:
    """Which of several ideal edits (f, 3, H, W) a video comes closest to."""
    return max(range(len(ideals)), key=lambda i: psnr(video, ideals[i]))


def psnr(video: Tensor, ideal: Tensor, where: Tensor | None = None) -> float:
    """10 log10(1 / MSE) in dB of frames (f, 3, H, W), for values from 0 to 1; `where` (f, H, W) are
    the pixels that count. At most 100; nan where there are no such pixels."""
    error = ((video - ideal) / 2).square().mean(dim=1)  # f H W
    error = error if where is None else error[where]
    return -10 * error.mean().clamp(min=1e-10).log10().item()


class Scorer:
    """Everything that looks at a finished video."""

    def __init__(self, weights: str):
        self.clip, self.tokenizer = load_clip(Path(weights) / "clip")
        self.judge, self.pose = load_judge(), load_pose()

    @torch.no_grad()
    def __call__(self, video: Tensor, clip: Clip, edit: str) -> dict[str, float]:
        """The scores of a video (f, 3, H, W) in [-1, 1] that should show this edit of the clip."""
        size, films = video.shape[3], clip.ideals(edit)
        ideals = [drawn(film, size) for film in films]
        there = changed(drawn(clip.source, size), ideals)
        best = closest(video, ideals)
        scenes, ideal = films[best], ideals[best]
        wanted = {name: getattr(scenes[0], name) for name in QUESTIONS}
        right = [
            {name: answer[name] == wanted[name] for name in wanted}
            for answer in self.judge.answers(video)
        ]
        asked = [QUESTION.get(name, name) for name in PLANS[clip.number].edits[edit]]
        points, seen = truth(scenes)
        consistency, _, alignment = scores(self.clip, self.tokenizer, video, clip.prompt(edit))
        return {
            "psnr": psnr(video, ideal),
            "kept": psnr(video, ideal, ~there),
            "changed": psnr(video, ideal, there),
            "asked": share(all(frame[name] for name in asked) for frame in right),
            "success": share(all(frame.values()) for frame in right),
            "motion": (self.pose(video) - points).norm(dim=2)[seen].mean().item(),
            "jacket": color_error(video, ideal, masks(scenes, size, jacket_mask) > 0.5),
            "drift": color_drift(video, ideal, masks(scenes, size, figure_mask) > 0.5),
            "consistency": consistency,
            "alignment": alignment,
        }


def share(answers) -> float:
    """The share of answers that are true."""
    answers = list(answers)
    return sum(answers) / len(answers)


def masks(scenes: list[Scene], size: int, mask) -> Tensor:
    """The mask of each scene, (f, H, W)."""
    return torch.from_numpy(np.stack([mask(scene, size) for scene in scenes])).float()


def mean_colors(video: Tensor, where: Tensor) -> Tensor:
    """The mean colour of each frame (f, 3) at the pixels `where` (f, H, W); nan without any."""
    where = where[:, None].float()  # f 1 H W
    return (video * where).sum(dim=(2, 3)) / where.sum(dim=(2, 3))  # 0 / 0 is nan


def color_error(video: Tensor, ideal: Tensor, where: Tensor) -> float:
    """How far the mean colour of these pixels is from the ideal's: mean over frames and channels;
    nan where there are no such pixels."""
    return (mean_colors(video, where) - mean_colors(ideal, where)).abs().nanmean().item()


def color_drift(video: Tensor, ideal: Tensor, where: Tensor) -> float:
    """How much that difference changes from frame to frame: its standard deviation over the frames,
    mean over the channels."""
    off = mean_colors(video, where) - mean_colors(ideal, where)  # f 3
    off = off[~off.isnan().any(dim=1)]
    return off.std(dim=0, correction=0).mean().item()
