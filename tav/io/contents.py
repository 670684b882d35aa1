"""The tensors of a run folder, checked when they are read: names, shapes and dtypes (lesson 10).

Shapes: f frames, H W pixels, c h w latent channels, height and width. AdamW reads its moments past
their end if they are too small, so that a damaged file would end the process without a word.
"""

from pathlib import Path

import torch
from torch import Tensor

from ..model import StableDiffusion
from ..tuning import MOMENTS
from ..vae import LATENT
from .checks import refuse

AGAIN = "delete this file, and continue the run with tune.py --resume"
NEW_INVERSION = "delete this file, and sample.py inverts the clip anew"


def check_source(file: Path, found: dict[str, Tensor], model: StableDiffusion) -> None:
    """The clip: frames as bytes, the mean and std of their latents, frames per second."""
    frames = found.get("frames", torch.empty(0))
    if frames.ndim != 4 or frames.numel() == 0:
        refuse(file, f"frames has the shape {tuple(frames.shape)}, not (f, 3, H, W)", AGAIN)
    f, _, height, width = frames.shape
    factor = model.vae.factor
    multiple = factor * 2 ** (len(model.unet.down_blocks) - 1)
    if height % multiple or width % multiple:
        what = f"frames of {width} x {height} pixels, not multiples of {multiple}"
        refuse(file, what, AGAIN)
    latents = (f, LATENT, height // factor, width // factor)
    check_names(file, found, {"frames", "mean", "std", "fps"}, AGAIN)
    check_tensor(file, "frames", frames, torch.uint8, (f, 3, height, width), AGAIN)
    check_tensor(file, "mean", found["mean"], torch.float32, latents, AGAIN)
    check_tensor(file, "std", found["std"], torch.float32, latents, AGAIN)
    check_tensor(file, "fps", found["fps"], torch.float32, (), AGAIN)
    fps = found["fps"].item()
    if not 0 < fps < 10_000:
        refuse(file, f"fps is {fps}", AGAIN)


def check_state(file: Path, found: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    """What `Tuning.state` writes for these weights, in fp32 by name. AdamW's moments may lack."""
    check_names(file, found, {"losses", "scale", *(f"weight/{name}" for name in weights)}, AGAIN)
    losses, scale = found["losses"], found["scale"]
    check_tensor(file, "losses", losses, torch.float64, (losses.numel(),), AGAIN)
    check_tensor(file, "scale", scale, torch.float32, (), AGAIN)
    if not losses.isfinite().all():
        refuse(file, "a loss is not finite", AGAIN)
    if not 0 < scale.item() < float("inf"):
        refuse(file, f"scale is {scale.item()}", AGAIN)
    for name, weight in weights.items():
        check_tensor(file, f"weight/{name}", found[f"weight/{name}"], weight.dtype, weight.shape)
        moments = [f"{moment}/{name}" for moment in MOMENTS if f"{moment}/{name}" in found]
        if len(moments) not in (0, len(MOMENTS)):
            refuse(file, f"of AdamW's moments it has only {', '.join(moments)}", AGAIN)
        for moment in moments:
            shape = () if moment == f"step/{name}" else weight.shape
            check_tensor(file, moment, found[moment], torch.float32, shape)


def check_tuned(file: Path, found: dict[str, Tensor]) -> None:
    """Trained weights, in fp32. `load_tuned` compares their names and shapes with the model's."""
    for name, tensor in found.items():
        check_tensor(file, name, tensor, torch.float32, tensor.shape)


def check_inversion(file: Path, found: dict[str, Tensor], latents: Tensor) -> None:
    """The clip's own noise, of the shape of its latents."""
    check_names(file, found, {"noise"}, NEW_INVERSION)
    check_tensor(file, "noise", found["noise"], torch.float32, latents.shape, NEW_INVERSION)
    if not found["noise"].isfinite().all():
        refuse(file, "the noise is not finite", NEW_INVERSION)


def check_names(file: Path, found: dict[str, Tensor], needed: set[str], advice: str) -> None:
    """UserError unless all the needed tensors are there."""
    lacking = sorted(needed - found.keys())
    if lacking:
        refuse(file, f"{len(lacking)} tensors are missing, such as {lacking[0]}", advice)


def check_tensor(
    file: Path,
    name: str,
    tensor: Tensor,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    advice: str = AGAIN,
) -> None:
    """UserError unless the tensor has this dtype and shape."""
    if tensor.dtype != dtype or tensor.shape != torch.Size(shape):
        found = f"{name} is {tensor.dtype} {tuple(tensor.shape)}"
        refuse(file, f"{found} instead of {dtype} {tuple(shape)}", advice)
