"""Did a run on clip.mp4 learn the clip, do its edits show, and does the figure still move as it
did? CI asks this.

    python weights/make/check.py [RUN]       the newest run unless named; exit status 1 if not

Of the tuning: is the loss on the clip, at ten fixed timesteps, smaller than before? Of each frame
of each edit: does the judge (judge.py) see all that the prompt says, and nothing else changed? And
is the frame nearest to the ideal edit, drawn by world.py, of its own moment, rather than to that of
another moment of the clip?
"""

import re
import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

import world  # noqa: E402
from evaluate import draw  # noqa: E402
from judge import load_judge  # noqa: E402

from tav.inflation import inflate  # noqa: E402
from tav.io.runs import Run  # noqa: E402
from tav.io.video import read_clip  # noqa: E402
from tav.io.weights import load  # noqa: E402
from tav.tuning import load_tuned  # noqa: E402

# most of the loss that may be left; least shares of frames, over all edits
LEARNED, ASKED, TIMELY = (0.98, 0.75, 0.75)


@torch.no_grad()
def loss(model, latents: torch.Tensor, text: torch.Tensor) -> float:
    """Mean squared error of the noise in the clip's latents (f, 4, h, w), over ten timesteps."""
    noise, total = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)), 0.0
    for t in range(50, 1000, 100):
        guess = model.unet(
            model.schedule.add_noise(latents, noise, t), torch.tensor([t]), text, len(latents)
        )
        total += (guess - noise).square().mean().item() / 10
    return total


def main() -> None:
    run, judge, found = Run(sys.argv[1] if len(sys.argv) > 1 else None), load_judge(), []
    model, latents = load(run.settings["weights"]), run.load("source")["mean"]
    text = model.embed(run.settings["prompt"])
    inflate(model.unet)
    before = loss(model, latents, text)
    load_tuned(model.unet, run.load("tuned"), str(run.path))
    left = loss(model, latents, text) / before
    print(f"tuning left {left:.0%} of the loss; at most {LEARNED:.0%} is asked")
    first, stride, count = (run.settings[key] for key in ("start", "stride", "frames"))
    source = world.clip(world.Scene(), 16)[first::stride][:count]
    for file in sorted((run.path / "samples").glob("[0-9]-*.mp4")):
        asked = world.parse(re.sub("^[0-9]-", "", file.stem).replace("-", " "))
        video, _ = read_clip(file)
        ideal = draw(world.edit(source, **asked), video.shape[3])
        distance = (video[:, None] - ideal[None]).square().mean(dim=(2, 3, 4))  # f f
        timely = (distance.argmin(dim=1) == torch.arange(len(video))).float().mean().item()
        seen = [answer == asked for answer in judge.answers(video)]
        found.append((sum(seen) / len(seen), timely))
        often = f"the judge sees it in {found[-1][0]:.0%} of the frames"
        print(f"{file.stem}: {often}, {timely:.0%} are of their moment")
    means = torch.tensor(found).mean(dim=0).tolist() if found else [0.0, 0.0]
    good = left <= LEARNED and means[0] >= ASKED and means[1] >= TIMELY
    verdict = "good" if good else "NOT good"
    print(f"all: {means[0]:.0%}, {means[1]:.0%}; asked are {ASKED:.0%}, {TIMELY:.0%}: {verdict}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
