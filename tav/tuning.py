"""One-shot tuning: a few attention projections learn one clip (lesson 10).

Shapes: f frames, c h w latent channels, height and width, l d text tokens and width. Source: Tune-A-Video,
section 4.2 and the published configuration: AdamW, learning rate 3e-5, one timestep a step for the whole
clip, independent noise for each frame, gradients clipped to norm 1, 500 steps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import UserError
from .inflate import inflate, trainable
from .schedule import Schedule
from .unet import UNet2DConditionModel
from .vae import Posterior, encode
from .weights import StableDiffusion


class Tuning:
    """The tuning of one video UNet on one clip, step by step, as state that can be saved and continued.

    `posterior` is of the clip's latents (f, c, h, w), sampled anew each step; `text` (1, l, d) are the
    states of its caption. Each step draws from a generator seeded by (seed, step), so a run that is cut
    and continued takes the very steps it would have taken. Trained weights are kept in fp32 (`masters`);
    if the UNet is in half precision it gets a rounded copy after each step, and in fp16 the loss is
    scaled up so that small gradients do not vanish.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        posterior: Posterior,
        text: Tensor,
        schedule: Schedule,
        lr: float = 3e-5,
        seed: int = 0,
    ):
        torch.manual_seed(seed)  # Temp-Attn's first queries, keys and values
        self.unet, self.posterior, self.text, self.schedule = inflate(unet), posterior, text, schedule
        self.seed, self.losses = seed, []
        self.parameters = trainable(unet)
        self.masters = {name: nn.Parameter(p.detach().float().clone()) for name, p in self.parameters.items()}
        self.optimizer = torch.optim.AdamW(
            self.masters.values(), lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, foreach=True
        )
        self.scale = 2.0**14 if text.dtype == torch.float16 else 1.0

    def step(self) -> float:
        """One step; returns its loss. Raises UserError, with nothing changed, if the loss is not finite."""
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + len(self.losses))
        latents = self.posterior.sample(generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        t = torch.randint(0, self.schedule.num_train_timesteps, (1,), generator=generator).to(latents.device)

        noisy = self.schedule.add_noise(latents, noise, t).to(self.text.dtype)
        prediction = self.unet(noisy, t, self.text, frames=len(latents)).float()
        loss = F.mse_loss(prediction, self.schedule.target(latents, noise, t))
        if not loss.isfinite():
            advice = "try a smaller --lr" if self.text.dtype == torch.float32 else "try --dtype fp32 or a smaller --lr"
            raise UserError(f"the loss is {loss.item()} at step {len(self.losses)}; {advice}")

        (loss * self.scale).backward()
        self.update()
        self.losses.append(loss.item())
        return self.losses[-1]

    def update(self) -> None:
        """Gradients to the masters, clip, AdamW, and the masters' values back to the UNet."""
        for p, master in zip(self.parameters.values(), self.masters.values()):
            master.grad, p.grad = p.grad.float() / self.scale, None
        norm = nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        if not norm.isfinite():  # fp16 overflowed: leave this step out and scale the next ones less
            self.scale /= 2
            return
        self.optimizer.step()
        with torch.no_grad():
            for p, master in zip(self.parameters.values(), self.masters.values()):
                p.copy_(master)

    def tuned(self) -> dict[str, Tensor]:
        """The trained weights, under their published names, in fp32 on the CPU."""
        return {name: master.detach().cpu() for name, master in self.masters.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as tensors by name."""
        tensors = {
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "scale": torch.tensor(self.scale),
        }
        for name, master in self.masters.items():
            tensors[f"weight/{name}"] = master.detach()
            for key, value in self.optimizer.state[master].items():  # step, exp_avg, exp_avg_sq
                tensors[f"{key}/{name}"] = value
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from a `state()`. Raises KeyError if it is that of another UNet."""
        self.losses, self.scale = tensors["losses"].tolist(), float(tensors["scale"])
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"weight/{name}"])
                self.parameters[name].copy_(master)
                if self.losses:
                    keys = ("exp_avg", "exp_avg_sq")
                    moments = {key: tensors[f"{key}/{name}"].to(master.device) for key in keys}
                    self.optimizer.state[master] = {"step": tensors[f"step/{name}"], **moments}


def load_tuned(unet: UNet2DConditionModel, tensors: dict[str, Tensor], origin: str) -> UNet2DConditionModel:
    """Inflate `unet` and put tuned weights into it. Raises UserError if they are not exactly its trained set."""
    parameters = trainable(inflate(unet))
    if {n: p.shape for n, p in parameters.items()} != {n: t.shape for n, t in tensors.items()}:
        raise UserError(f"{origin}: tuned for other weights than these; pass the ones it was tuned on to --weights")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])
    return unet.requires_grad_(False)


def tune(
    model: StableDiffusion,
    frames: Tensor,
    prompt: str,
    steps: int = 500,
    lr: float = 3e-5,
    seed: int = 0,
    progress=iter,
) -> list[float]:
    """Tune `model.unet`, in place, on the clip `frames` (f, 3, H, W) and its caption; returns the losses.

    `progress` passes on the range of steps it is given (for instance tqdm). tune.py does the same with a
    run folder around it.
    """
    posterior = encode(model.vae, frames.to(model.device))
    tuning = Tuning(model.unet, posterior, model.embed(prompt), model.schedule, lr, seed)
    return [tuning.step() for _ in progress(range(steps))]
