"""What only a GPU can show to be right: the checks of `gpu.py`, which says what may be missing.

Each takes a device, and answers whether it is right and what was found. On a CPU all must pass.
"""

from copy import deepcopy
from pathlib import Path

import command
import tiny
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tav
import tune
from tav.inflation import inflate
from tav.io.devices import DTYPES
from tav.io.runs import Run
from tav.io.weights import load, load_clip, load_tuned
from tav.layers import attend
from tav.metrics import scores
from tav.model import StableDiffusion
from tav.schedule import Schedule
from tav.tuning import Tuning
from tav.vae import Posterior
from weights.benchmark.clips import drawn, filmed
from weights.make.train import kind, new_vae
from weights.make.training import Training
from weights.make.world.scenes import Scene

MINI = Path(__file__).resolve().parents[2] / "weights" / "mini"
CAPTION, PROMPT = "a man is skiing", "spider man is skiing"
TINY_TEXT = tiny.UNET["cross_attention_dim"]
# How far off a result may be, as a share of the largest value, or of how far training went.
EXACT = 5e-5  # fp32 against fp64; a product in TF32, which is not wanted, is off by 3e-4
CLOSE = 1e-3  # fp32 on two devices, after a few steps
HALF = 5e-3  # fp16, whose numbers have 11 bits
Found = tuple[bool, str]  # whether it is right, and what was found


def apart(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, as a share of the largest value that is wanted."""
    found, wanted = found.detach().double().cpu(), wanted.detach().double().cpu()
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def within(found: float, limit: float) -> Found:
    return found <= limit, f"off by {found:.1e}, allowed {limit:.0e}"


def astray(found: Tensor, wanted: Tensor, start: Tensor) -> Found:
    """How far from the wanted weights training came out, as a share of the way that it went."""
    return within(((found - wanted).norm() / (wanted - start).norm()).item(), CLOSE)


def tiny_tuning(device: str, checkpointing: bool = False) -> Tuning:
    """The tuning of a tiny UNet in fp32, the same on every device."""
    unet = tiny.modules()["unet"].to(device).requires_grad_(False)
    model = StableDiffusion(None, None, None, unet, Schedule(), "", "", 64)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(3, 4, 8, 8, generator=generator).to(device)
    text = torch.randn(1, 77, TINY_TEXT, generator=generator).to(device)
    clip = Posterior(latents, torch.full_like(latents, 0.1))
    return Tuning(model, clip, text, 1e-3, 0, checkpointing)


def tuned(tuning: Tuning, steps: int) -> Tensor:
    """All that trains, after so many steps more, as one vector."""
    for _ in range(steps):
        tuning.update(tuning.loss())
    return torch.cat([weight.flatten().cpu() for weight in tuning.tuned().values()])


def check_tuning_here(device: str) -> Found:
    """Losses come from the same random draws on every device; checkpointing changes none."""
    here, low, there = tiny_tuning(device), tiny_tuning(device, True), tiny_tuning("cpu")
    for tuning in (here, low, there):
        tuned(tuning, 4)
    losses = [torch.tensor(tuning.losses) for tuning in (here, low, there)]
    return within(max(apart(losses[0], losses[2]), apart(losses[1], losses[2])), CLOSE)


def check_tuning_resumed(device: str) -> Found:
    """A state goes through the CPU, as through a file, and the same steps follow."""
    begun, uncut, cut = tiny_tuning(device), tiny_tuning(device), tiny_tuning(device)
    start, wanted = tuned(begun, 0), tuned(uncut, 6)
    tuned(cut, 3)
    resumed = tiny_tuning(device)
    resumed.restore({name: tensor.cpu() for name, tensor in cut.state().items()})
    return astray(tuned(resumed, 3), wanted, start)


def check_training_resumed(device: str, folder: Path) -> Found:
    """The recipe that trains the miniature: AdamW's and Muon's state through a file."""

    def training(steps: int, place: str) -> tuple[Training, Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1)).to(device)
        run = Training("toy", model, 1000, 1e-2, lambda share: 64, folder / place)
        for _ in range(steps):
            run.gradients(loss_of)
            run.update()
        return run, torch.cat([p.detach().flatten().cpu() for p in model.parameters()])

    def loss_of(model: nn.Module, count: int, generator: torch.Generator):
        x = torch.randn(count, 4, generator=generator).to(device)
        return (model(x)[:, 0] - x.sum(dim=1)).square().mean(), {}

    (folder / "toy").mkdir()
    start, wanted = training(0, "nowhere")[1], training(6, "nowhere")[1]
    training(3, "toy")[0].save()
    found = training(3, "toy")[1]
    return astray(found, wanted, start)


def check_autocast(device: str) -> Found:
    """A step of the VAE's training, in bf16, on a device with a number."""
    numbered, vae = f"{device}:0", new_vae()
    vae.to(numbered)
    with torch.autocast(kind(numbered), torch.bfloat16):
        mean = vae.encode(torch.zeros(1, 3, 32, 32, device=numbered)).mean
        loss = vae.decode(mean.float()).float().square().mean()
    loss.backward()
    gradients = [p.grad.isfinite().all().item() for p in vae.parameters() if p.grad is not None]
    return mean.dtype == torch.bfloat16 and all(gradients), f"{numbered}, {mean.dtype}"


def check_many_rows(device: str) -> Found:
    """Attention of more rows than a CUDA grid has blocks, forward and backward, fp32 and fp16."""
    rows, heads, last, worst = 65_600, 2, slice(-100, None), 0.0
    for dtype in (torch.float32, torch.float16):
        here = torch.randn(3, rows, 2, 40 * heads).to(device, dtype).requires_grad_()
        there = here.detach()[:, last].float().cpu().requires_grad_()
        found, wanted = attend(*here, heads)[last], attend(*there, heads)
        found.float().square().sum().backward()
        wanted.square().sum().backward()
        worst = max(worst, apart(found, wanted), apart(here.grad[:, last], there.grad))
    return within(worst, HALF)


@torch.no_grad()
def check_fp32(device: str) -> Found:
    """After `load`, as in Python: a convolution, a product, attention, a UNet against fp64."""
    load(MINI, device)
    unet = inflate(tiny.modules()["unet"]).to(device)
    precise, t = deepcopy(unet).double(), torch.tensor([501], device=device)
    tokens = (2, 256, 320)
    works = {  # a function, and the shapes of its arguments
        "convolution": (F.conv2d, (2, 320, 16, 16), (320, 320, 3, 3)),
        "product": (F.linear, (512, 320), (320, 320)),
        "attention": (lambda q, k, v: attend(q, k, v, 8), tokens, tokens, tokens),
        "UNet": (
            lambda x, text: (unet if x.dtype == torch.float32 else precise)(x, t, text, 2),
            (2, 4, 8, 8),
            (1, 77, TINY_TEXT),
        ),
    }
    off = {}
    for name, (work, *shapes) in works.items():
        numbers = [torch.randn(shape).to(device) for shape in shapes]
        off[name] = apart(work(*numbers), work(*[x.double() for x in numbers]))
    worst = max(off, key=off.get)
    right, said = within(off[worst], EXACT)
    return right, f"{said} ({worst})"


def check_commands(device: str, folder: Path) -> Found:
    """tune.py on the GPU; then the run is resumed, and its edit made, on the CPU."""
    command.write_clip(folder / "clip.gif")
    resume = ["--resume", "--out", "run", "--steps", "4", "--device", "cpu"]
    for arguments in ([*command.SHORT, "--device", device], resume):
        done = command.call(tune, *arguments, folder=folder)
        if done.status:
            return False, done.err.strip()
    run, model = Run(folder / "run"), load(folder / "weights", "cpu")
    load_tuned(model.unet, run.tuned(), "")
    clip = run.source(model)
    video = tav.edit(model, clip.frames, PROMPT, steps=2, latents=clip.latents)
    losses = run.state(run.tuned())["losses"]  # one for each step
    return len(losses) == 4 and video.device.type == "cpu", f"{len(losses)} steps, then an edit"


@torch.no_grad()
def check_edits(device: str) -> Found:
    """`tav.load` takes the GPU that is there; an edit by difference, and scores, come out there."""
    taken = load(MINI).device.type
    model, frames = load(MINI, device, DTYPES["fp16"]), drawn(filmed(Scene(), 2), 64)
    inflate(model.unet)
    video = tav.edit(model, frames, PROMPT, caption=CAPTION, difference=True, steps=2)
    _, alignment = scores(*load_clip(MINI / "clip", device), video, PROMPT)
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return taken == wanted, f"loaded on {taken}, alignment {alignment:.2f}"


def checks(device: str, folder: Path) -> dict:
    """All of them by name, as functions without arguments; `folder` has tiny weights in it."""
    return {
        "the losses of tuning are the CPU's": lambda: check_tuning_here(device),
        "tuning resumes": lambda: check_tuning_resumed(device),
        "training resumes": lambda: check_training_resumed(device, folder),
        "autocast takes a numbered device": lambda: check_autocast(device),
        "attention with 65,600 rows": lambda: check_many_rows(device),
        "fp32 is fp32": lambda: check_fp32(device),
        "tuned here, resumed and sampled on a CPU": lambda: check_commands(device, folder),
        "an edit by difference, and its scores": lambda: check_edits(device),
    }
