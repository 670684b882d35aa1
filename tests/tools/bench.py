"""How fast, and against what floor?

    python tests/tools/bench.py [--size mini|sd14] [--frames F] [--pixels P] [--repeat N]
                                [--device D] [--dtype T]
                                [--memory] [--profile] [--estimate] [--parity] [--only tune ...]

The floor is diffusers' image UNet (extra `reference`) on the same number of frames: it has none of
the video attention, and trains the two queries that an image UNet has. Both have the same random
weights' shapes. Contenders take turns within one run, so that what else the machine does hits both;
printed are medians, ours as a multiple of the floor, and our FLOP/s as a share of what the same
device reaches in one large matrix product (over 100 %: a library's shortcut for 3 x 3 kernels,
counted in full). `--memory` measures one tuning step of each in a process of its own: the peak
above what the loaded weights take, and in all. `--profile` names our ten most expensive operations.
By default `sd14` has 2 frames of 256 pixels on a CPU, 24 of 512 on a GPU. `--estimate` counts the
arithmetic of SD 1.4's whole job on such a clip, and runs nothing. `--parity` tunes the miniature in
fp32 and says by how much an edit in bf16 differs from one in fp32.

On two CPU cores, ours / floor for tuning, inversion, sampling, encoding, decoding and loading
(mini: 2026-11-27, sd14: 2026-11-22), and the peak memory of tuning:

    mini    1.21, 1.11, 1.10, 0.78, 0.73, 0.99
    sd14    1.28, 1.19, 1.20, 0.99, 1.00, 1.41 (tuning, in four runs: 1.24 to 1.34); 6,371 / 5,578
"""

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import full_size_run as sd14
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tav.inflation import inflate, trainable  # noqa: E402
from tav.io.devices import DTYPES, resolve  # noqa: E402
from tav.io.video import read_clip  # noqa: E402
from tav.io.weights import load, load_tuned  # noqa: E402
from tav.model import StableDiffusion  # noqa: E402
from tav.sampling import invert, sample  # noqa: E402
from tav.schedule import Schedule  # noqa: E402
from tav.text import CLIPTextModel  # noqa: E402
from tav.tuning import Tuning, encode_clip  # noqa: E402
from tav.unet import UNet2DConditionModel  # noqa: E402
from tav.vae import AutoencoderKL, Posterior, decode, encode  # noqa: E402
from weights.make.miniature import TEXT, UNET, UNET_CONFIG, VAE, VAE_CONFIG  # noqa: E402

SD14_UNET = sd14.UNET | sd14.HEADS
# what diffusers needs to build the same: its defaults are SD 1.4's
SD14_CONFIG = {"cross_attention_dim": 768, "sample_size": 64}
SD14_VAE_CONFIG = sd14.VAE | {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


class Ours:
    """tav: one tuning step, one inversion step, one guided sampling step, VAE, loading."""

    def __init__(self, args):
        self.args = args
        big, dtype = args.size == "sd14", DTYPES[args.dtype]
        with torch.device(args.device):
            unet = (
                UNet2DConditionModel(**(SD14_UNET if big else UNET)).to(dtype).requires_grad_(False)
            )
            unet.to(memory_format=torch.channels_last)
            vae = sd14.VAE if big else VAE | {"scaling_factor": 0.18215}
            self.vae = AutoencoderKL(**vae).to(dtype).requires_grad_(False)
            self.vae.to(memory_format=torch.channels_last)  # as `load` leaves it
            text = CLIPTextModel(**TEXT | {"vocab_size": 8})  # not used: states are random
        self.model = StableDiffusion(None, text, self.vae, unet, Schedule(), "", "", args.pixels)
        self.latents, self.text = inputs(args)
        posterior = Posterior(self.latents, 0.1 * torch.ones_like(self.latents))
        self.tuning = Tuning(self.model, posterior, self.text[:1], 3e-5, 0)
        self.frames = pictures(args)

    def tune(self) -> None:
        self.tuning.update(self.tuning.loss())

    @torch.no_grad()
    def invert(self) -> None:
        t = torch.tensor([501], device=self.latents.device)
        self.model.unet(self.latents.to(self.text.dtype), t, self.text[:1], len(self.latents))

    def sample(self) -> None:
        sample(self.model, self.latents, self.text, 1, 7.5)

    def encode(self) -> None:
        encode(self.vae, self.frames)

    def decode(self) -> None:
        decode(self.vae, self.latents)

    def load(self) -> None:
        load(self.args.folder, self.args.device, DTYPES[self.args.dtype])


class Floor:
    """diffusers: the same without video attention."""

    def __init__(self, args):
        self.args = args
        from diffusers import AutoencoderKL as TheirVAE
        from diffusers import UNet2DConditionModel as TheirUNet

        big, dtype = args.size == "sd14", DTYPES[args.dtype]
        config, vae = (SD14_CONFIG, SD14_VAE_CONFIG) if big else (UNET_CONFIG, VAE_CONFIG)
        with torch.device(args.device):
            self.unet = TheirUNet(**public(config)).to(dtype).requires_grad_(False).eval()
            self.vae = TheirVAE(**public(vae)).to(dtype).requires_grad_(False).eval()
        trained = [p for n, p in self.unet.named_parameters() if "to_q" in n]
        for p in trained:
            p.requires_grad_(True)
        self.masters = [torch.nn.Parameter(p.detach().float()) for p in trained]
        self.trained, self.optimizer = trained, torch.optim.AdamW(self.masters, 3e-5, fused=True)
        self.latents, self.text = inputs(args)
        self.frames, self.dtype = pictures(args), dtype

    def predict(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return self.unet(x.to(self.dtype), 501, encoder_hidden_states=text).sample.float()

    def tune(self) -> None:
        noise = torch.randn_like(self.latents)
        loss = F.mse_loss(
            self.predict(self.latents + noise, self.text[:1].repeat(len(noise), 1, 1)), noise
        )
        loss.backward()
        for p, master in zip(self.trained, self.masters):
            master.grad, p.grad = p.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for p, master in zip(self.trained, self.masters):
            p.data.copy_(master)

    @torch.no_grad()
    def invert(self) -> None:
        self.predict(self.latents, self.text[:1].repeat(len(self.latents), 1, 1))

    @torch.no_grad()
    def sample(self) -> None:
        self.predict(
            torch.cat([self.latents] * 2), self.text.repeat_interleave(len(self.latents), 0)
        )

    @torch.no_grad()
    def encode(self) -> None:
        for frame in self.frames:
            self.vae.encode(frame[None].to(self.dtype))

    @torch.no_grad()
    def decode(self) -> None:
        for latent in self.latents:
            self.vae.decode(latent[None].to(self.dtype))

    def load(self) -> None:
        from diffusers import StableDiffusionPipeline

        pipeline = StableDiffusionPipeline.from_pretrained(
            self.args.folder, dtype=self.dtype, safety_checker=None, feature_extractor=None
        )
        pipeline.to(self.args.device)


def public(config: dict) -> dict:
    return {k: v for k, v in config.items() if not k.startswith("_")}


def inputs(args) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (f, 4, h, w) in fp32; the states of an empty and of a real prompt (2, l, d)."""
    generator = torch.Generator().manual_seed(0)
    side, shape = args.pixels // 8, (2, 77, 768) if args.size == "sd14" else (2, 32, 192)
    latents = torch.randn(args.frames, 4, side, side, generator=generator)
    text = torch.randn(shape, generator=generator)
    return latents.to(args.device), text.to(args.device, DTYPES[args.dtype])


def pictures(args) -> torch.Tensor:
    return torch.rand(min(args.frames, 2), 3, args.pixels, args.pixels, device=args.device) * 2 - 1


def seconds(work: Callable[[], None], device: str) -> float:
    began = time.perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began


def flops(work: Callable[[], None]) -> int:
    """The operations of `work`, with attention on the CPU, which PyTorch's counter leaves out."""
    forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    own = {
        forward: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        backward: lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v),
    }
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        work()
    return counter.get_total_flops()


def estimate() -> None:
    """The arithmetic of 24 frames of 512 x 512 pixels: 500 steps with checkpointing, inversion and
    one edit of 50."""
    with torch.device("meta"):
        unet = inflate(UNet2DConditionModel(**SD14_UNET))
        x, t, text = torch.empty(24, 4, 64, 64), torch.empty(1), torch.empty(1, 77, 768)
    trainable(unet)
    answer = []
    forward = flops(lambda: answer.append(unet(x, t, text, 24))) / 1e12
    backward = flops(lambda: answer[0].sum().backward()) / 1e12
    print(f"one step, forward {forward:.1f} TFLOP, backward {backward:.1f}")
    print(
        f"tuning {500 * (2 * forward + backward) / 1e3:.1f} PFLOP, without checkpointing "
        f"{500 * (forward + backward) / 1e3:.1f}; "
        f"inversion and an edit {50 * 3 * forward / 1e3:.1f}"
    )


def compare(contenders: dict, args) -> None:
    """Medians of `repeat` rounds in which the contenders and a matrix product take turns, after one
    to warm up."""
    n = 8192 if args.device.startswith("cuda") else 2048
    a, b = torch.randn(2, n, n, device=args.device).to(DTYPES[args.dtype])
    print(
        f"{'':14}"
        + "".join(f"{name:>12}" for name in contenders)
        + f"{'ratio':>8}{'of a matrix product':>22}"
    )
    for what in args.only:
        works = [getattr(contender, what) for contender in contenders.values()] + [lambda: a @ b]
        rounds = [[seconds(work, args.device) for work in works] for _ in range(args.repeat + 1)]
        *medians, product = map(statistics.median, zip(*rounds[1:]))
        ratio = f"{medians[0] / medians[1]:8.2f}" if len(medians) > 1 else " " * 8
        share = (
            "" if what == "load" else f"{flops(works[0]) / medians[0] * product / (2 * n**3):22.0%}"
        )
        print(
            f"{what:14}" + "".join(f"{1000 * m:9.1f} ms" for m in medians) + ratio + share,
            flush=True,
        )


def peak_of(kind: str, args) -> None:
    """Run in a process of its own: what one tuning step takes above the loaded weights, in MB."""
    contender = {"ours": Ours, "floor": Floor}[kind](args)
    gc.collect()
    cuda = args.device.startswith("cuda")
    before = torch.cuda.memory_allocated() if cuda else resident()
    for _ in range(2):
        contender.tune()
    peak = (
        torch.cuda.max_memory_allocated()
        if cuda
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    print((peak - before) / 1e6, peak / 1e6)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def profile(ours: Ours) -> None:
    for what in ("tune", "sample"):
        getattr(ours, what)()
        with torch.profiler.profile() as profiler:
            getattr(ours, what)()
        averages = profiler.key_averages()
        print(f"\n{what}\n{averages.table(sort_by='self_cpu_time_total', row_limit=10)}")


def parity() -> None:
    """An edit of the tuned miniature, everything in bf16 against everything in fp32."""
    model = load(ROOT / "weights" / "mini")
    frames, _ = read_clip(ROOT / "clip.mp4", 16, size=model.size)
    posterior, caption = encode_clip(model, frames), "a man is skiing"
    tuning = Tuning(model, posterior, model.embed(caption), 3e-4, 0)
    for _ in range(60):
        tuning.update(tuning.loss())
    for steps, guidance in ((25, 2.0), (50, 7.5)):
        latents, videos = {}, {}
        for dtype in (torch.float32, torch.bfloat16):
            half = load(ROOT / "weights" / "mini", "cpu", dtype)
            load_tuned(half.unet, tuning.tuned(), "")
            noise = invert(half, posterior.mean, steps)
            text = half.embed(["", "spider man is skiing"])
            latents[dtype] = sample(half, noise, text, steps, guidance)
            videos[dtype] = decode(half.vae, latents[dtype])
        full, other = latents.values()
        error = ((videos[torch.float32] - videos[torch.bfloat16]) / 2).square().mean()
        apart = 100 * (full - other).norm() / full.norm()
        psnr = -10 * error.log10()
        print(f"{steps} steps, guidance {guidance}: latents {apart:.1f} %, pictures {psnr:.1f} dB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=["mini", "sd14"], default="mini")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--pixels", type=int)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=list(DTYPES), default="fp32")
    every = ["tune", "invert", "sample", "encode", "decode", "load"]
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--peak-of", choices=["ours", "floor"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    cuda = args.device.startswith("cuda")
    args.frames = args.frames or {"mini": 16, "sd14": 24 if cuda else 2}[args.size]
    args.pixels = args.pixels or {"mini": 128, "sd14": 512 if cuda else 256}[args.size]
    torch.manual_seed(0)
    if args.estimate:
        return estimate()
    if args.parity:
        return parity()
    if args.peak_of:
        return peak_of(args.peak_of, args)
    print(
        f"{args.size}: {args.frames} frames of {args.pixels} pixels, {args.dtype} "
        f"on {args.device}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    kinds = {"ours": Ours}
    try:
        import diffusers

        kinds["floor"] = Floor
        print(f"floor: diffusers {diffusers.__version__}")
    except ImportError:
        print("no diffusers here (extra `reference`), so there is no floor to compare with")
    if args.memory:
        for kind in kinds:
            own = [sys.executable, __file__, *sys.argv[1:], "--peak-of", kind]
            above, peak = map(
                float,
                subprocess.run(own, check=True, capture_output=True, text=True).stdout.split(),
            )
            print(
                f"tuning step, {kind}: {above:,.0f} MB above the weights, {peak:,.0f} MB in all",
                flush=True,
            )
        return None
    # as the commands do: the C library keeps freed memory, for both contenders
    resolve(args.device, args.dtype)
    contenders = {name: kind(args) for name, kind in kinds.items()}
    if args.profile:
        return profile(contenders["ours"])
    with tempfile.TemporaryDirectory() as place:
        args.folder = ROOT / "weights" / "mini" if args.size == "mini" else Path(place) / "sd14"
        if args.size == "sd14" and "load" in args.only:
            sd14.write(args.folder)  # random weights in the real layout, 2.1 GB in fp16
        return compare(contenders, args)


if __name__ == "__main__":
    main()
