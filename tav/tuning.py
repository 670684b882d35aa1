"""One-shot tuning: a few attention projections learn one clip (lesson 10).

Shapes: f frames, c h w latent channels, height and width, l d text tokens and width. Source:
Tune-A-Video, "Fine-Tuning and Inference", with the settings of its published code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .inflation import inflate, trainable
from .model import StableDiffusion, Unsuitable
from .ranks import rank, sum_over_ranks, world_size
from .vae import Posterior, encode

FP16_SCALE = 2.0**14  # what the loss is multiplied by in fp16, so that small gradients survive
# What a step keeps for its backward pass, in feature maps of full resolution, for each ResNet block
# that has such maps: counted from the shapes of SD 1.4 (lesson 13).
KEPT_MAPS = 78
ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")  # what AdamW remembers of a parameter


class Tuning:
    """The tuning of one video UNet on one clip, step by step, as state that can be saved.

    `posterior` is that of the clip's latents (f, c, h, w), sampled anew each step; `text` (1, l, d)
    is the caption. The seed and the number of a step determine its random draws, so that a resumed
    run takes the same steps as an uninterrupted one.

    The trained weights are kept in fp32 (`masters`). A UNet in half precision gets a rounded copy
    of them after each step; in fp16 the loss is scaled as well. (`checkpointing`: lesson 13.)
    """

    def __init__(
        self,
        model: StableDiffusion,
        posterior: Posterior,
        text: Tensor,
        lr: float,
        seed: int,
        checkpointing: bool = False,
    ):
        self.posterior, self.text, self.schedule = posterior, text, model.schedule
        self.seed = seed
        self.losses = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # for Temp-Attn's first queries, keys and values
            self.unet = inflate(model.unet)
        self.unet.set_checkpointing(checkpointing)
        self.parameters = trainable(self.unet)
        self.masters = {n: nn.Parameter(p.detach().float()) for n, p in self.parameters.items()}
        # The other settings of AdamW are PyTorch's defaults, and the published ones.
        self.optimizer = torch.optim.AdamW(self.masters.values(), lr, weight_decay=1e-2, fused=True)
        self.scale = FP16_SCALE if text.dtype == torch.float16 else 1.0

    def loss(self) -> Tensor:
        """The loss of the next step: the mean of (noise - UNet(x_t, t, text))^2.

        x_0 is drawn from the posterior, the noise is independent for each frame, and one t is drawn
        for the whole clip. (With v-prediction, the target is v.) Raises Unsuitable, and changes
        nothing, if the loss is not finite.
        """
        generator = self.generator()
        x0 = self.posterior.sample(generator)  # f c h w
        noise = torch.randn(x0.shape, generator=generator).to(x0.device)
        t = torch.randint(self.schedule.num_train_timesteps, (1,), generator=generator)
        t = t.to(x0.device)
        noisy = self.schedule.add_noise(x0, noise, t).to(self.text.dtype)
        prediction = self.unet(noisy, t, self.text, frames=len(x0)).float()
        loss = F.mse_loss(prediction, self.schedule.target(x0, noise, t))
        self.check_finite("loss", loss)
        return loss

    def update(self, loss: Tensor) -> None:
        """One step of AdamW on the gradients of a `loss()`, clipped to norm 1.

        If torchrun has started several processes, gradients are averaged over them, so that all
        take the same step; each one records its own loss.
        """
        (loss * self.scale).backward()
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                raise Unsuitable(f"the loss does not depend on {name}, which should be tuned")
            gradient = sum_over_ranks(parameter.grad.float()) / world_size()  # their mean
            self.masters[name].grad = gradient / self.scale
            parameter.grad = None
        norm = nn.utils.clip_grad_norm_(self.masters.values(), 1.0)
        if self.scale == 1:  # not fp16, or a scale that cannot fall further
            self.check_finite("gradient", norm)
        self.losses.append(loss.item())
        if not norm.isfinite():  # fp16 overflowed: leave this step out, and scale less from now on
            self.scale /= 2
            return
        self.optimizer.step()
        self.optimizer.zero_grad()  # now, so that the next step has their memory
        for name, parameter in self.parameters.items():
            parameter.data.copy_(self.masters[name])

    def generator(self) -> torch.Generator:
        """For the draws of the next step: each step, and each process, has draws of its own."""
        stream = self.seed * world_size() + rank()
        return torch.Generator().manual_seed(1_000_003 * stream + len(self.losses))

    def check_finite(self, what: str, value: Tensor) -> None:
        if not value.isfinite():
            raise Unsuitable(f"the {what} is {value.item()} at step {len(self.losses)}")

    def tuned(self) -> dict[str, Tensor]:
        """The trained weights, under their published names, in fp32."""
        return {name: master.detach() for name, master in self.masters.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as tensors by name."""
        losses = torch.tensor(self.losses, dtype=torch.float64)
        tensors = {"losses": losses, "scale": torch.tensor(self.scale)}
        for name, master in self.masters.items():
            tensors[f"weight/{name}"] = master.detach()
            for key, value in self.optimizer.state[master].items():  # empty before the first update
                tensors[f"{key}/{name}"] = value
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from a `state()`."""
        self.losses = tensors["losses"].tolist()
        scale = tensors["scale"].item()
        if scale != 1 and self.scale != 1:  # a scale of 1 was saved in another dtype: keep our own
            self.scale = scale
        self.optimizer.state.clear()
        for name, master in self.masters.items():
            master.data.copy_(tensors[f"weight/{name}"])
            self.parameters[name].data.copy_(master)
            if f"step/{name}" in tensors:
                moments = {key: tensors[f"{key}/{name}"].to(master.device) for key in ADAMW_STATE}
                self.optimizer.state[master] = moments


def encode_clip(model: StableDiffusion, frames: Tensor, progress=iter) -> Posterior:
    """The posterior of the latents of a clip (f, 3, H, W) in [-1, 1].

    Unsuitable unless H and W are multiples of `model.multiple`; `progress` as in `vae.encode`.
    """
    height, width = frames.shape[2:]
    if height % model.multiple or width % model.multiple:
        raise Unsuitable(f"frames of {width} x {height} pixels: not multiples of {model.multiple}")
    return encode(model.vae, frames, progress)


def use_checkpointing(model: StableDiffusion, latents: Posterior, memory: str = "auto") -> bool:
    """Whether a step of tuning should keep little for its backward pass (lesson 13). `memory` says
    "low" or "fast", or "auto": if it would keep half of a GPU's free memory, or 8 GB on a CPU."""
    if memory != "auto":
        return memory == "low"
    unet = model.unet
    resnets = len(unet.down_blocks[0].resnets) + len(unet.up_blocks[-1].resnets)
    values = unet.conv_in.out_channels * latents.mean[:, 0].numel()  # f*c*h*w
    kept = KEPT_MAPS * resnets * values * model.dtype.itemsize  # bytes
    if model.device.type != "cuda":
        return kept > 8e9
    torch.cuda.empty_cache()  # what was used before, as to encode the clip, is free as well
    return kept > torch.cuda.mem_get_info(model.device)[0] / 2
