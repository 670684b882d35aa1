"""A clip's latents to noise by DDIM inversion, and noise to an edited video (lessons 05 and 11).

Shapes: b videos, f frames, c h w latent channels, height and width, l d text tokens and width.
Latents are kept in fp32; the UNet works in the dtype of its weights. Sources: DDIM (Song et al.
2021), classifier-free guidance (Ho & Salimans 2022), Tune-A-Video.
"""

import torch
from torch import Tensor

from .model import StableDiffusion


@torch.no_grad()
def predict(model: StableDiffusion, x: Tensor, t: int, text: Tensor) -> Tensor:
    """The prediction, in fp32, for b noisy videos x (b*f, c, h, w) and their texts (b, l, d)."""
    timesteps = torch.full((len(text),), t, device=x.device)  # b, all of them t
    frames = len(x) // len(text)
    return model.unet(x.to(text.dtype), timesteps, text, frames).float()


def predict_guided(
    model: StableDiffusion, x: Tensor, t: int, text: Tensor, guidance: float
) -> Tensor:
    """`predict` with classifier-free guidance of scale g:

        prediction = from negative prompt + g (from prompt - from negative prompt)

    `text` (2b, l, d) holds the b negative (or empty) prompts, then the b prompts. At guidance 1 the
    negative prompts cancel out, and are not computed.
    """
    if guidance == 1:
        return predict(model, x, t, text[len(text) // 2 :])
    from_negative, from_prompt = predict(model, torch.cat([x, x]), t, text).chunk(2)  # b*f c h w
    return from_negative + guidance * (from_prompt - from_negative)


def invert(
    model: StableDiffusion, latents: Tensor, steps: int, progress=iter, caption: str = ""
) -> Tensor:
    """The noise (f, c, h, w) from which DDIM sampling comes back close to these latents.

    As published, `caption` is empty and there is no guidance. More steps come closer.
    """
    text = model.embed(caption)  # 1 l d
    x = latents.float()
    for t, previous in progress(model.schedule.steps(steps)[::-1]):  # from the lowest t up
        x = model.schedule.ddim_invert_step(predict(model, x, t, text), x, t, previous)
    return x


def sample(
    model: StableDiffusion, noise: Tensor, text: Tensor, steps: int, guidance: float, progress=iter
) -> Tensor:
    """Noise (b*f, c, h, w) -> the latents of b videos of f frames, by DDIM with guidance.

    `text` (2b, l, d) is that of `predict_guided`.
    """
    x = noise.float()
    for t, previous in progress(model.schedule.steps(steps)):
        prediction = predict_guided(model, x, t, text, guidance)
        x = model.schedule.ddim_step(prediction, x, t, previous)
    return x
