"""Where the subject's limbs are: a small network that finds them in a picture, trained on drawings
only.

    python weights/make/pose.py [--minutes M] [--device D]   train it, print its error on held-out
                                                             drawings

The drawn world knows where every joint of a drawing is (`world.joints`). A network that has learnt
to read them from pixels, whatever the subject, the place and the style, measures motion in pictures
that nobody drew: it needs no ideal picture to compare with. As the judge, it never sees a sample or
a decoded picture, but drawings that are blurred and noisy at random.

Shapes: b pictures, H W pixels (128), k points, h w = H/4 W/4 cells. Points are (x, y), shares of
the frame.
"""

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F
import train
import world
from judge import soften
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

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
)
LIMBS += ("left_foot", "right_foot", "front_wheel", "back_wheel")
POINTS = CENTRE + LIMBS


def layer(before: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride, padding=1), nn.GroupNorm(8, width), nn.ReLU()
    )


class Pose(nn.Module):
    """Pictures (b, 3, H, W) in [-1, 1] -> points (b, k, 2).

    Down to 8 x 8, where one cell sees the whole figure, and up again to 32 x 32; there a map of
    each point is made a distribution by softmax, whose mean is the answer.
    """

    def __init__(self):
        super().__init__()
        widths = (32, 64, 96, 160)
        pairs = zip((3, *widths), widths)
        self.down = nn.ModuleList(
            [nn.Sequential(layer(a, b, stride=2), layer(b, b)) for a, b in pairs]
        )
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
            x = F.interpolate(self.up[1 - i](x), scale_factor=2.0, mode="nearest") + self.across[i](
                seen[i + 1]
            )
        maps = self.maps(x).float().flatten(2).softmax(dim=2).unflatten(2, x.shape[2:])  # b k h w
        # the same along both sides
        places = (torch.arange(x.shape[3], device=x.device) + 0.5) / x.shape[3]
        return torch.stack([maps.sum(dim=2) @ places, maps.sum(dim=3) @ places], dim=2)


def truth(scenes: list[world.Scene]) -> tuple[Tensor, Tensor]:
    """The points of scenes (b, k, 2), and which of them the subject has within the frame (b, k)."""
    joints = [world.joints(scene) for scene in scenes]
    points = torch.tensor([[of.get(name, (-1.0, -1.0)) for name in POINTS] for of in joints])
    return points, ((points > 0) & (points < 1)).all(dim=2)


def load_pose() -> Pose:
    pose = Pose()
    pose.load_state_dict({name: value.float() for name, value in load_file(FILE).items()})
    return pose.eval().requires_grad_(False)


def scenes_of(data: "train.Pictures") -> list[world.Scene]:
    """What `train.draw_one` drew, told again. ValueError if pictures.npy is of another world."""
    scenes = []
    for i, label in enumerate(data.labels):
        scene = world.random_scene(
            random.Random(f"{train.SEED}/{i}"), allow_held_out=i >= train.PICTURES
        )
        if any(
            getattr(scene, key) != label[key]
            for key in ("subject", "action", "background", "style")
        ):
            what = f"picture {i} was drawn by another world.py"
            raise ValueError(f"{what}; draw them anew (train.py --stage pictures)")
        scenes.append(scene)
    return scenes


def train_pose(build: Path, minutes: float, device: str) -> None:
    """Mean distance of each point from where it was drawn, on the training pictures of the
    miniature."""
    torch.manual_seed(train.SEED)
    data = train.Pictures(build)
    points, there = truth(scenes_of(data))
    training = train.Training("pose", Pose().to(device), minutes, 2e-3, build, ema=0.99)

    def loss_of(generator):
        indices = train.choose(48, generator)
        x = soften(data.frames(indices), generator).to(device)
        with torch.autocast(device, torch.bfloat16):
            found = training.model(x)
        distance = (found - points[indices].to(device)).square().sum(dim=2).add(1e-8).sqrt()
        return distance[there[indices].to(device)].mean(), {}

    training.run(loss_of)
    pose = training.deliver().cpu()
    save_file({name: value.half().contiguous() for name, value in pose.state_dict().items()}, FILE)
    pose, held = load_pose(), range(train.PICTURES, train.PICTURES + train.HELD_OUT)
    found = torch.cat([pose(data.frames(held[i : i + 50])) for i in range(0, len(held), 50)])
    distance, kept = (found - points[held.start :]).norm(dim=2), there[held.start :]
    for name, part in {"centre": slice(0, len(CENTRE)), "limbs": slice(len(CENTRE), None)}.items():
        d = 100 * distance[:, part][kept[:, part]]
        off = f"{d.mean():.2f} % of the frame's width, 95 % of them below {d.quantile(0.95):.2f} %"
        print(f"{len(held)} drawings held out of training: {name} off by {off}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--build", type=Path, default=Path(__file__).parent / "build")
    args = parser.parse_args()
    train_pose(args.build, args.minutes, args.device)
