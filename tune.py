"""Tune Stable Diffusion on one clip and its caption: python tune.py clip.mp4 "a man is skiing"."""

import sys
import time
from datetime import datetime
from pathlib import Path

import torch
from tqdm import tqdm

import tav
from tav.errors import Parser, UserError, run
from tav.runs import RUNS, Run
from tav.tuning import Tuning
from tav.vae import Posterior, encode
from tav.video import read_clip
from tav.weights import load, resolve

MINI = Path(__file__).parent / "weights" / "mini"
PUBLISHED = {
    "frames": 24,
    "stride": 2,
    "steps": 500,
    "lr": 3e-5,
}  # Tune-A-Video's settings for Stable Diffusion
SAVE_EVERY = 60.0  # seconds


def arguments():
    parser = Parser(description=__doc__, epilog="Defaults are those of the weights; --resume takes them from the run.")
    parser.add_argument("clip", nargs="?", help="an mp4, gif or webm, or a folder of pictures")
    parser.add_argument("prompt", nargs="?", help="what the clip shows")
    parser.add_argument("--weights", help="a folder, a .safetensors file or a hub id (default: the miniature)")
    parser.add_argument("--frames", type=int, help="how many frames to tune on")
    parser.add_argument("--start", type=int, help="the first frame (default 0)")
    parser.add_argument("--stride", type=int, help="take every K-th frame")
    parser.add_argument("--size", type=int, help="side of the square frames in pixels")
    parser.add_argument("--stretch", action="store_true", help="squeeze to the square instead of cropping")
    parser.add_argument("--steps", type=int, help="tuning steps in all")
    parser.add_argument("--lr", type=float, help="learning rate")
    parser.add_argument("--seed", type=int, help="seed of every random draw (default 0)")
    parser.add_argument("--device", help="cuda, mps or cpu")
    parser.add_argument("--dtype", help="fp32, bf16 or fp16")
    parser.add_argument("--out", type=Path, help="run folder (default: a new one in runs/)")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out, or the newest")
    return parser.parse_args()


def main() -> None:
    args = vars(arguments())
    out, resume = args.pop("out"), args.pop("resume")
    given = {key: value for key, value in args.items() if value is not None and value is not False}
    if resume and (out is None or (out / "run.json").exists()):
        folder = Run.open(out)
        settings = resumed(folder, given)
    else:
        settings = {"weights": str(MINI), "start": 0, "seed": 0} | given
        folder = Run(out or RUNS / f"{datetime.now():%Y%m%d-%H%M%S}-{Path(settings.get('clip', 'clip')).stem}")
    check(settings)
    device, dtype = resolve(settings.get("device"), settings.get("dtype"))
    model = load(settings["weights"], device, dtype)
    if note := model.defaults.get("note"):
        print(note)
    source = folder.load("source") if resume else None
    if source is None:  # a new run, or one that was cut before it had begun
        settings = PUBLISHED | {"size": model.size} | model.defaults.get("tune", {}) | settings
        source = prepare(model, settings)
        settings |= {
            "weights_hash": model.hash,
            "tav": tav.__version__,
            "torch": torch.__version__,
            "seconds": 0.0,
        }
        folder.create(again=resume)
    elif model.hash != settings["weights_hash"]:
        raise UserError(f"{settings['weights']}: not the weights this run was tuned on; pass those to --weights")
    with folder.locked():
        folder.save("source", source)
        folder.write_settings(settings)
        work(folder, settings, model, source)


def resumed(folder: Run, given: dict) -> dict:
    """The run's own settings; --steps, --weights (moved), --device and --dtype may differ, others must agree."""
    settings = folder.settings
    for key, value in given.items():
        if key not in ("steps", "weights", "device", "dtype") and settings.get(key) != value:
            raise UserError(f"--resume: the run has {key} {settings.get(key)}, not {value}; leave {key} out")
    return settings | given


def check(settings: dict) -> None:
    """UserError for what can be seen to be wrong before anything is loaded."""
    if not settings.get("clip") or not str(settings.get("prompt", "")).strip():
        raise UserError('a clip and a prompt are needed: python tune.py clip.mp4 "a man is skiing"; see --help')
    for key, least in {"steps": 1, "size": 1, "frames": 1}.items():
        if settings.get(key, least) < least:
            raise UserError(f"--{key} is {settings[key]}; it must be {least} or more")
    if not 0 < settings.get("lr", 1e-5) < 1:
        raise UserError(f"--lr is {settings['lr']}; it must lie between 0 and 1 (the published value is 3e-5)")


def prepare(model, settings: dict) -> dict[str, torch.Tensor]:
    """Read the clip and encode it once: its frames, and the posterior of its latents."""
    multiple = model.vae.factor * 2 ** (len(model.unet.down_blocks) - 1)
    if settings["size"] % multiple:
        raise UserError(f"--size is {settings['size']}; these weights need a multiple of {multiple}")
    wanted = {key: settings[key] for key in ("frames", "start", "stride", "size")}
    frames, settings["fps"] = read_clip(settings["clip"], **wanted, stretch=settings.get("stretch", False))
    posterior = encode(model.vae, frames.to(model.device))
    pixels = ((frames + 1) * 127.5).round().to(torch.uint8)
    return {"frames": pixels, "mean": posterior.mean, "std": posterior.std}


def work(folder: Run, settings: dict, model, source: dict[str, torch.Tensor]) -> None:
    """Tune until `steps` are done, saving on the way, on Ctrl-C, and before an error is reported."""
    posterior = Posterior(source["mean"].to(model.device), source["std"].to(model.device))
    text = model.embed(settings["prompt"])
    tuning = Tuning(model.unet, posterior, text, model.schedule, settings["lr"], settings["seed"])
    if state := folder.load("state"):
        tuning.restore(state)
    began = saved = time.time()

    def save() -> None:
        nonlocal saved
        folder.save("state", tuning.state())
        folder.save("tuned", tuning.tuned())
        folder.write_losses(tuning.losses)
        folder.write_settings(settings | {"seconds": settings["seconds"] + time.time() - began})
        saved = time.time()

    bar = tqdm(total=settings["steps"], initial=len(tuning.losses), desc="tuning", unit="step")
    try:
        while len(tuning.losses) < settings["steps"]:
            bar.set_postfix(loss=f"{tuning.step():.4f}", refresh=False)
            bar.update()
            if time.time() - saved > SAVE_EVERY:
                save()
    finally:
        bar.close()
        save()
    print(f"tuned: {folder.path} (now: python {Path(sys.argv[0]).with_name('sample.py').name} --run {folder.path})")


if __name__ == "__main__":
    run(main)
