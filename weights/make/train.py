"""Train the miniature: a complete Stable Diffusion, from drawings to `weights/mini`.

    python weights/make/train.py [--stage S] [--minutes M] [--device D] [--build DIR]

Stages, in order: pictures, tokenizer, vae, clip, latents, unet, export. Without --stage all that are not
done yet are run. A stage that is cut goes on where it last saved (every two minutes); `--minutes` sets
how long the named training stage lasts in all, its earlier parts included.

Shapes: b batch, H W pixels (128), h w = H/8 W/8, l text tokens, d width of the text states.
"""

import argparse
import json
import random
import sys
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import world  # noqa: E402
from tav.unet import UNet2DConditionModel  # noqa: E402
from tav.vae import AutoencoderKL  # noqa: E402

PICTURES, HELD_OUT = 24_000, 600  # drawings to train on; drawings never trained on
MINUTES = {"vae": 45, "clip": 8, "unet": 80}
SEED = 0

VAE = {"block_out_channels": [32, 48, 96, 128], "layers_per_block": 1, "norm_num_groups": 16}
UNET = {
    "block_out_channels": [64, 128, 192, 192],
    "layers_per_block": 1,
    "heads": [4, 4, 4, 4],
    "attentive": [True, True, True, False],
    "cross_attention_dim": 192,
    "norm_num_groups": 16,
}


# ------------------------------------------------------------------------------------------- the loop


class Training:
    """A training run measured in minutes of work, not steps: it saves itself, and goes on where it was cut.

    AdamW with a short warm-up and a cosine down to zero over the run; an exponential moving average of the
    weights, which is what the stage delivers.
    """

    def __init__(self, name: str, model: nn.Module, minutes: float, lr: float, build: Path, ema: float = 0.999):
        self.name, self.model, self.minutes, self.lr, self.ema = name, model, minutes, lr, ema
        self.path = build / f"{name}.state.safetensors"
        self.parameters = dict(model.named_parameters())
        self.optimizer = torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.99), weight_decay=0.01)
        self.average = {k: p.detach().clone() for k, p in self.parameters.items()}
        self.step, self.seconds = 0, 0.0
        if self.path.exists():
            self.load()

    def run(self, loss_of) -> None:
        """Minimise `loss_of(generator) -> (loss, {name: number})` until the minutes are spent."""
        began = saved = printed = time.time()
        before, shown = self.seconds, {}
        while self.seconds < 60 * self.minutes:
            generator = torch.Generator().manual_seed(SEED + self.step)
            for group in self.optimizer.param_groups:
                cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, self.seconds / (60 * self.minutes))))
                group["lr"] = self.lr * min(1.0, (self.step + 1) / 200) * cosine
            loss, numbers = loss_of(generator)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            decay = min(self.ema, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)
            now = time.time()
            self.seconds = before + now - began
            for k, v in {"loss": float(loss), **numbers}.items():
                shown[k] = 0.98 * shown.get(k, v) + 0.02 * v
            if now - printed > 20:
                printed = now
                text = "  ".join(f"{k} {v:.4f}" for k, v in shown.items())
                print(f"{self.name} {self.seconds / 60:6.1f} min  step {self.step}  {text}", flush=True)
            if now - saved > 120:
                saved = now
                self.save()
        self.save()

    def save(self) -> None:
        tensors = {}
        for name, p in self.parameters.items():
            state = self.optimizer.state[p]
            tensors |= {f"weight/{name}": p.detach(), f"average/{name}": self.average[name]}
            tensors |= {f"{k}/{name}": state[k] for k in ("exp_avg", "exp_avg_sq")}
        done = {"step": str(self.step), "seconds": str(self.seconds)}
        part = self.path.with_suffix(".part")
        save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, part, metadata=done)
        part.replace(self.path)

    def load(self) -> None:
        with safe_open(self.path, "pt") as file:
            done = file.metadata()
            self.step, self.seconds = int(done["step"]), float(done["seconds"])
            for name, p in self.parameters.items():
                p.data.copy_(file.get_tensor(f"weight/{name}"))
                self.average[name].copy_(file.get_tensor(f"average/{name}"))
                moments = {k: file.get_tensor(f"{k}/{name}").to(p) for k in ("exp_avg", "exp_avg_sq")}
                self.optimizer.state[p] = {"step": torch.tensor(float(self.step)), **moments}

    def deliver(self) -> nn.Module:
        """The model with its averaged weights, frozen."""
        for name, p in self.parameters.items():
            p.data.copy_(self.average[name])
        return self.model.eval().requires_grad_(False)


def averaged(name: str, model: nn.Module, build: Path, device: str = "cpu") -> nn.Module:
    """The model as the stage `name` left it (or has it by now), frozen."""
    with safe_open(build / f"{name}.state.safetensors", "pt") as file:
        model.load_state_dict({k: file.get_tensor(f"average/{k}") for k, _ in model.named_parameters()}, strict=False)
    return model.eval().requires_grad_(False).to(device)


# ------------------------------------------------------------------------------------------- pictures


def draw_one(index: int) -> tuple[np.ndarray, dict]:
    """Drawing `index` of the data: pixels (H, W, 3) uint8, and its two captions and labels.

    The last HELD_OUT are drawn from all combinations, those that training never shows among them.
    """
    rng = random.Random(f"{SEED}/{index}")
    scene = world.random_scene(rng, allow_held_out=index >= PICTURES)
    labels = {k: getattr(scene, k) for k in ("subject", "action", "food", "attribute", "background", "style")}
    captions = [world.caption(scene), world.caption(scene, rng)]
    return np.asarray(world.draw(scene)), {"captions": captions, "held_out": world.held_out(scene), **labels}


def make_pictures(build: Path) -> None:
    """Stage `pictures`: pictures.npy (n, H, W, 3) uint8 and pictures.json, the labels of each."""
    count = PICTURES + HELD_OUT
    part = build / "pictures.part.npy"
    store = np.lib.format.open_memmap(part, "w+", np.uint8, (count, 128, 128, 3))
    labels = []
    with Pool(2) as pool:
        for i, (pixels, label) in enumerate(pool.imap(draw_one, range(count), chunksize=32)):
            store[i] = pixels
            labels.append(label)
            if i % 2000 == 0:
                print(f"pictures {i} of {count}", flush=True)
    store.flush()
    (build / "pictures.json").write_text(json.dumps(labels))
    part.replace(build / "pictures.npy")


class Pictures:
    """The drawings and their captions, in memory-mapped form."""

    def __init__(self, build: Path):
        self.pixels = np.load(build / "pictures.npy", mmap_mode="r")
        self.labels = json.loads((build / "pictures.json").read_text())

    def frames(self, indices, crop: int | None = None, generator=None) -> Tensor:
        """Pictures (b, 3, H, W) in [-1, 1]; with `crop`, a random square of that side from each."""
        pictures = []
        for i in indices:
            pixels = self.pixels[int(i)]
            if crop:
                y, x = torch.randint(0, 128 - crop + 1, (2,), generator=generator).tolist()
                pixels = pixels[y : y + crop, x : x + crop]
            pictures.append(torch.from_numpy(np.ascontiguousarray(pixels)))
        return torch.stack(pictures).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1.0


def choose(count: int, generator: torch.Generator) -> Tensor:
    """`count` indices of training pictures."""
    return torch.randint(0, PICTURES, (count,), generator=generator)


# ------------------------------------------------------------------------------------------------- VAE


def gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical differences of two pictures (b, 3, H, W)."""
    return sum((a.diff(dim=k) - b.diff(dim=k)).abs().mean() for k in (2, 3))


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures (b, 3, H, W) in [-1, 1]: mean over pictures."""
    error = (a.clamp(-1, 1) - b).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(4.0 / error)).mean()


def train_vae(build: Path, minutes: float, device: str) -> None:
    """Stage `vae`: reconstruct random crops from a latent that a small KL term keeps near N(0, 1)."""
    torch.manual_seed(SEED)
    data, model = Pictures(build), AutoencoderKL(**VAE, scaling_factor=1.0).to(device)
    training = Training("vae", model, minutes, 2e-3, build)

    def loss_of(generator):
        x = data.frames(choose(24, generator), crop=64, generator=generator).to(device)
        with torch.autocast(device, torch.bfloat16):
            posterior = model.encode(x)
            mean, std = posterior.mean.float(), posterior.std.float()
            y = model.decode(mean + std * torch.randn(mean.shape, generator=generator).to(device)).float()
        kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum(dim=(1, 2, 3)).mean() / x[0].numel()
        l1, mse, gradient = (y - x).abs().mean(), (y - x).square().mean(), gradient_difference(y, x)
        loss = l1 + mse + 0.25 * gradient + 1e-3 * kl
        return loss, {"psnr": float(psnr(y.detach(), x)), "kl": float(kl)}

    training.run(loss_of)
    print(f"vae: {vae_psnr(training.deliver(), data):.2f} dB on held-out drawings")


@torch.no_grad()
def vae_psnr(model: AutoencoderKL, data: Pictures, count: int = 200) -> float:
    """PSNR in dB of whole held-out drawings, encoded to the mean latent and decoded, in fp32."""
    device = next(model.parameters()).device
    x = [data.frames(range(PICTURES + i, PICTURES + i + 20)).to(device) for i in range(0, count, 20)]
    return float(torch.stack([psnr(model.decode(model.encode(p).mean), p) for p in x]).mean())


# ------------------------------------------------------------------------------------------ entry point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stage")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--build", type=Path, default=Path(__file__).parent / "build")
    args = parser.parse_args()
    args.build.mkdir(exist_ok=True)
    if args.stage == "pictures":
        make_pictures(args.build)
    if args.stage == "vae":
        train_vae(args.build, args.minutes or MINUTES["vae"], args.device)


if __name__ == "__main__":
    main()
