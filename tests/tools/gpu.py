"""What does tav do on this GPU? Checks that need one, then times and memory, in a few minutes.

    python tests/tools/gpu.py          # at most eight minutes on one H100 or H200
    python tests/tools/gpu.py --dry    # all of it with tiny sizes on a CPU

Run it from the root of the repository. Nothing is downloaded: the weights are the miniature's, and
random ones of Stable Diffusion 1.4's shapes (`full_size_run.py` writes them, 2.1 GB in a temporary
folder). imageio-ffmpeg may be missing. Every line is printed when it is known, so that a run that
is cut keeps what it has; the table at the end is for README. The exit status is 1 if a check
failed, and 2 without a GPU.
"""

import argparse
import gc
import math
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
try:
    import imageio_ffmpeg  # noqa: F401
except ImportError:  # then an empty module takes its place: nothing here reads or writes films
    sys.modules["imageio_ffmpeg"] = ModuleType("imageio_ffmpeg")

import full_size_run  # noqa: E402
import tiny  # noqa: E402
from bench import seconds  # noqa: E402
from gpu_checks import CAPTION, CLOSE, MINI, PROMPT, Found, apart, checks, within  # noqa: E402

import tav  # noqa: E402
from tav.inflation import inflate  # noqa: E402
from tav.io.devices import DTYPES, resolve  # noqa: E402
from tav.io.weights import load, load_tuned  # noqa: E402
from tav.model import StableDiffusion  # noqa: E402
from tav.sampling import invert, predict_guided, sample  # noqa: E402
from tav.tuning import FP16_SCALE, Tuning, encode_clip  # noqa: E402
from tav.vae import Posterior, decode  # noqa: E402
from weights.benchmark.clips import drawn, filmed  # noqa: E402
from weights.make.train import psnr  # noqa: E402
from weights.make.world.scenes import Scene  # noqa: E402

TUNING, STEPS, GUIDANCE = 500, 50, 12.5  # steps of tuning and of an edit, as published
EQUAL = 85.0  # dB: sums in another order leave 129 of a tuned edit, TF32 leaves 68


@dataclass
class Mini:
    """How much to do with the miniature."""

    pixels: int = 128  # along a side
    frames: int = 8
    tuning: int = 30  # steps
    steps: int = 10  # of an edit


@dataclass
class Size:
    """How much to do, and where."""

    device: str = "cuda"
    pixels: int = 512
    frames: int = 24
    ladder: tuple[int, ...] = (8, 12, 16, 32)  # other numbers of frames to tune on
    repeat: int = 5  # how often a thing is timed
    steps: int = 5  # of an edit, that are run
    mini: Mini = field(default_factory=Mini)


FULL = Size()
DRY = Size("cpu", pixels=16, frames=2, ladder=(1, 3), repeat=1, steps=1, mini=Mini(64, 2, 2, 2))


class Report:
    """Prints what is found, and keeps the rows of the table and the names of what failed."""

    def __init__(self):
        self.rows, self.failed, self.began = [], [], time.monotonic()

    def check(self, name: str, work: Callable[[], Found]) -> None:
        """One line: ok or FAILED."""
        try:
            with redirect_stdout(StringIO()):
                right, found = work()
        except Exception as error:  # whatever it is, the other checks go on
            right, found = False, brief(error)
        if not right:
            self.failed.append(name)
        print(f"{'ok    ' if right else 'FAILED'}  {name}: {found}", flush=True)

    def section(self, name: str, work: Callable[..., None], *arguments) -> None:
        """A heading, then work that prints; if it breaks, the next section goes on."""
        print(f"\n{name} ({time.monotonic() - self.began:.0f} s)", flush=True)
        try:
            work(self, *arguments)
        except Exception as error:
            self.failed.append(name)
            print(f"FAILED  {name}: {brief(error)}", flush=True)

    def row(self, what: str, found: str, memory: str = "") -> None:
        self.rows.append(f"| {what} | {found} | {memory} |")
        print(f"{what}: {found}  {memory}", flush=True)

    def table(self) -> str:
        head = "| what | measured | GB at the peak: allocated / reserved |"
        return "\n".join([head, "|---|---|---|", *self.rows])


def brief(error: Exception) -> str:
    """An exception in one line, with the line of code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}, {said}"


def measure(work: Callable[[], None], size: Size) -> tuple[float, str]:
    """Median seconds of `work`, after one round to warm up, and the most memory it took."""
    release()
    if size.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds(work, size.device)
    median = statistics.median(seconds(work, size.device) for _ in range(size.repeat))
    if size.device != "cuda":
        return median, ""
    peaks = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return median, " / ".join(f"{peak / 1e9:.1f}" for peak in peaks)


def release() -> None:
    """Give back what earlier work left in memory."""
    gc.collect()
    torch.cuda.empty_cache()  # does nothing without a GPU


# ---- the miniature


def miniature(report: Report, size: Size) -> None:
    """What this device computes with the miniature, against the CPU in fp32."""
    wanted, weights = tuned_edit(size.mini, "cpu")
    found, _ = tuned_edit(size.mini, size.device)
    db = psnr(found, wanted).item()
    alike = f"{db:.1f} dB between the frames"
    report.check("an edit tuned in fp32 is the CPU's", lambda: (db >= EQUAL, alike))
    report.row("miniature, tuned and edited in fp32, against the CPU", alike)
    wanted = one_prediction(size.mini, "cpu", "fp32", weights)
    for dtype in DTYPES:
        off = apart(one_prediction(size.mini, size.device, dtype, weights), wanted)
        if dtype == "fp32":
            report.check("a prediction in fp32 is the CPU's", lambda: within(off, CLOSE))
        what = f"miniature, a prediction in {dtype} at guidance {GUIDANCE}, against the CPU's fp32"
        report.row(what, f"off by {100 * off:.2g} % of the largest value")


def tuned_edit(mini: Mini, device: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Tune the miniature in fp32: the frames of an edit, and the tuned weights."""
    model = load(MINI, device)
    frames = drawn(filmed(Scene(), mini.frames), mini.pixels)
    clip = encode_clip(model, frames)
    tuning = Tuning(model, clip, model.embed(CAPTION), 3e-4, 0)
    for _ in range(mini.tuning):
        tuning.update(tuning.loss())
    video = tav.edit(model, frames, PROMPT, steps=mini.steps, guidance=2.0, latents=clip)
    return video, {name: weight.cpu() for name, weight in tuning.tuned().items()}


@torch.no_grad()
def one_prediction(mini: Mini, device: str, dtype: str, weights: dict[str, Tensor]) -> Tensor:
    """Of the tuned miniature, for half noised latents, with guidance."""
    model = load(MINI, device, DTYPES[dtype])
    load_tuned(model.unet, weights, "")
    side, generator = mini.pixels // model.vae.factor, torch.Generator().manual_seed(0)
    x = torch.randn(mini.frames, 4, side, side, generator=generator).to(device)
    return predict_guided(model, x, 501, model.embed(["", PROMPT]), GUIDANCE)


# ---- Stable Diffusion 1.4


def loaded(
    size: Size, weights: Path, dtype: str, count: int
) -> tuple[StableDiffusion, Tensor, Posterior]:
    """The model with its video UNet, `count` random frames, and their latents."""
    model = load(weights, size.device, DTYPES[dtype])
    inflate(model.unet)
    frames = torch.rand(count, 3, size.pixels, size.pixels) * 2 - 1
    return model, frames, encode_clip(model, frames)


def editing(report: Report, size: Size, weights: Path) -> None:
    """VAE, inversion and sampling as in sample.py: the UNet in fp16, the VAE in fp32."""
    model, frames, clip = loaded(size, weights, "fp16", size.frames)
    latents, text = clip.mean, model.embed(["", PROMPT])
    scaled = STEPS / size.steps
    works = {
        "VAE in fp32, encoding": (1, lambda: encode_clip(model, frames)),
        "VAE in fp32, decoding": (1, lambda: decode(model.vae, latents)),
        "inversion in fp16": (scaled, lambda: invert(model, latents, size.steps)),
        "sampling in fp16": (scaled, lambda: sample(model, latents, text, size.steps, GUIDANCE)),
    }
    times = []
    for name, (times_as_long, work) in works.items():
        once, memory = measure(work, size)
        times.append(once * times_as_long)
        said = f", {STEPS} steps, from {size.steps} that were run" if times_as_long > 1 else ""
        report.row(f"{name}, {size.frames} frames{said}", f"{times[-1]:.2f} s", memory)
    report.row("one edit: inversion, sampling and decoding together", f"{sum(times[1:]):.1f} s")


def tuning(report: Report, size: Size, weights: Path, dtype: str, ladder: tuple[int, ...]) -> None:
    """Steps on the published number of frames, with checkpointing too, and on the `ladder`'s."""
    model, _, clip = loaded(size, weights, dtype, max(size.frames, *ladder, 0))
    text = model.embed(CAPTION)
    model.vae = model.text_encoder = None  # as in tune.py
    for frames in sorted({size.frames, *ladder}):
        part = Posterior(clip.mean[:frames], clip.std[:frames])
        for checkpointing in (True, False) if frames == size.frames else (False,):
            job = Tuning(model, part, text, 3e-5, 0, checkpointing)
            how = "with" if checkpointing else "without"
            what = f"tuning in {dtype} {how} checkpointing, {frames} frames"
            report.row(what, *tuning_step(job, size))


def tuning_step(job: Tuning, size: Size) -> tuple[str, str]:
    """Time and memory of a step, or that memory is too short for it."""
    try:
        once, memory = measure(lambda: job.update(job.loss()), size)
    except torch.cuda.OutOfMemoryError:
        return "does not fit into memory", ""
    found = f"{1000 * once:.0f} ms a step, {TUNING} steps in {TUNING * once / 60:.1f} min"
    if job.scale not in (1.0, FP16_SCALE):
        left_out = round(math.log2(FP16_SCALE / job.scale))
        found += f" ({left_out} of {len(job.losses)} left out for overflow)"
    if size.device == "cuda":
        before = torch.cuda.memory_allocated()
        loss = job.loss()
        memory += f", {(torch.cuda.memory_allocated() - before) / 1e9:.1f} kept for backward"
        del loss
    return found, memory


def machine(report: Report, size: Size) -> None:
    """What this runs on."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of the CPU")
    if size.device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        versions = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        report.row("GPU", f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB, {versions}")


def run_checks(report: Report, size: Size, folder: Path) -> None:
    for name, work in checks(size.device, folder).items():
        report.check(name, work)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dry", action="store_true", help="tiny sizes on a CPU")
    size = DRY if parser.parse_args().dry else FULL
    if size.device == "cuda" and not torch.cuda.is_available():
        print("error: no GPU here; --dry does it all with tiny sizes on a CPU", file=sys.stderr)
        return 2
    torch.manual_seed(0)
    resolve(size.device, "fp32")  # as the commands do
    report = Report()
    report.section("the machine", machine, size)
    with TemporaryDirectory() as place:
        folder = Path(place)
        weights = tiny.folder(folder / "weights")
        report.section("checks", run_checks, size, folder)
        report.section("the miniature", miniature, size)
        if size is FULL:
            weights = folder / "sd14"
            full_size_run.write(weights)
        model = "Stable Diffusion 1.4's shapes" if size is FULL else "a tiny model"
        shapes = f"{model}, {size.pixels} x {size.pixels} pixels"
        report.section(f"editing, {shapes}", editing, size, weights)
        report.section(f"tuning in fp16, {shapes}", tuning, size, weights, "fp16", size.ladder)
        report.section(f"tuning in bf16, {shapes}", tuning, size, weights, "bf16", ())
    print(f"\n{report.table()}\n\n{time.monotonic() - report.began:.0f} s in all")
    print("FAILED: " + "; ".join(report.failed) if report.failed else "all checks are ok")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
