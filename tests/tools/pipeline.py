"""Does diffusers draw the same picture? Its StableDiffusionPipeline and this code, from one folder
and one noise.

    pip install -e ".[reference]"
    python tests/tools/pipeline.py [WEIGHTS] [--steps 50] [--guidance 3.5]

Prints the largest difference of the latents, relative to the largest latent, and of the pictures'
bytes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import tav  # noqa: E402
from tav.sampling import sample  # noqa: E402
from tav.vae import decode, to_uint8  # noqa: E402

PROMPTS = [
    "spider man is skiing on the beach, cartoon style",
    "a panda is surfing, at sunset",
    "a jeep on the road",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("weights", nargs="?", default=str(ROOT / "weights" / "mini"))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=3.5)
    args = parser.parse_args()

    model = tav.load(args.weights)
    pipeline = StableDiffusionPipeline.from_pretrained(args.weights, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    side = model.size // model.vae.factor
    noise = torch.randn(len(PROMPTS), 4, side, side, generator=torch.Generator().manual_seed(0))
    settings = {
        "num_inference_steps": args.steps,
        "guidance_scale": args.guidance,
        "latents": noise,
    }
    theirs = pipeline(PROMPTS, output_type="latent", **settings).images
    their_pictures = np.stack(
        [np.asarray(picture) for picture in pipeline(PROMPTS, **settings).images]
    )

    text = model.embed([""] * len(PROMPTS) + PROMPTS)
    ours = sample(model, noise, text, args.steps, args.guidance)
    our_pictures = to_uint8(decode(model.vae, ours))
    bytes_apart = np.abs(our_pictures.astype(int) - their_pictures.astype(int))
    print(
        f"latents: {((ours - theirs).abs().max() / theirs.abs().max()).item():.2g} of the largest"
    )
    print(
        f"pictures: bytes differ by at most {bytes_apart.max()}, "
        f"and {100 * (bytes_apart > 0).mean():.3f} % differ"
    )


if __name__ == "__main__":
    main()
