"""One-shot tuning: a few attention projections learn one clip (lesson 10).

Shapes: f frames, c h w latent channels, height and width, l d text tokens and width. Source:
Tune-A-Video.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .inflation import inflate, trainable
from .model import StableDiffusion, Unsuitable
from .ranks import RANK, RANKS, add_up
from .unet import Level, UNet2DConditionModel
from .vae import Posterior, encode


class Tuning:
    """The tuning of one video UNet on one clip, step by step, as state that can be saved and
    continued.

    `posterior` is of the clip's latents (f, c, h, w), sampled anew each step; `text` (1, l, d) is
    its caption's. Each step draws from its own generator, so that a run cut and continued takes the
    same steps. Trained weights are kept in fp32 (`masters`); a UNet in half precision gets a
    rounded copy after each step, and in fp16 the loss is scaled.
    """

    def __init__(
        self,
        model: StableDiffusion,
        posterior: Posterior,
        text: Tensor,
        lr: float,
        seed: int,
        memory="auto",
    ):
        self.posterior, self.text, self.schedule = posterior, text, model.schedule
        self.seed, self.losses = seed, []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # Temp-Attn's first queries, keys and values
            self.unet = inflate(model.unet)
        for level in (m for m in self.unet.modules() if isinstance(m, Level)):
            level.checkpointing = memory == "low" or memory == "auto" and self.is_large()
        self.parameters = trainable(self.unet)
        self.masters = {
            name: nn.Parameter(p.detach().float()) for name, p in self.parameters.items()
        }
        self.optimizer = torch.optim.AdamW(self.masters.values(), lr, weight_decay=1e-2, fused=True)
        self.scale = 2.0**14 if text.dtype == torch.float16 else 1.0

    def is_large(self) -> bool:
        """Whether a step would keep over 8 GB for its backward pass, or half of a GPU's free memory
        (lesson 13)."""
        steps = len(self.unet.down_blocks[0].resnets) + len(self.unet.up_blocks[-1].resnets)
        maps = (
            78 * steps * self.unet.conv_in.out_channels
        )  # at full size; counted for SD 1.4 and the miniature
        free = torch.cuda.mem_get_info(self.text.device)[0] if self.text.is_cuda else 16e9
        return maps * self.posterior.mean[:, 0].numel() * self.text.itemsize > min(8e9, free / 2)

    def loss(self) -> Tensor:
        """The loss of the next step. Unsuitable, with nothing changed, if it is not finite."""
        generator = torch.Generator().manual_seed(
            1_000_003 * (self.seed * RANKS + RANK) + len(self.losses)
        )
        x0 = self.posterior.sample(generator)  # f c h w
        noise = torch.randn(x0.shape, generator=generator).to(x0.device)
        t = torch.randint(self.schedule.num_train_timesteps, (1,), generator=generator).to(
            x0.device
        )
        noisy = self.schedule.add_noise(x0, noise, t).to(self.text.dtype)
        prediction = self.unet(noisy, t, self.text, frames=len(x0)).float()
        loss = F.mse_loss(prediction, self.schedule.target(x0, noise, t))
        self.check_finite("loss", loss)
        return loss

    def update(self, loss: Tensor) -> None:
        """Its gradients, the ranks' mean, to the masters, clipped to norm 1; AdamW; the masters'
        values to the UNet."""
        (loss * self.scale).backward()
        for p, master in zip(self.parameters.values(), self.masters.values()):
            master.grad, p.grad = p.grad.float().div_(self.scale * RANKS), None
        add_up([mean := loss.detach() / RANKS, *(master.grad for master in self.masters.values())])
        norm = nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        if self.scale == 1:
            self.check_finite("gradient", norm)
        self.losses.append(mean.item())
        if not norm.isfinite():  # fp16 overflowed: leave this step out and scale the next ones less
            self.scale /= 2
            return
        self.optimizer.step()
        # or these gradients would take memory in the next step, beside its own
        self.optimizer.zero_grad()
        for p, master in zip(self.parameters.values(), self.masters.values()):
            p.data.copy_(master)

    def check_finite(self, what: str, value: Tensor) -> None:
        if not value.isfinite():
            raise Unsuitable(f"the {what} is {value.item()} at step {len(self.losses)}")

    def tuned(self) -> dict[str, Tensor]:
        """The trained weights, under their published names, in fp32."""
        return {name: master.detach() for name, master in self.masters.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as tensors by name."""
        tensors = {
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "scale": torch.tensor(self.scale),
        }
        for name, master in self.masters.items():
            for key, value in {"weight": master.detach(), **self.optimizer.state[master]}.items():
                tensors[f"{key}/{name}"] = value
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from a `state()`."""
        self.losses, scale, moments = tensors["losses"].tolist(), tensors["scale"].item(), {}
        self.scale = (
            scale if 1 not in (scale, self.scale) else self.scale
        )  # fp16's is not for other dtypes
        for i, name in enumerate(self.masters):
            self.masters[name].data.copy_(tensors[f"weight/{name}"])
            self.parameters[name].data.copy_(tensors[f"weight/{name}"])
            if f"step/{name}" in tensors:
                moments[i] = {
                    key: tensors[f"{key}/{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
                }
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})


def encoded(model: StableDiffusion, frames: Tensor, progress=iter) -> Posterior:
    """The posterior of the latents of a clip (f, 3, H, W). Unsuitable if its size does not divide."""
    multiple = model.vae.factor * 2 ** (len(model.unet.down_blocks) - 1)
    h, w = frames.shape[2:]
    if h % multiple or w % multiple:
        need = f"where these weights need multiples of {multiple}"
        raise Unsuitable(f"frames of {w} x {h} pixels, {need}")
    return encode(model.vae, progress(frames))


def load_tuned(
    unet: UNet2DConditionModel, tensors: dict[str, Tensor], origin: str
) -> UNet2DConditionModel:
    """Inflate `unet` and put tuned weights into it. Unsuitable if they are not its trained set."""
    parameters = trainable(inflate(unet))
    if {n: p.shape for n, p in parameters.items()} != {n: t.shape for n, t in tensors.items()}:
        raise Unsuitable(f"{origin}: tuned for other weights than these")
    unet.load_state_dict(tensors, strict=False)
    return unet.requires_grad_(False)


def tune(
    model, frames: Tensor, prompt: str, steps=None, lr=None, seed=0, progress=iter
) -> list[float]:
    """Tune `model.unet`, in place, on the clip `frames` (f, 3, H, W) and its caption; returns the
    losses.

    Steps and learning rate are those of `model.recipe` unless given. tune.py adds a run folder.
    """
    own, text = model.recipe("tune"), model.embed(prompt)
    tuning = Tuning(model, encoded(model, frames), text, own["lr"] if lr is None else lr, seed)
    for _ in progress(range(own["steps"] if steps is None else steps)):
        tuning.update(tuning.loss())
    return tuning.losses
