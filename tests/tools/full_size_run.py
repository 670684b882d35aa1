"""The whole job at Stable Diffusion 1.4's full size, with random weights: does it run, how long,
how much memory?

    python tests/tools/full_size_run.py CLIP [--frames 2] [--size 256] [--steps 2]

Writes a folder of 2.1 GB in the real layout (fp16) to a temporary place, runs tune.py and sample.py
on it as a user would, and prints the seconds and the peak resident memory of each. Pictures are
noise, of course.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
import tiny  # noqa: E402

from tav.text import CLIPTextModel  # noqa: E402
from tav.unet import UNet2DConditionModel  # noqa: E402
from tav.vae import AutoencoderKL  # noqa: E402
from weights.make.miniature import MODEL_INDEX  # noqa: E402

WIDTHS = [320, 640, 1280, 1280]
TEXT = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
VAE = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}
VAE |= {"norm_num_groups": 32, "scaling_factor": 0.18215}
UNET = {"block_out_channels": WIDTHS, "layers_per_block": 2, "cross_attention_dim": 768}
HEADS = {
    "heads": [8] * 4,
    "attentive": [True] * 3 + [False],
}  # as our UNet takes what the config says otherwise


def write(folder: Path) -> None:
    """SD 1.4's layout, sizes and configs with random weights."""
    tiny.folder(folder)
    (folder / "model_index.json").write_text(json.dumps(MODEL_INDEX))
    text = tiny.TEXT | TEXT
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET, **HEADS)
        parts = {"text_encoder": CLIPTextModel(**text), "vae": AutoencoderKL(**VAE), "unet": unet}
    types = (
        ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    )
    own = {
        "down_block_types": types[0],
        "up_block_types": types[1],
        "attention_head_dim": 8,
        "sample_size": 64,
    }
    changes = {"text_encoder": text, "vae": VAE, "unet": UNET | own}
    for part, module in parts.items():
        config = folder / part / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | changes[part]))
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        random = {}
        for name, tensor in module.state_dict().items():
            norm = "norm" in name
            size = 0.0 if name.endswith("bias") else 1.0 if norm else tensor[0].numel() ** -0.5
            random[name] = (torch.ones if norm else torch.randn)(tensor.shape).mul(size).half()
            if part == "unet" and name.endswith(("proj_in.weight", "proj_out.weight")):
                random[name] = random[name][..., None, None]  # 1x1 convolutions in SD 1
        save_file(random, folder / part / f"{stem}.safetensors")


def timed(*command: str) -> None:
    began = time.time()
    subprocess.run([sys.executable, *command], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(
        f"{Path(command[0]).name}: {time.time() - began:.0f} s; peak so far {peak:.1f} GB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=lambda path: str(Path(path).absolute()))
    parser.add_argument("--frames", default="2")
    parser.add_argument("--size", default="256")
    parser.add_argument("--steps", default="2")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        weights, out = Path(place) / "sd14", Path(place) / "run"
        write(weights)
        options = [
            "--weights",
            str(weights),
            "--frames",
            args.frames,
            "--size",
            args.size,
            "--steps",
            args.steps,
        ]
        timed(str(ROOT / "tune.py"), args.clip, "a man is skiing", *options, "--out", str(out))
        timed(
            str(ROOT / "sample.py"), "a panda is skiing", "--run", str(out), "--steps", args.steps
        )


if __name__ == "__main__":
    main()
