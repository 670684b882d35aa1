"""Did a run on clip.mp4 learn the clip, do its edits show, and does the figure still move as it
did, in its own clothes? CI asks this.

    python -m weights.make.check [RUN]      the newest run unless named; status 1 if not

Of the tuning: is the loss on the clip, at ten fixed timesteps, smaller than before? Of each frame
of each edit: does the judge see all that the prompt says, and nothing else changed? Is the frame
nearest to the ideal edit of its own moment, rather than to that of another moment of the clip? And
where the man keeps his jacket, is its colour still the clip's, which no caption tells? (Of that the
judge is not asked: it is measured.)
"""

import re
import sys

import numpy as np
import torch
from torch import Tensor

from tav.inflation import inflate
from tav.io.runs import Run
from tav.io.video import read_clip
from tav.io.weights import load
from tav.model import StableDiffusion
from tav.tuning import load_tuned

from ..benchmark.clips import drawn
from .judge import QUESTIONS, load_judge
from .train import demonstration
from .world.captions import parse
from .world.scenes import Scene, edit
from .world.styles import jacket_mask

# At most so much of the loss may be left, and the jacket's colour may be off by so many of 255; the
# others are the least shares of frames, over all edits.
LEARNED, COLOR, ASKED, TIMELY = 0.98, 40, 0.75, 0.75


@torch.no_grad()
def clip_loss(model: StableDiffusion, latents: Tensor, text: Tensor) -> float:
    """Mean squared error of the noise in the clip's latents (f, c, h, w), over ten timesteps."""
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    errors = []
    for t in range(50, 1000, 100):
        noisy = model.schedule.add_noise(latents, noise, t)
        guess = model.unet(noisy, torch.tensor([t]), text, len(latents))
        errors.append((guess - noise).square().mean().item())
    return sum(errors) / len(errors)


def loss_left(run: Run) -> float:
    """The share of the loss on the clip that tuning has left."""
    model = load(run.settings["weights"])
    latents = run.source(model).latents.mean
    text = model.embed(run.settings["prompt"])
    inflate(model.unet)
    before = clip_loss(model, latents, text)
    load_tuned(model.unet, run.tuned(), str(run.path))
    return clip_loss(model, latents, text) / before


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


def scores_of(video: Tensor, ideal: Tensor, jacket: Tensor, right: list[bool]) -> list[float]:
    """Of an edit (f, 3, H, W): the shares of frames that show what is asked, and that are of their
    moment; the error of the jacket's colour, of 255, or nan where none is seen."""
    distance = (video[:, None] - ideal[None]).square().mean(dim=(2, 3, 4))  # f f
    timely = (distance.argmin(dim=1) == torch.arange(len(video))).float().mean().item()
    return [sum(right) / len(right), timely, 127.5 * color_error(video, ideal, jacket)]


def main() -> None:
    run, judge = Run(sys.argv[1] if len(sys.argv) > 1 else None), load_judge()
    left = loss_left(run)
    print(f"tuning left {left:.0%} of the loss; at most {LEARNED:.0%} is asked")
    first, stride, count = (run.settings[key] for key in ("start", "stride", "frames"))
    source = demonstration()[first::stride][:count]
    found = []
    for file in sorted((run.path / "samples").glob("[0-9]-*.mp4")):
        asked = parse(re.sub("^[0-9]-", "", file.stem).replace("-", " "))
        scenes = edit(source, **asked)
        wanted = {name: getattr(scenes[0], name) for name in QUESTIONS if name != "dye"}
        video, _ = read_clip(file)
        right = [wanted.items() <= answer.items() for answer in judge.answers(video)]
        side = video.shape[3]
        jacket = masks(scenes, side, jacket_mask) > 0.5
        found.append(scores_of(video, drawn(scenes, side), jacket, right))
        often, timely, color = found[-1]
        print(
            f"{file.stem}: the judge sees it in {often:.0%} of the frames, {timely:.0%} are of "
            f"their moment, the jacket's colour is off by {color:.0f}"
        )
    means = torch.tensor(found or [[0.0, 0.0, float("inf")]]).nanmean(dim=0).tolist()
    good = left <= LEARNED and means[0] >= ASKED and means[1] >= TIMELY
    good = good and not means[2] > COLOR  # nan where no edit keeps the jacket
    print(
        f"all: {means[0]:.0%}, {means[1]:.0%}, {means[2]:.0f}; asked are at least {ASKED:.0%}, "
        f"{TIMELY:.0%}, at most {COLOR}: {'good' if good else 'NOT good'}"
    )
    sys.exit(not good)


if __name__ == "__main__":
    main()
