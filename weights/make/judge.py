"""The judge: a small network that says what a drawing shows, trained on drawings only.

    python -m weights.make.judge [--train-steps N]   train it; say how often it is right
    python -m weights.make.judge --prompts 300       judge what the miniature draws

It is kept apart from what it judges: it never sees a sample, a latent or a decoded picture. Its
drawings show held-out looks and moves as well, and in one of three the actor is away, cut or
covered; where hardly anything is left of it or of its head, the subject is nobody (`moments.py`).
They are softened and made noisy at random, so that a small VAE's blur does not matter.

Shapes: b pictures, H W pixels (128).
"""

import argparse
import random
from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import train
from .moments import DRAWINGS, LOST, NOBODY, as_frames, damaged, moments
from .training import SEED, Training
from .world import scenes
from .world.captions import caption
from .world.motions import random_scene

FILE = Path(__file__).parent / "judge.safetensors"
QUESTIONS = {
    "subject": (*scenes.SUBJECTS, NOBODY),
    "action": (*scenes.ACTIONS, NOBODY),
    "food": ("", *scenes.FOODS),
    "attribute": (*scenes.ATTRIBUTES, NOBODY),
    "background": scenes.BACKGROUNDS,
    "style": scenes.STYLES,
    "dye": ("", *scenes.DYES),  # of the jacket or the car
}
Found = dict[str, list[bool]]  # by question, whether each answer is right


class Judge(nn.Module):
    """Pictures (b, 3, H, W) in [-1, 1] -> for each question, scores (b, answers)."""

    def __init__(self):
        super().__init__()
        layers, before = [], 3
        for width in (24, 48, 96, 160, 192):
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        heads = {name: nn.Linear(2 * before, len(answers)) for name, answers in QUESTIONS.items()}
        self.heads = nn.ModuleDict(heads)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.body(x)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}

    @torch.no_grad()
    def answers(self, frames: Tensor) -> list[dict[str, str]]:
        """What each of the frames (b, 3, H, W) shows."""
        scores = self(frames)
        lost = scores["subject"].argmax(dim=1) == len(scenes.SUBJECTS)
        for name in LOST:  # nobody, the last answer, is given to all of these questions or to none
            scores[name][lost, :-1] = -torch.inf
            scores[name][~lost, -1] = -torch.inf
        chosen = {name: one.argmax(dim=1).tolist() for name, one in scores.items()}
        return [
            {name: answers[chosen[name][i]] for name, answers in QUESTIONS.items()}
            for i in range(len(frames))
        ]

    def shows(self, frames: Tensor, scene: scenes.Scene) -> list[bool]:
        """Whether each of the frames (b, 3, H, W) shows all that the scene's prompt says."""
        wanted = answers_of(scene)
        if not scene.color:  # the prompt names no colour of jacket or car
            del wanted["dye"]
        return [wanted.items() <= answer.items() for answer in self.answers(frames)]


def load_judge() -> Judge:
    """The judge that is shipped beside this file, frozen."""
    judge = Judge()
    stored = load_file(FILE)
    judge.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in stored.items()})
    return judge.eval().requires_grad_(False)


def soften(x: Tensor, generator: torch.Generator) -> Tensor:
    """At random: halve and restore the resolution, add noise. Shape (b, 3, H, W) as it was."""
    halve, scale, noise = torch.rand(3, generator=generator).tolist()
    if halve < 0.4:
        side = x.shape[-1]
        small = F.interpolate(x, scale_factor=0.4 + 0.5 * scale, mode="bilinear", antialias=True)
        x = F.interpolate(small, size=(side, side), mode="bilinear")
    return x + 0.1 * noise * torch.randn(x.shape, generator=generator)


def train_judge(build: Path, steps: int) -> None:
    """Cross-entropy on all questions. Goes on from the judge that is there, if any.

    The one that is shipped was first trained on drawings as they are, then for 460 steps on these.
    """
    torch.manual_seed(SEED)
    judge = load_judge().train().requires_grad_(True) if FILE.exists() else Judge()
    drawn, pixels = moments(damaged)
    labels = [answers_of(scene) for scene in drawn]
    truth = in_numbers(labels)
    training = Training("judge", judge, steps, 1e-3, lambda share: 96, build)

    def loss_of(judge, count, generator):
        indices = torch.randint(0, DRAWINGS, (count,), generator=generator)
        x = soften(as_frames(pixels[indices]), generator)
        with torch.autocast("cpu", torch.bfloat16):
            scores = judge(x)
        wanted = {name: truth[name][indices] for name in QUESTIONS}
        losses = [
            F.cross_entropy(scores[name].float(), wanted[name], label_smoothing=0.02)
            for name in QUESTIONS
        ]
        right = [scores[name].argmax(dim=1) == wanted[name] for name in QUESTIONS]
        return sum(losses), {"all right": float(torch.stack(right).all(dim=0).float().mean())}

    training.run(loss_of)
    judge = training.deliver()
    judge.train()
    with torch.no_grad():  # BatchNorm's statistics, for the averaged weights
        for part in pixels[:3000].split(100):
            judge(as_frames(part))
    judge.eval()
    state = {k: v.half() if v.is_floating_point() else v for k, v in judge.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, FILE)
    judge, kept = load_judge(), range(DRAWINGS, len(drawn))
    groups = {
        "as they are": [i for i in kept if i % 3],
        "with nobody": [i for i in kept if drawn[i].subject == NOBODY],
        "damaged a little": [i for i in kept if not i % 3 and drawn[i].subject != NOBODY],
    }
    for what, those in groups.items():
        found = accuracy(judge, as_frames(pixels[those]), [labels[i] for i in those])
        report(found, f"drawings held out of training, {what}")


def answers_of(scene: scenes.Scene) -> dict[str, str]:
    """What each question's answer is for a scene."""
    return {name: getattr(scene, name) for name in QUESTIONS}


def in_numbers(labels: list[dict]) -> dict[str, Tensor]:
    """By question, the numbers of the right answers (n,)."""
    return {
        name: torch.tensor([answers.index(label[name]) for label in labels])
        for name, answers in QUESTIONS.items()
    }


def accuracy(judge: Judge, frames: Tensor, labels: list[dict]) -> Found:
    """By question, whether the judge answers rightly about each of the frames (n, 3, H, W)."""
    answers = [answer for part in frames.split(50) for answer in judge.answers(part)]
    return {
        name: [a[name] == label[name] for a, label in zip(answers, labels, strict=True)]
        for name in QUESTIONS
    }


def report(found: Found, what: str) -> None:
    """One line: the share of right answers to each question."""
    count = len(next(iter(found.values()), []))
    shares = [f"{name} {100 * sum(f) / len(f):.1f} %" for name, f in found.items() if f]
    print(f"{count} {what}: {'  '.join(shares)}", flush=True)


def judge_prompts(weights: str, count: int, steps: int, guidance: float, seed: int) -> None:
    """Text to image on `count` random prompts: the share of samples that show what was asked."""
    from tav import load
    from tav.sampling import sample
    from tav.vae import decode

    model, judge, rng = load(weights), load_judge(), random.Random(seed)
    seen, unseen = defaultdict(list), defaultdict(list)
    side = model.size // model.vae.factor
    for start in range(0, count, 25):
        asked = [random_scene(rng, allow_held_out=True) for _ in range(min(25, count - start))]
        generator = torch.Generator().manual_seed(seed * 1000 + start)
        noise = torch.randn(len(asked), 4, side, side, generator=generator)
        text = model.embed([""] * len(asked) + [caption(scene) for scene in asked])
        frames = decode(model.vae, sample(model, noise, text, steps, guidance))
        for scene, answer in zip(asked, judge.answers(frames), strict=True):
            found = unseen if scenes.new_words(scene) else seen
            found["anybody"].append(answer["subject"] != NOBODY)
            for name in QUESTIONS:
                if name != "dye":
                    found[name].append(answer[name] == getattr(scene, name))
            if scene.color:
                found["named colour"].append(answer["dye"] == scene.color)
        print(f"judged {start + len(asked)} of {count}", flush=True)
    report(seen, "prompts of trained combinations")
    report(unseen, "prompts of held-out combinations")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--train-steps", type=int, default=460)
    parser.add_argument("--prompts", type=int, default=0)
    parser.add_argument("--weights", default=str(train.ROOT / "weights" / "mini"))
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=Path, default=train.BUILD)
    args = parser.parse_args()
    if args.prompts:
        judge_prompts(args.weights, args.prompts, args.steps, args.guidance, args.seed)
    else:
        train_judge(args.build, args.train_steps)


if __name__ == "__main__":
    main()
