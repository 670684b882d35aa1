"""What tune.py and sample.py can be told: names, ranges and help of their options (lesson 00).

Only what was given is returned: a default is the weights' own or the command's.
"""

from argparse import BooleanOptionalAction

from .cli import Parser, number
from .devices import DTYPES

SEED = number(int, 0, 2**32 - 1)
DEVICE = "cuda, mps or cpu (default: the first of these that is there)"


def tune_options(about: str) -> dict:
    """What tune.py was given."""
    parser = Parser(description=about)
    add = parser.add_argument
    add("clip", nargs="?", help="an mp4, gif or webm, or a folder of pictures")
    add("prompt", nargs="?", help="what the clip shows")
    add("--weights", help="a folder, a .safetensors file or a hub id (default: the miniature)")
    add("--frames", type=number(int, 1), help="how many frames to tune on")
    add("--start", type=number(int, 0), help="the first frame (default 0)")
    add("--stride", type=number(int, 1), help="take every K-th frame")
    add("--size", type=number(int, 1), help="side of the square frames in pixels")
    add("--stretch", action="store_true", help="squeeze to the square instead of cropping")
    add("--steps", type=number(int, 1), help="tuning steps in all")
    add("--lr", type=number(float, 0, 1), help="learning rate")
    add("--seed", type=SEED, help="seed of every random draw (default 0)")
    add("--device", help=DEVICE)
    dtype = "default: half precision on cuda, and for large weights on a CPU with bf16; else fp32"
    add("--dtype", choices=[*DTYPES], help=dtype)
    memory = "low keeps little and computes more (default: auto)"
    add("--memory", choices=["low", "auto", "fast"], help=memory)
    add("--out", help="run folder (default: a new one in runs/)")
    add("--resume", action="store_true", help="continue the run in --out, or else the newest")
    return vars(parser.parse_args())


def sample_options(about: str) -> dict:
    """What sample.py was given."""
    parser = Parser(description=about)
    add = parser.add_argument
    add("prompts", nargs="*", help="one video each (default: the weights' own example edits)")
    add("--run", help="run folder (default: the newest in runs/)")
    add("--weights", help="where the run's weights are now, if they moved")
    steps = "DDIM steps of inversion and sampling, best a divisor of 1000 (published: 50)"
    add("--steps", type=number(int, 1, 999), help=steps)
    guidance = "classifier-free guidance (published: 12.5; 1 is none)"
    add("--guidance", type=number(float, 0), help=guidance)
    add("--negative", help="what the videos should not show")
    difference = "edit by the difference of two predictions, not by inversion (published: no)"
    add("--difference", action=BooleanOptionalAction, help=difference)
    caption = "invert with the caption (published: with no words)"
    add("--invert-caption", action=BooleanOptionalAction, help=caption)
    random = "start from random noise, not from the clip's own"
    add("--no-inversion", action="store_true", help=random)
    score = "print how alike the frames are, and how like the prompt, as CLIP sees it"
    add("--score", action="store_true", help=score)
    clip = "a folder with CLIP ViT-L/14 to score with (default: the one beside the weights)"
    add("--clip", help=clip)
    add("--seed", type=SEED, help="seed of the random noise (default 0)")
    add("--device", help=DEVICE)
    add("--dtype", choices=[*DTYPES], help="default: as tuned")
    given = vars(parser.parse_args())
    if "no_inversion" in given or "invert_caption" in given:  # then it is by inversion, or random
        if given.setdefault("difference", False):
            parser.error("--difference inverts nothing: leave out what is said of inversion")
    return given
