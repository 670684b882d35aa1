"""Train the miniature: a complete Stable Diffusion, from drawings to `weights/mini`.

    python -m weights.make.train [--stage S] [--steps N] [--device D] [--build DIR]
    python -m weights.make.train --begin weights/mini       # later runs train these weights further

Stages, in order: pictures, tokenizer, vae, clip, latents, unet, decoder, film, export. Without
--stage all that are not done yet are run. A stage that is cut goes on where it last saved.
--steps sets how long the named training stage lasts in all, its earlier parts included. The build
folder is TAV_BUILD, where that is set.

Shapes: b batch, n pictures, H W pixels (128), h w = H/8 W/8, l text tokens, d width of the text
states.
"""

import argparse
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tav.io.devices import keep_freed_memory
from tav.io.video import write_mp4
from tav.io.vocabulary import read_tokenizer
from tav.io.weights import load, load_clip
from tav.metrics import CLIP, MEAN, STD
from tav.schedule import Schedule
from tav.text import END, START, WORD
from tav.unet import UNet2DConditionModel
from tav.vae import AutoencoderKL, from_bytes

from .miniature import (
    DEFAULTS,
    JOINT,
    MODEL_INDEX,
    PREPROCESSOR,
    SCHEDULER,
    SIZE,
    TEXT,
    TOKENS,
    UNET,
    UNET_CONFIG,
    VAE,
    VAE_CONFIG,
    VISION,
    clip_config,
    text_config,
)
from .pictures import Pictures, make_pictures
from .training import (
    SEED,
    Numbers,
    Training,
    attention_for_training,
    averaged,
    each_core,
    steps_of,
    write_state,
)
from .world.motions import clip as filmed
from .world.scenes import Looks, Scene
from .world.styles import draw

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TAV_BUILD") or Path(__file__).parent / "build")
PICTURES, HELD_OUT = 200_000, 1_000  # drawings to train on; drawings never trained on
LATENT_NOISE = 0.15  # the most that is added to a latent of standard deviation 1, for the decoder
LARGER_BATCH, SHARPER = 0.65, 0.85  # shares of the UNet's run from which on these hold
STEPS = {"vae": 12_000, "clip": 800, "unet": 27_000, "decoder": 1_500}


def kind(device: str) -> str:
    """What autocast calls a device: "cuda", not "cuda:1"."""
    return torch.device(device).type


# ------------------------------------------------------------------------------------- tokenizer


def make_tokenizer(build: Path) -> None:
    """Stage `tokenizer`: byte-pair encoding of the captions, in CLIP's format."""
    from tokenizers import Regex, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as BPE

    bpe = BPE(models.BPE(end_of_word_suffix="</w>"))
    words = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    captions = [text for label in Pictures(build).labels for text in label["captions"]]
    trainer = trainers.BpeTrainer(
        vocab_size=2000, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(captions, trainer)
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    pieces = alphabet + [c + "</w>" for c in alphabet] + [a + b for a, b in merges]
    vocab = {piece: i for i, piece in enumerate([*dict.fromkeys(pieces), START, END])}
    special = {"pad_token": END, "bos_token": START, "eos_token": END, "unk_token": END}
    settings = {"tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    folder = build / "tokenizer"
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{a} {b}\n" for a, b in merges)
    (folder / "merges.txt").write_text("#version: 0.2\n" + lines)
    write_json(folder / "tokenizer_config.json", settings | special | {"model_max_length": TOKENS})
    write_json(folder / "special_tokens_map.json", special)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    tokenizer = read_tokenizer(folder)
    longest = max(len(tokenizer.pieces(text)) for text in captions[:8000])
    print(f"tokenizer: {len(vocab)} pieces; longest of 8,000 captions {longest} of {TOKENS}")


def vocabulary(build: Path) -> dict[str, int]:
    return json.loads((build / "tokenizer" / "vocab.json").read_text())


# ------------------------------------------------------------------------------------------- VAE


def new_vae() -> AutoencoderKL:
    return AutoencoderKL(**VAE, scaling_factor=1.0)


def drawing_loss(y: Tensor, x: Tensor, cover: Tensor) -> Tensor:
    """How far y is from x, (b, 3, H, W): absolute and squared errors and errors of differences.

    `cover` (b, 1, H, W) says where the figure is; there an error counts three times as much.
    """
    weight = 1 + 2 * cover
    weight, error = weight / weight.mean(), y - x
    loss = (weight * (error.abs() + error.square())).mean()
    across = (weight[..., 1:] * error.diff(dim=3).abs()).mean()
    down = (weight[..., 1:, :] * error.diff(dim=2).abs()).mean()
    return loss + 0.25 * (across + down)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures (b, 3, H, W) in [-1, 1]: mean over pictures."""
    error = (a.clamp(-1, 1) - b).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(4.0 / error)).mean()


@torch.no_grad()
def vae_psnr(model: AutoencoderKL, data: Pictures, count: int) -> float:
    """PSNR in dB of held-out drawings, encoded to the mean latent and decoded."""
    device, found = next(model.parameters()).device, []
    for i in range(0, len(chosen := data.fresh(count)), 20):
        x = data.frames(chosen[i : i + 20]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            found.append(psnr(model.decode(model.encode(x).mean.float()).float(), x))
    return float(torch.stack(found).mean())


def train_vae(build: Path, steps: int, device: str) -> None:
    """Stage `vae`: reconstruct random crops, from latents that a UNet will find easy to denoise.

    The decoder sees latents with noise of up to 0.15 of their standard deviation, because those
    that a UNet makes are not exact either (Yang et al. 2025, arXiv 2507.15856). In half of the
    steps a latent of half the size must also decode to the picture at half the size (Kouzelis et
    al. 2025, arXiv 2502.09509), which keeps latents as smooth as pictures are. A small KL term
    keeps them near N(0, 1).

    In plain layout: on CPUs the backward pass of GroupNorm is slow in channels-last.
    """
    torch.manual_seed(SEED)
    data, model = Pictures(build), new_vae().to(device)
    training = Training("vae", model, steps, 2e-3, lambda share: 16, build)

    def loss_of(model: AutoencoderKL, count: int, generator: torch.Generator):
        x, cover = (a.to(device) for a in data.crops(data.choose(count, generator), generator))
        halve, noise_of = torch.rand(2, count, generator=generator).to(device)
        with torch.autocast(kind(device), torch.bfloat16):
            posterior = model.encode(x)
            mean, std = posterior.mean.float(), posterior.std.float()
            spread = std + LATENT_NOISE * noise_of.view(-1, 1, 1, 1) * mean.detach().std()
            z = mean + spread * torch.randn(mean.shape, generator=generator).to(device)
            y = model.decode(z).float()
        kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum() / x.numel()
        loss = drawing_loss(y, x, cover) + 1e-3 * kl
        if halve[0] < 0.5:
            with torch.autocast(kind(device), torch.bfloat16):
                small = model.decode(F.avg_pool2d(z, 2)).float()
            loss = loss + 0.5 * drawing_loss(small, F.avg_pool2d(x, 2), F.avg_pool2d(cover, 2))
        return loss, {"psnr": float(psnr(y.detach(), x)), "kl": float(kl.detach())}

    def measure(saves: int) -> Numbers:
        return {"psnr_whole": vae_psnr(model, data, 100)} if saves % 3 == 0 else {}

    training.run(loss_of, measure)
    print(f"vae: {vae_psnr(training.deliver(), data, 1000):.2f} dB on held-out drawings")


def train_decoder(build: Path, steps: int, device: str) -> None:
    """Stage `decoder`: train the decoder alone, on whole pictures and their mean latents."""
    torch.manual_seed(SEED)
    data, means = Pictures(build), latents(build).means
    model = averaged("vae", new_vae(), build, device)
    model.decoder.requires_grad_(True)
    model.post_quant_conv.requires_grad_(True)
    training = Training("decoder", model, steps, 5e-4, lambda share: 6, build)

    def loss_of(model: AutoencoderKL, count: int, generator: torch.Generator):
        indices = data.choose(count, generator)
        x, cover = data.frames(indices).to(device), data.cover(indices).to(device)
        with torch.autocast(kind(device), torch.bfloat16):
            y = model.decode(means[indices].float().to(device)).float()
        return drawing_loss(y, x, cover), {"psnr": float(psnr(y.detach(), x))}

    def measure(saves: int) -> Numbers:
        return {"psnr_whole": vae_psnr(model, data, 100)} if saves % 3 == 0 else {}

    training.run(loss_of, measure)
    print(f"decoder: {vae_psnr(training.deliver(), data, 1000):.2f} dB on held-out drawings")


# ------------------------------------------------------------------------------------------ CLIP


def new_clip(build: Path) -> CLIP:
    return CLIP(TEXT | {"vocab_size": len(vocabulary(build))}, VISION, JOINT)


def train_clip(build: Path, steps: int, device: str) -> None:
    """Stage `clip`: pictures and captions of a batch find each other (symmetric cross-entropy)."""
    torch.manual_seed(SEED)
    data, tokenizer, model = Pictures(build), read_tokenizer(build / "tokenizer"), new_clip(build)
    for module in model.modules():  # CLIP's initial scale, small; PyTorch's own for Embedding is 1
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    training = Training("clip", model.to(device), steps, 1e-3, lambda share: 256, build)
    centre, spread = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, STD))
    words = data.ids(tokenizer)

    def match(model: CLIP, indices: Tensor, which: Tensor) -> tuple[Tensor, Numbers]:
        x = ((data.frames(indices).to(device) + 1) / 2 - centre) / spread
        ids = words[indices, which].long().to(device)
        with torch.autocast(kind(device), torch.bfloat16):
            pictures, texts = model.embed_images(x), model.embed_texts(ids, tokenizer.end)
        logits = model.logit_scale.exp().clamp(max=100) * pictures.float() @ texts.float().T
        same = (ids[:, None] == ids[None]).all(dim=2)  # the same caption twice is no mistake
        target = same.float() / same.sum(dim=1, keepdim=True)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        right = same.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean()
        return loss, {"right": float(right)}

    def loss_of(model: CLIP, count: int, generator: torch.Generator):
        indices = data.choose(count, generator)
        return match(model, indices, torch.randint(0, 2, indices.shape, generator=generator))

    def measure(saves: int) -> Numbers:
        indices = torch.tensor(data.fresh(128))
        loss, numbers = match(model, indices, torch.zeros_like(indices))
        return {"held_out": float(loss), "held_out_right": numbers["right"]}

    training.run(loss_of, measure)


# ----------------------------------------------------------------------------------------- UNet


@torch.no_grad()
def make_latents(build: Path, device: str) -> None:
    """Stage `latents`: encode every picture once, and measure what gives latents a variance of 1.

    means.npy and stds.npy, of each posterior (n, 4, h, w) in fp16, and latents.json: by a VAE of
    how many steps, how many are done, and in the end `scale`, 1 over the standard deviation of all
    latents. A VAE that was trained further encodes all anew. Exported weights fold scale / 0.18215
    into the VAE, whose scaling factor then is 0.18215 like the real one's.
    """
    data, model = Pictures(build), averaged("vae", new_vae(), build, device)
    shape, state = (len(data), 4, SIZE // 8, SIZE // 8), build / "latents.json"
    before = json.loads(state.read_text()) if state.exists() else {}
    known = {"vae_steps": steps_of("vae", build)}
    done = before["done"] if known.items() <= before.items() else 0
    mode = "r+" if done else "w+"
    make = np.lib.format.open_memmap
    means, stds = (make(build / f"{k}.npy", mode, np.float16, shape) for k in ("means", "stds"))

    def work(start: int) -> None:
        """Encode one batch; on a CPU each core does batches of its own."""
        part = range(start, min(start + 25, len(data)))
        with torch.no_grad(), torch.autocast(kind(device), torch.bfloat16):
            posterior = model.encode(data.frames(part).to(device))
        means[start : part.stop] = posterior.mean.half().cpu().numpy()
        stds[start : part.stop] = posterior.std.half().cpu().numpy()

    cores = each_core()
    for start in range(done, len(data), 1000):
        list(cores.map(work, range(start, min(start + 1000, len(data)), 25)))
        state.write_text(json.dumps(known | {"done": min(start + 1000, len(data))}))
        if start % 10_000 == 0:
            print(f"latents {start} of {len(data)}", flush=True)
    variance = means.astype(np.float32).var() + np.square(stds.astype(np.float32)).mean()
    scale = float(variance) ** -0.5
    state.write_text(json.dumps(known | {"done": len(data), "scale": scale}))
    print(f"latents: standard deviation {1 / scale:.3f}, of a posterior {stds.mean():.3f}")


@dataclass
class Latents:
    """What the stage `latents` found: posteriors (n, 4, h, w) in fp16, and their scale."""

    means: Tensor
    stds: Tensor
    scale: float

    def sample(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Scaled latents (b, 4, h, w) of these drawings, drawn from their posteriors."""
        mean, std = self.means[indices].float(), self.stds[indices].float()
        return self.scale * (mean + std * torch.randn(mean.shape, generator=generator))


def latents(build: Path) -> Latents:
    means, stds = (torch.from_numpy(np.load(build / f"{k}.npy")) for k in ("means", "stds"))
    return Latents(means, stds, json.loads((build / "latents.json").read_text())["scale"])


def spread_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """Random timesteps (count,), one from each of as many equal parts of 0 .. 999."""
    return ((torch.arange(count) + torch.rand(count, generator=generator)) / count * 1000).long()


def train_unet(build: Path, steps: int, device: str) -> None:
    """Stage `unet`: predict the noise in latents, given a caption one time in ten left out.

    The loss of each picture is weighted by min(SNR, 5) / SNR (Hang et al. 2023), so that the easy,
    nearly clean timesteps do not outvote the noisy ones where the picture is decided; in the last
    part of the run all weigh the same, for sharpness. In the last third a step sees twice as many.
    """
    torch.manual_seed(SEED)
    data, tokenizer, schedule = Pictures(build), read_tokenizer(build / "tokenizer"), Schedule()
    found = latents(build)
    encoder = averaged("clip", new_clip(build), build, device).text_model
    words, empty = data.ids(tokenizer), tokenizer("")[0].to(torch.int16)
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    weight = snr.clamp(max=5) / snr
    model = UNet2DConditionModel(**UNET).to(device, memory_format=torch.channels_last)
    training = Training(
        "unet", model, steps, 2e-3, lambda share: 32 if share < LARGER_BATCH else 64, build
    )

    def errors(
        model: nn.Module, indices: Tensor, ids: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Errors (b,) of predicting the noise at random timesteps, and these timesteps (b,)."""
        x = found.sample(indices, generator)
        noise = torch.randn(x.shape, generator=generator)
        t = spread_timesteps(len(x), generator)
        noisy = schedule.add_noise(x, noise, t).to(device)
        with torch.no_grad():
            text = encoder(ids.long().to(device))
        with torch.autocast(kind(device), torch.bfloat16):
            prediction = model(noisy, t.to(device), text)
        return (prediction.float() - noise.to(device)).square().mean(dim=(1, 2, 3)), t

    def loss_of(model: nn.Module, count: int, generator: torch.Generator):
        indices = data.choose(count, generator)
        ids = words[indices, torch.randint(0, 2, indices.shape, generator=generator)]
        ids[torch.rand(len(ids), generator=generator) < 0.1] = empty
        error, t = errors(model, indices, ids, generator)
        weighted = weight[t].to(device) * error
        loss = weighted if training.share < SHARPER else error
        numbers = {"weighted": float(weighted.detach().mean()), "mse": float(error.detach().mean())}
        return loss.mean(), numbers

    def measure(saves: int) -> Numbers:
        """Loss on held-out drawings, and on those among them of combinations never trained on."""
        indices, generator = torch.tensor(data.fresh(256)), torch.Generator().manual_seed(SEED)
        indices = indices[torch.randperm(len(indices), generator=generator)]
        parts = [errors(model, i, words[i, 0], generator) for i in indices.split(64)]
        loss = torch.cat([weight[t].to(device) * error for error, t in parts]).cpu()
        new = [data.labels[i]["held_out"] for i in indices.tolist()]
        return {"held_out": float(loss.mean()), "held_out_new": float(loss[new].mean())}

    training.run(loss_of, measure)


# --------------------------------------------------------------------------------- film, export


def demonstration() -> list[Scene]:
    """The scenes of clip.mp4, "a man is skiing", 16 frames: he moves as in training, in a jacket
    and trousers that training never shows together."""
    looks = Looks(jacket="green", trousers="orange", hair="gray", gear="purple")
    return filmed(Scene(looks=looks), 16)


def surfing_panda() -> list[Scene]:
    """The scenes of a second clip, "a panda is surfing", 8 frames."""
    return filmed(Scene("panda", "surfing", looks=Looks(fur=3)), 8)


def write_clip(path: Path) -> None:
    """Stage `film`: the demonstration's clip, 256 x 256 pixels, 8 frames a second."""
    frames = [np.asarray(draw(one, 256)) for one in demonstration()]
    write_mp4(path, from_bytes(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)), 8)


def export(build: Path, out: Path) -> None:
    """Stage `export`: the diffusers layout, fp16, at `out`. It may be done before training ends."""
    vae = averaged("vae", new_vae(), build)
    if (build / "decoder.state.safetensors").exists():
        vae = averaged("decoder", vae, build)
    fold_scale(vae, latents(build).scale / 0.18215)
    vocab, clip = vocabulary(build), averaged("clip", new_clip(build), build)
    unet = averaged("unet", UNet2DConditionModel(**UNET), build)
    text = text_config(vocab, vocab[START], vocab[END])
    tower = {k: v for k, v in clip.state_dict().items() if k.startswith("text_model.")}
    write_part(out / "vae", VAE_CONFIG, vae.state_dict(), "diffusion_pytorch_model")
    write_part(
        out / "unet",
        UNET_CONFIG,
        unet.state_dict(),
        "diffusion_pytorch_model",
        steps_of("unet", build),
    )
    write_part(out / "text_encoder", text, tower, "model")
    write_part(out / "clip", clip_config(text), clip.state_dict(), "model")
    write_json(out / "clip" / "preprocessor_config.json", PREPROCESSOR)
    write_json(out / "scheduler" / "scheduler_config.json", SCHEDULER)
    write_json(out / "model_index.json", MODEL_INDEX)
    write_json(out / "tav.json", DEFAULTS)
    names = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
    for part in ("tokenizer", "clip"):
        (out / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            (out / part / name).write_bytes((build / "tokenizer" / name).read_bytes())
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"export: {size / 1e6:.1f} MB in {out}")


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, k: float) -> None:
    """Multiply latents by k at the encoder's end and divide at the decoder's start, in weights."""
    z = vae.post_quant_conv.in_channels
    vae.quant_conv.weight[:z] *= k  # means
    vae.quant_conv.bias[:z] *= k
    vae.quant_conv.bias[z:] += 2 * np.log(k)  # log-variances
    vae.post_quant_conv.weight /= k


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_part(
    folder: Path, config: dict, state: dict[str, Tensor], stem: str, steps: int = 0
) -> None:
    """config.json and the weights in fp16; the file's metadata says how many steps trained them."""
    write_json(folder / "config.json", config)
    halves = {k: v.half().contiguous() for k, v in state.items()}
    facts = {"format": "pt"} | ({"steps": str(steps)} if steps else {})
    save_file(halves, folder / f"{stem}.safetensors", metadata=facts)


def begin(build: Path, weights: Path) -> None:
    """Put exported weights into the build folder, as if its stages had left them there.

    The optimizers' moments are not in them and begin at zero. The VAE has the scale folded in,
    which the stage `latents` then finds.
    """
    model, (clip, _) = load(weights), load_clip(weights / "clip")
    with safe_open(weights / "unet" / "diffusion_pytorch_model.safetensors", "pt") as file:
        steps = STEPS | {"unet": int(file.metadata()["steps"])}
    for name, module in {"vae": model.vae, "clip": clip, "unet": model.unet}.items():
        write_state(name, module, build, steps[name])
    shutil.copytree(weights / "tokenizer", build / "tokenizer", dirs_exist_ok=True)
    print(f"begin: the UNet goes on at step {steps['unet']}")


# --------------------------------------------------------------------------------- command line


def arguments() -> argparse.Namespace:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--stage")
    parser.add_argument("--begin", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--out", type=Path, default=ROOT / "weights" / "mini")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.build.mkdir(parents=True, exist_ok=True)
    if args.begin:
        begin(args.build, args.begin)
        return
    if args.device == "cpu":
        keep_freed_memory()
    trainings = {"vae": train_vae, "clip": train_clip, "unet": train_unet, "decoder": train_decoder}

    def train(name: str) -> None:
        with attention_for_training(args.device):
            trainings[name](args.build, args.steps or STEPS[name], args.device)

    stages = {
        "pictures": lambda: make_pictures(args.build, args.pictures, args.held_out),
        "tokenizer": lambda: make_tokenizer(args.build),
        "vae": lambda: train("vae"),
        "clip": lambda: train("clip"),
        "latents": lambda: make_latents(args.build, args.device),
        "unet": lambda: train("unet"),
        "decoder": lambda: train("decoder"),
        "film": lambda: write_clip(args.build / "clip.mp4"),
        "export": lambda: export(args.build, args.out),
    }
    if args.stage and args.stage not in stages:
        raise SystemExit(f"unknown stage {args.stage}; stages are {', '.join(stages)}")
    results = {"pictures": "count.json", "tokenizer": "tokenizer/vocab.json"}
    for name, work in stages.items():
        done = (args.build / results.get(name, "-")).exists()
        if name == args.stage or (args.stage is None and not done):
            work()


if __name__ == "__main__":
    main()
