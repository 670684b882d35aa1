"""The judge: a small network that says what a drawing shows, trained on drawings only.

    python weights/make/judge.py [--minutes M]   train it, print its accuracy on held-out drawings
    python weights/make/judge.py --prompts 300   ask the miniature for pictures: how many are right?

It is told apart from what it judges: it never sees a sample, a latent or a decoded picture.
Pictures are softened and made noisy at random in training, so that the blur of a small VAE does not
put it off.

Shapes: b pictures, H W pixels (128).
"""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

import train  # noqa: E402
import world  # noqa: E402

from tav.io.weights import load  # noqa: E402
from tav.sampling import sample  # noqa: E402
from tav.vae import decode  # noqa: E402

FILE = Path(__file__).parent / "judge.safetensors"
QUESTIONS = {
    "subject": world.SUBJECTS,
    "action": world.ACTIONS,
    "food": ("", *world.FOODS),
    "attribute": world.ATTRIBUTES,
    "background": world.BACKGROUNDS,
    "style": world.STYLES,
}


class Judge(nn.Module):
    """Pictures (b, 3, H, W) in [-1, 1] -> for each question, scores (b, answers)."""

    def __init__(self):
        super().__init__()
        widths = (24, 48, 96, 160, 192)
        layers, before = [], 3
        for width in widths:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(2 * before, len(answers)) for name, answers in QUESTIONS.items()}
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.body(x)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}

    @torch.no_grad()
    def answers(self, frames: Tensor) -> list[dict[str, str]]:
        """What each of the frames (b, 3, H, W) shows."""
        scores = self(frames)
        chosen = {name: s.argmax(dim=1).tolist() for name, s in scores.items()}
        return [
            {name: QUESTIONS[name][chosen[name][i]] for name in QUESTIONS}
            for i in range(len(frames))
        ]


def load_judge() -> Judge:
    judge = Judge()
    judge.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load_file(FILE).items()}
    )
    return judge.eval().requires_grad_(False)


def soften(x: Tensor, generator: torch.Generator) -> Tensor:
    """At random: halve and restore the resolution, blur, add noise."""
    chance = torch.rand(3, generator=generator)
    if chance[0] < 0.4:
        size = x.shape[-1]
        small = F.interpolate(
            x, scale_factor=0.4 + 0.5 * float(chance[1]), mode="bilinear", antialias=True
        )
        x = F.interpolate(small, size=(size, size), mode="bilinear")
    return x + 0.1 * float(chance[2]) * torch.randn(x.shape, generator=generator)


def train_judge(build: Path, minutes: float) -> None:
    """Cross-entropy on all questions, on the training pictures of the miniature."""
    torch.manual_seed(train.SEED)
    data, judge = train.Pictures(build), Judge()
    truth = {
        n: torch.tensor([a.index(label[n]) for label in data.labels]) for n, a in QUESTIONS.items()
    }
    training = train.Training("judge", judge, minutes, 2e-3, build, ema=0.99)

    def loss_of(generator):
        indices = train.choose(96, generator)
        x = soften(data.frames(indices), generator)
        with torch.autocast("cpu", torch.bfloat16):
            scores = judge(x)
        loss = sum(
            F.cross_entropy(scores[n].float(), truth[n][indices], label_smoothing=0.02)
            for n in QUESTIONS
        )
        right = torch.stack(
            [(scores[n].argmax(dim=1) == truth[n][indices]).float() for n in QUESTIONS]
        )
        return loss, {"all right": float(right.prod(dim=0).mean())}

    training.run(loss_of)
    judge = training.deliver()
    judge.train()
    with torch.no_grad():  # BatchNorm's statistics, for the averaged weights
        for i in range(0, 3000, 100):
            judge(data.frames(range(i, i + 100)))
    judge.eval()
    save_file(
        {k: v.half() if v.is_floating_point() else v for k, v in judge.state_dict().items()}, FILE
    )
    report(accuracy(load_judge(), data), "drawings held out of training")


def accuracy(judge: Judge, data: "train.Pictures") -> dict[str, list[bool]]:
    """Per question, whether each held-out drawing is answered rightly."""
    found = {name: [] for name in QUESTIONS}
    for i in range(train.PICTURES, train.PICTURES + train.HELD_OUT, 50):
        for k, answer in enumerate(judge.answers(data.frames(range(i, i + 50)))):
            for name in QUESTIONS:
                found[name].append(answer[name] == data.labels[i + k][name])
    return found


def report(found: dict[str, list[bool]], what: str) -> None:
    shares = "  ".join(f"{name} {100 * sum(v) / len(v):.1f} %" for name, v in found.items() if v)
    print(f"{len(next(iter(found.values())))} {what}: {shares}", flush=True)


def judge_prompts(weights: str, count: int, steps: int, guidance: float, seed: int = 1) -> None:
    """Text to image on `count` random prompts: the share of samples that show what was asked."""
    model, judge, rng = load(weights), load_judge(), random.Random(seed)
    seen = {name: [] for name in QUESTIONS}
    unseen = {name: [] for name in QUESTIONS}
    shape = (1, 4, model.size // model.vae.factor, model.size // model.vae.factor)
    for start in range(0, count, 25):
        scenes = [
            world.random_scene(rng, allow_held_out=True) for _ in range(min(25, count - start))
        ]
        generator = torch.Generator().manual_seed(seed * 1000 + start)
        noise = torch.randn(len(scenes), *shape[1:], generator=generator)
        text = model.embed([""] * len(scenes) + [world.caption(scene) for scene in scenes])
        latents = sample(model, noise, text, steps, guidance)
        for scene, answer in zip(scenes, judge.answers(decode(model.vae, latents))):
            found = unseen if world.held_out(scene) else seen
            for name in QUESTIONS:
                found[name].append(answer[name] == getattr(scene, name))
        print(json.dumps({"judged": start + len(scenes)}), flush=True)
    report(seen, "prompts of trained combinations")
    report(unseen, "prompts of held-out combinations")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--prompts", type=int, default=0)
    parser.add_argument("--weights", default=str(train.ROOT / "weights" / "mini"))
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--build", type=Path, default=Path(__file__).parent / "build")
    args = parser.parse_args()
    if args.prompts:
        judge_prompts(args.weights, args.prompts, args.steps, args.guidance)
    else:
        train_judge(args.build, args.minutes)


if __name__ == "__main__":
    main()
