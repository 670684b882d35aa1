"""Where the subject's limbs are: a small network that finds them in a picture.

    python -m weights.make.pose [--steps N]     train it on drawings; print its error

The drawn world knows where every joint of a drawing is (`skeletons.joints`). A network that has
learnt to read them from pixels, whatever the subject, the place and the style, measures motion in
pictures that nobody drew. As the judge, it never sees a sample or a decoded picture, but drawings
that are softened and noisy at random, moments of held-out moves among them (`moments.py`).

Shapes: b pictures, H W pixels (128), k points, h w = H/4 W/4 cells. Points are (x, y), shares of
the frame.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import train
from .judge import soften
from .moments import DRAWINGS, KEPT, as_frames, moments
from .training import SEED, Training
from .world.scenes import Scene
from .world.skeletons import joints

FILE = Path(__file__).parent / "pose.safetensors"
CENTRE = ("hip", "centre")  # of who stands or sits; of a vehicle
LIMBS = (
    "neck",
    "head",
    "left_elbow",
    "right_elbow",
    "left_hand",
    "right_hand",
    "left_knee",
    "right_knee",
    "left_foot",
    "right_foot",
    "front_wheel",
    "back_wheel",
)
POINTS = CENTRE + LIMBS


def layer(before: int, width: int, stride: int = 1) -> nn.Sequential:
    """A convolution with its norm, (b, before, H, W) -> (b, width, H/stride, W/stride)."""
    convolution = nn.Conv2d(before, width, 3, stride, padding=1)
    return nn.Sequential(convolution, nn.GroupNorm(8, width), nn.ReLU())


class Pose(nn.Module):
    """Pictures (b, 3, H, W) in [-1, 1] -> points (b, k, 2).

    Down to 8 x 8, where one cell sees the whole figure, and up again to 32 x 32; there a map of
    each point is made a distribution by softmax, whose mean is the answer.
    """

    def __init__(self):
        super().__init__()
        widths = (32, 64, 96, 160)
        pairs = zip((3, *widths), widths)
        self.down = nn.ModuleList([nn.Sequential(layer(a, b, 2), layer(b, b)) for a, b in pairs])
        self.middle = nn.Sequential(layer(160, 160), layer(160, 160))
        self.across = nn.ModuleList([nn.Conv2d(width, 96, 1) for width in widths[1:3]])
        self.up = nn.ModuleList([layer(160, 96), layer(96, 96)])
        self.maps = nn.Sequential(layer(96, 96), nn.Conv2d(96, len(POINTS), 1))

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for down in self.down:
            x = down(x)
            seen.append(x)
        x = self.middle(x)
        for i in (1, 0):  # 8 x 8 -> 16 x 16 -> 32 x 32
            larger = F.interpolate(self.up[1 - i](x), scale_factor=2.0, mode="nearest")
            x = larger + self.across[i](seen[i + 1])
        maps = self.maps(x).float().flatten(2).softmax(dim=2).unflatten(2, x.shape[2:])  # b k h w
        places = (torch.arange(x.shape[3], device=x.device) + 0.5) / x.shape[3]
        return torch.stack([maps.sum(dim=2) @ places, maps.sum(dim=3) @ places], dim=2)


def truth(scenes: list[Scene]) -> tuple[Tensor, Tensor]:
    """The points of scenes (b, k, 2), and which of them are there, within the frame (b, k)."""
    found = [joints(scene) for scene in scenes]
    points = torch.tensor([[of.get(name, (-1.0, -1.0)) for name in POINTS] for of in found])
    return points, ((points > 0) & (points < 1)).all(dim=2)


def movement(scenes: list[Scene]) -> float:
    """How far the scenes' points are from their own mean over the scenes, mean over those within
    the frame, in shares of its width: the error of a figure that stands still there."""
    points, there = truth(scenes)
    points = points.masked_fill(~there[..., None], torch.nan)
    return (points - points.nanmean(dim=0)).norm(dim=2)[there].mean().item()


def load_pose() -> Pose:
    """The network that is shipped beside this file, frozen."""
    pose = Pose()
    pose.load_state_dict({name: value.float() for name, value in load_file(FILE).items()})
    return pose.eval().requires_grad_(False)


def train_pose(build: Path, steps: int) -> None:
    """Mean distance of each point from where it was drawn."""
    torch.manual_seed(SEED)
    scenes, pixels = moments()
    points, there = truth(scenes)
    training = Training("pose", Pose(), steps, 2e-3, lambda share: 48, build)

    def loss_of(pose, count, generator):
        indices = torch.randint(0, DRAWINGS, (count,), generator=generator)
        x = soften(as_frames(pixels[indices]), generator)
        with torch.autocast("cpu", torch.bfloat16):
            found = pose(x)
        distance = (found - points[indices]).square().sum(dim=2).add(1e-8).sqrt()
        return distance[there[indices]].mean(), {}

    training.run(loss_of)
    state = training.deliver().state_dict()
    save_file({name: value.half().contiguous() for name, value in state.items()}, FILE)
    pose, kept = load_pose(), torch.arange(DRAWINGS, DRAWINGS + KEPT)
    with torch.no_grad():
        found = torch.cat([pose(as_frames(pixels[part])) for part in kept.split(50)])
    distance = 100 * (found - points[kept]).norm(dim=2)
    for name, part in {"centre": slice(0, 2), "limbs": slice(2, None)}.items():
        d = distance[:, part][there[kept][:, part]]
        off = f"{d.mean():.2f} % of the frame's width, 95 % of them below {d.quantile(0.95):.2f} %"
        print(f"{KEPT} drawings held out of training: {name} off by {off}", flush=True)


if __name__ == "__main__":
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--build", type=Path, default=train.BUILD)
    args = parser.parse_args()
    train_pose(args.build, args.steps)
