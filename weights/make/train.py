"""Train the miniature: a complete Stable Diffusion, from drawings to `weights/mini`.

    python weights/make/train.py [--stage S] [--minutes M] [--device D] [--build DIR]

Stages, in order: pictures, tokenizer, vae, clip, latents, unet, film, export. Without --stage all
that are not done yet are run. A stage that is cut goes on where it last saved (every two minutes);
`--minutes` sets how long the named training stage lasts in all, its earlier parts included.

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
from miniature import (  # noqa: E402
    DEFAULTS,
    MODEL_INDEX,
    PREPROCESSOR,
    SCHEDULER,
    TEXT,
    TEXT_CONFIG,
    TOKENS,
    UNET,
    UNET_CONFIG,
    VAE,
    VAE_CONFIG,
    VISION,
    clip_config,
)

from tav.io.video import write_mp4  # noqa: E402
from tav.io.vocabulary import read_tokenizer  # noqa: E402
from tav.metrics import CLIP, MEAN, STD  # noqa: E402
from tav.schedule import Schedule  # noqa: E402
from tav.text import END, START, WORD  # noqa: E402
from tav.unet import UNet2DConditionModel  # noqa: E402
from tav.vae import AutoencoderKL  # noqa: E402

PICTURES, HELD_OUT = 24_000, 600  # drawings to train on; drawings never trained on
MINUTES = {"vae": 45, "clip": 8, "unet": 80}
SEED = 0


# ---- the loop


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, for weights of two or more dimensions (Jordan et
    al. 2024).

    A convolution counts as the matrix (out, in * 3 * 3). Scaled so that updates have AdamW's usual
    size (0.2 root mean square), and AdamW's learning rate serves both.
    """

    def __init__(self, parameters, lr: float):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 0.05)
                update = orthogonal(p.grad.lerp(momentum, 0.95).flatten(1))  # Nesterov
                size = 0.2 * max(update.shape) ** 0.5
                p.mul_(1 - 0.01 * group["lr"]).add_(update.view_as(p), alpha=-group["lr"] * size)


def orthogonal(g: Tensor) -> Tensor:
    """The nearest matrix with singular values of about 1, by five Newton-Schulz steps in bf16."""
    x = g.bfloat16() if len(g) <= g.shape[1] else g.T.bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x if len(g) <= g.shape[1] else x.T).to(g.dtype)


class Training:
    """A training run measured in minutes of work, not steps: it saves itself, and goes on where it
    was cut.

    Muon for matrices and convolutions, AdamW for the rest, with a short warm-up and a cosine down
    to zero over the run; an exponential moving average of the weights, which is what the stage
    delivers.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        minutes: float,
        lr: float,
        build: Path,
        ema: float = 0.999,
    ):
        self.name, self.model, self.minutes, self.lr, self.ema = name, model, minutes, lr, ema
        self.path = build / f"{name}.state.safetensors"
        self.parameters = dict(model.named_parameters())
        matrices = [p for n, p in self.parameters.items() if p.ndim > 1 and "embedding." not in n]
        chosen = set(map(id, matrices))
        others = [p for p in self.parameters.values() if id(p) not in chosen]
        self.optimizers = [
            Muon(matrices, lr),
            torch.optim.AdamW(others, lr, betas=(0.9, 0.99), weight_decay=0.01),
        ]
        self.average = {k: p.detach().clone() for k, p in self.parameters.items()}
        self.step, self.seconds = 0, 0.0
        if self.path.exists():
            self.load()

    def run(self, loss_of) -> None:
        """Minimise `loss_of(generator) -> (loss, {name: number})` until the minutes are spent."""
        printed = saved = last = time.time()
        shown: dict[str, float] = {}
        while self.seconds < 60 * self.minutes:
            generator = torch.Generator().manual_seed(SEED + self.step)
            loss, numbers = loss_of(generator)
            self.update(loss)
            now = time.time()
            # a longer gap is a machine asleep
            self.seconds, last = (self.seconds + min(now - last, 30), now)
            for k, v in {"loss": float(loss.detach()), **numbers}.items():
                shown[k] = 0.98 * shown.get(k, v) + 0.02 * v
            if now - printed > 20:
                printed = now
                text = "  ".join(f"{k} {v:.4f}" for k, v in shown.items())
                print(
                    f"{self.name} {self.seconds / 60:6.1f} min  step {self.step}  {text}",
                    flush=True,
                )
            if now - saved > 120:
                saved = now
                self.save()
        self.save()

    def update(self, loss: Tensor) -> None:
        cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, self.seconds / (60 * self.minutes))))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.lr * min(1.0, (self.step + 1) / 100) * cosine
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        decay = min(self.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.values()), list(self.parameters.values()), 1 - decay
            )

    def save(self) -> None:
        tensors = {}
        for name, p in self.parameters.items():
            tensors |= {f"weight/{name}": p.detach(), f"average/{name}": self.average[name]}
            for optimizer in self.optimizers:
                tensors |= {
                    f"{k}/{name}": v for k, v in optimizer.state.get(p, {}).items() if k != "step"
                }
        done = {"step": str(self.step), "seconds": str(self.seconds)}
        part = self.path.with_suffix(".part")
        save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, part, metadata=done)
        part.replace(self.path)

    def load(self) -> None:
        with safe_open(self.path, "pt") as file:
            names, done = set(file.keys()), file.metadata()
            self.step, self.seconds = int(done["step"]), float(done["seconds"])
            for name, p in self.parameters.items():
                p.data.copy_(file.get_tensor(f"weight/{name}"))
                self.average[name].copy_(file.get_tensor(f"average/{name}"))
                memory = {"Muon": ("momentum",), "AdamW": ("exp_avg", "exp_avg_sq")}
                for optimizer in self.optimizers:
                    if any(p is q for group in optimizer.param_groups for q in group["params"]):
                        keys = [
                            k for k in memory[type(optimizer).__name__] if f"{k}/{name}" in names
                        ]
                        state = {k: file.get_tensor(f"{k}/{name}").to(p) for k in keys}
                        optimizer.state[p] = (
                            {"step": torch.tensor(float(self.step)), **state} if state else {}
                        )

    def deliver(self) -> nn.Module:
        """The model with its averaged weights, frozen."""
        for name, p in self.parameters.items():
            p.data.copy_(self.average[name])
        return self.model.eval().requires_grad_(False)


def averaged(name: str, model: nn.Module, build: Path, device: str = "cpu") -> nn.Module:
    """The model as the stage `name` left it (or has it by now), frozen."""
    with safe_open(build / f"{name}.state.safetensors", "pt") as file:
        model.load_state_dict(
            {k: file.get_tensor(f"average/{k}") for k, _ in model.named_parameters()}, strict=False
        )
    return model.eval().requires_grad_(False).to(device)


# ---- pictures


def draw_one(index: int) -> tuple[np.ndarray, dict]:
    """Drawing `index` of the data: pixels (H, W, 3) uint8, and its two captions and labels.

    The last HELD_OUT are drawn from all combinations, those that training never shows among them.
    """
    rng = random.Random(f"{SEED}/{index}")
    scene = world.random_scene(rng, allow_held_out=index >= PICTURES)
    labels = {
        k: getattr(scene, k)
        for k in ("subject", "action", "food", "attribute", "background", "style")
    }
    captions = [world.caption(scene), world.caption(scene, rng)]
    return np.asarray(world.draw(scene)), {
        "captions": captions,
        "held_out": world.held_out(scene),
        **labels,
    }


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
        """Pictures (b, 3, H, W) in [-1, 1]; with `crop`, a random square of that side from each,
        cut between latents (8 pixels) as in whole pictures: the drawings' textures repeat with
        them."""
        pictures = []
        for i in indices:
            pixels = self.pixels[int(i)]
            if crop:
                y, x = (
                    8 * torch.randint(0, (128 - crop) // 8 + 1, (2,), generator=generator)
                ).tolist()
                pixels = pixels[y : y + crop, x : x + crop]
            pictures.append(torch.from_numpy(np.ascontiguousarray(pixels)))
        return torch.stack(pictures).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1.0

    def caption(self, index: int, generator: torch.Generator) -> str:
        """The canonical caption of a picture, or as often its other wording."""
        return self.labels[index]["captions"][int(torch.randint(0, 2, (1,), generator=generator))]


def choose(count: int, generator: torch.Generator) -> Tensor:
    """`count` indices of training pictures."""
    return torch.randint(0, PICTURES, (count,), generator=generator)


# ---- VAE


def gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical differences of two pictures (b, 3, H,
    W)."""
    return sum((a.diff(dim=k) - b.diff(dim=k)).abs().mean() for k in (2, 3))


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures (b, 3, H, W) in [-1, 1]: mean over pictures."""
    error = (a.clamp(-1, 1) - b).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(4.0 / error)).mean()


def train_vae(build: Path, minutes: float, device: str) -> None:
    """Stage `vae`: reconstruct random crops; a small KL term keeps the latent near N(0, 1)."""
    torch.manual_seed(SEED)
    data, model = Pictures(build), AutoencoderKL(**VAE, scaling_factor=1.0).to(device)
    training = Training("vae", model, minutes, 1e-3, build)

    def loss_of(generator):
        x = data.frames(choose(16, generator), crop=64, generator=generator).to(device)
        with torch.autocast(device, torch.bfloat16):
            posterior = model.encode(x)
            mean, std = posterior.mean.float(), posterior.std.float()
            y = model.decode(
                mean + std * torch.randn(mean.shape, generator=generator).to(device)
            ).float()
        kl = (
            0.5
            * (mean.square() + std.square() - 1 - 2 * std.log()).sum(dim=(1, 2, 3)).mean()
            / x[0].numel()
        )
        l1, mse, gradient = (y - x).abs().mean(), (y - x).square().mean(), gradient_difference(y, x)
        loss = l1 + mse + 0.25 * gradient + 1e-3 * kl
        return loss, {"psnr": float(psnr(y.detach(), x)), "kl": float(kl)}

    training.run(loss_of)
    print(f"vae: {vae_psnr(training.deliver(), data):.2f} dB on held-out drawings")


@torch.no_grad()
def vae_psnr(model: AutoencoderKL, data: Pictures, count: int = 200) -> float:
    """PSNR in dB of whole held-out drawings, encoded to the mean latent and decoded, in fp32."""
    device = next(model.parameters()).device
    x = [
        data.frames(range(PICTURES + i, PICTURES + i + 20)).to(device) for i in range(0, count, 20)
    ]
    return float(torch.stack([psnr(model.decode(model.encode(p).mean), p) for p in x]).mean())


# ---- tokenizer


def make_tokenizer(build: Path) -> None:
    """Stage `tokenizer`: byte-pair encoding of the captions, in CLIP's format (vocab.json,
    merges.txt)."""
    from tokenizers import Regex, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as BPE

    bpe = BPE(models.BPE(end_of_word_suffix="</w>"))
    words = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    captions = [caption for label in Pictures(build).labels for caption in label["captions"]]
    trainer = trainers.BpeTrainer(
        vocab_size=2000, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(captions, trainer)
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    pieces = alphabet + [c + "</w>" for c in alphabet] + [a + b for a, b in merges]
    vocab = {piece: i for i, piece in enumerate([*dict.fromkeys(pieces), START, END])}
    folder = build / "tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    settings = {
        "model_max_length": TOKENS,
        "pad_token": END,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
    }
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True, **settings}, indent=2
        )
    )
    del settings["model_max_length"]
    (folder / "special_tokens_map.json").write_text(json.dumps(settings, indent=2))
    longest = max(len(read_tokenizer(folder).pieces(c)) for c in captions[:4000])
    room = f"the longest of 4,000 captions has {longest} of {TOKENS} positions"
    print(f"tokenizer: {len(vocab)} pieces; {room}")


# ---- CLIP


def text_config(build: Path) -> dict:
    vocab = json.loads((build / "tokenizer" / "vocab.json").read_text())
    return TEXT | {"vocab_size": len(vocab)}


def train_clip(build: Path, minutes: float, device: str) -> None:
    """Stage `clip`: pictures and captions of a batch find each other (symmetric cross-entropy)."""
    torch.manual_seed(SEED)
    data, tokenizer = Pictures(build), read_tokenizer(build / "tokenizer")
    model = CLIP(text_config(build), VISION, 128)
    for module in model.modules():  # CLIP's initial scale, small; PyTorch's own for Embedding is 1
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    training = Training("clip", model.to(device), minutes, 1e-3, build)
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, STD))

    def loss_of(generator):
        indices = choose(128, generator)
        x = ((data.frames(indices).to(device) + 1) / 2 - mean) / std
        ids = tokenizer([data.caption(i, generator) for i in indices.tolist()]).to(device)
        with torch.autocast(device, torch.bfloat16):
            pictures, texts = model.embed_pictures(x), model.embed_texts(ids, tokenizer.end)
        logits = model.logit_scale.exp().clamp(max=100) * pictures.float() @ texts.float().T
        # the same caption twice in a batch is no mistake
        same = (ids[:, None] == ids[None]).all(dim=2)
        target = same.float() / same.sum(dim=1, keepdim=True)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        right = same.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean()
        return loss, {"right": float(right)}

    training.run(loss_of)


# ---- latents and UNet


@torch.no_grad()
def make_latents(build: Path, device: str) -> None:
    """Stage `latents`: encode every training picture once, and measure what makes latents of unit
    variance.

    latents.safetensors: mean and std of each posterior (n, 4, h, w) in fp16, and `scale`, 1 over
    the standard deviation of all latents. Exported weights fold scale / 0.18215 into the VAE, whose
    scaling factor then is 0.18215 like the real one's.
    """
    data, model = (
        Pictures(build),
        averaged("vae", AutoencoderKL(**VAE, scaling_factor=1.0), build, device),
    )
    means, stds = [], []
    for i in range(0, PICTURES, 50):
        with torch.autocast(device, torch.bfloat16):
            posterior = model.encode(data.frames(range(i, i + 50)).to(device))
        means.append(posterior.mean.half().cpu())
        stds.append(posterior.std.half().cpu())
    means, stds = torch.cat(means), torch.cat(stds)
    scale = 1 / (means.float().var() + stds.float().square().mean()).sqrt()
    save_file({"mean": means, "std": stds, "scale": scale}, build / "latents.safetensors")
    quality = f"{vae_psnr(model, data):.2f} dB on held-out drawings"
    print(f"latents: standard deviation {1 / scale:.3f}; {quality}")


def train_unet(build: Path, minutes: float, device: str) -> None:
    """Stage `unet`: predict the noise in latents, given a caption one time in ten left out.

    The loss of each picture is weighted by min(SNR, 5) / SNR (Hang et al. 2023), so that the easy,
    nearly clean timesteps do not outvote the noisy ones where the picture is decided.
    """
    torch.manual_seed(SEED)
    with safe_open(build / "latents.safetensors", "pt") as file:
        mean, std, scale = (file.get_tensor(k) for k in ("mean", "std", "scale"))
    data, tokenizer, schedule = Pictures(build), read_tokenizer(build / "tokenizer"), Schedule()
    clip = averaged("clip", CLIP(text_config(build), VISION, 128), build, device)
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    weight = (snr.clamp(max=5) / snr).to(device)
    training = Training("unet", UNet2DConditionModel(**UNET).to(device), minutes, 2e-3, build)

    def loss_of(generator):
        indices = choose(48, generator)
        captions = [data.caption(i, generator) for i in indices.tolist()]
        dropped = torch.rand(len(captions), generator=generator) < 0.1
        ids = tokenizer(["" if d else c for c, d in zip(captions, dropped.tolist())]).to(device)
        x = mean[indices].float() + std[indices].float() * torch.randn(
            mean[indices].shape, generator=generator
        )
        x, noise = (scale * x).to(device), torch.randn(x.shape, generator=generator).to(device)
        t = torch.randint(0, 1000, (len(x),), generator=generator).to(device)
        with torch.no_grad():
            text = clip(ids)
        with torch.autocast(device, torch.bfloat16):
            prediction = training.model(schedule.add_noise(x, noise, t), t, text)
        error = (prediction.float() - noise).square().mean(dim=(1, 2, 3))
        return (weight[t] * error).mean(), {"mse": float(error.detach().mean())}

    training.run(loss_of)


# ---- export


def write_clip(path: Path) -> None:
    """Stage `film`: the README's clip, "a man is skiing", 16 frames of 256 x 256 pixels at 8 a
    second."""
    pixels = [np.asarray(world.draw(scene, 256)) for scene in world.clip(world.Scene(), 16)]
    write_mp4(path, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1, 8)


def export(build: Path, out: Path) -> None:
    """Stage `export`: the diffusers layout, fp16, at `out`."""
    vae = averaged("vae", AutoencoderKL(**VAE, scaling_factor=1.0), build)
    with safe_open(build / "latents.safetensors", "pt") as file:
        fold_scale(vae, float(file.get_tensor("scale")) / 0.18215)
    text = text_config(build)
    clip = averaged("clip", CLIP(text, VISION, 128), build)
    unet = averaged("unet", UNet2DConditionModel(**UNET), build)
    tower = {k: v for k, v in clip.state_dict().items() if k.startswith("text_model.")}
    write_part(out / "vae", VAE_CONFIG, vae.state_dict(), "diffusion_pytorch_model")
    write_part(out / "unet", UNET_CONFIG, unet.state_dict(), "diffusion_pytorch_model")
    write_part(out / "text_encoder", TEXT_CONFIG | text, tower, "model")
    write_part(out / "clip", clip_config(text), clip.state_dict(), "model")
    write_json(out / "clip" / "preprocessor_config.json", PREPROCESSOR)
    write_json(out / "scheduler" / "scheduler_config.json", SCHEDULER)
    write_json(out / "model_index.json", MODEL_INDEX)
    write_json(out / "tav.json", DEFAULTS)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        for part in ("tokenizer", "clip"):
            (out / part).mkdir(parents=True, exist_ok=True)
            (out / part / name).write_text((build / "tokenizer" / name).read_text())
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"export: {size / 1e6:.1f} MB in {out}")


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, k: float) -> None:
    """Multiply latents by k at the encoder's end and divide by it at the decoder's start, in the
    weights."""
    z = vae.post_quant_conv.in_channels
    vae.quant_conv.weight[:z] *= k  # means
    vae.quant_conv.bias[:z] *= k
    vae.quant_conv.bias[z:] += 2 * np.log(k)  # log-variances
    vae.post_quant_conv.weight /= k


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_part(folder: Path, config: dict, state: dict[str, Tensor], stem: str) -> None:
    write_json(folder / "config.json", config)
    save_file({k: v.half().contiguous() for k, v in state.items()}, folder / f"{stem}.safetensors")


# ---- entry point


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--stage")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--build", type=Path, default=Path(__file__).parent / "build")
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "mini")
    args = parser.parse_args()
    args.build.mkdir(exist_ok=True)
    stages = {
        "pictures": lambda: make_pictures(args.build),
        "tokenizer": lambda: make_tokenizer(args.build),
        "vae": lambda: train_vae(args.build, args.minutes or MINUTES["vae"], args.device),
        "clip": lambda: train_clip(args.build, args.minutes or MINUTES["clip"], args.device),
        "latents": lambda: make_latents(args.build, args.device),
        "unet": lambda: train_unet(args.build, args.minutes or MINUTES["unet"], args.device),
        "film": lambda: write_clip(ROOT / "clip.mp4"),
        "export": lambda: export(args.build, args.out),
    }
    if args.stage and args.stage not in stages:
        parser.error(f"unknown stage {args.stage}; stages are {', '.join(stages)}")
    done = {
        "pictures": "pictures.npy",
        "tokenizer": "tokenizer/vocab.json",
        "latents": "latents.safetensors",
    }
    for name, work in stages.items():
        if name == args.stage or (
            args.stage is None and not (args.build / done.get(name, "-")).exists()
        ):
            work()


if __name__ == "__main__":
    main()
