"""How clearly the miniature sees: its VAE alone, and one step of its UNet, on held-out drawings.

    python -m weights.make.clarity [--weights W] [--drawings N]

Noise of level t is put on a drawing's latents, the UNet predicts it once, given the caption, and
the clean latents that follow are decoded: PSNR to the drawing, in dB, the mean over drawings. A
loss in latents cannot be compared between VAEs; this can.
"""

import argparse

import numpy as np
import torch
from torch import Tensor

from tav import load
from tav.model import StableDiffusion
from tav.vae import decode, encode, from_bytes

from .pictures import draw_one
from .train import ROOT, psnr

TIMESTEPS = (20, 60, 100, 200, 400)
FIRST = 10_000_000  # the index of the first drawing; no training set reaches it


def drawings(count: int) -> tuple[Tensor, list[str]]:
    """Drawings (n, 3, H, W) in [-1, 1] of any combination of words, and their captions."""
    drawn = [draw_one(FIRST + i, trained=0) for i in range(count)]
    pixels = torch.from_numpy(np.stack([pixels for pixels, _, _ in drawn]))
    return from_bytes(pixels.permute(0, 3, 1, 2)), [one["captions"][0] for *_, one in drawn]


@torch.no_grad()
def decoded_x0(model: StableDiffusion, latents: Tensor, captions: list[str], t: int) -> Tensor:
    """What the UNet sees in latents (n, 4, h, w) with the noise of level t: (n, 3, H, W)."""
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(t))
    noisy, found = model.schedule.add_noise(latents, noise, t), []
    for start in range(0, len(latents), 16):
        part = slice(start, start + 16)
        text = model.embed(captions[part])
        time = torch.full((len(text),), t)
        prediction = model.unet(noisy[part], time, text)
        found.append(model.schedule.to_x0_and_noise(prediction, noisy[part], t)[0])
    return decode(model.vae, torch.cat(found))


def clarity(model: StableDiffusion, count: int) -> dict[str, float]:
    """PSNR in dB of `count` drawings through the VAE alone, and by one step of the UNet from t."""
    frames, captions = drawings(count)
    latents = encode(model.vae, frames).mean
    found = {"VAE": float(psnr(decode(model.vae, latents), frames))}
    for t in TIMESTEPS:
        found[f"t={t}"] = float(psnr(decoded_x0(model, latents, captions, t), frames))
    return found


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--weights", default=str(ROOT / "weights" / "mini"))
    parser.add_argument("--drawings", type=int, default=48)
    args = parser.parse_args()
    found = clarity(load(args.weights), args.drawings)
    print("  ".join(f"{name} {value:.2f} dB" for name, value in found.items()))


if __name__ == "__main__":
    main()
