"""Edit a tuned clip by prompt: python sample.py "spider man is skiing on the beach"."""

import hashlib
import re
from functools import partial

import torch
from tqdm import tqdm

from tav.errors import Parser, UserError, run
from tav.runs import Run, writing
from tav.sampling import invert, sample
from tav.tuning import load_tuned
from tav.vae import decode
from tav.video import sheet, side_by_side, write_gif, write_mp4
from tav.weights import file_digest, load, resolve


def arguments():
    parser = Parser(description=__doc__, epilog="Defaults are those of the weights.")
    parser.add_argument("prompts", nargs="*", help="one video each (default: the weights' own example edits)")
    parser.add_argument("--run", help="run folder (default: the newest in runs/)")
    parser.add_argument("--weights", help="where the run's weights are now, if they moved")
    parser.add_argument("--steps", type=int, help="DDIM steps, of inversion and of sampling (default 50)")
    parser.add_argument("--guidance", type=float, help="classifier-free guidance (published: 12.5)")
    parser.add_argument("--negative", default="", help="what the video should not show")
    parser.add_argument("--no-inversion", action="store_true", help="start from random noise, not from the clip's")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random noise")
    parser.add_argument("--device", help="cuda, mps or cpu")
    parser.add_argument("--dtype", help="fp32, bf16 or fp16")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    folder = Run.open(args.run)
    settings = folder.settings
    tuned, source = folder.load("tuned"), folder.load("source")
    if tuned is None or source is None:
        raise UserError(f"{folder.path}: nothing is tuned there yet; continue it with tune.py --resume")
    model = load(args.weights or settings["weights"], *resolve(args.device, args.dtype or settings.get("dtype")))
    if model.hash != settings["weights_hash"]:
        raise UserError(f"{model.path}: not the weights this run was tuned on; pass those to --weights")
    own = {"steps": 50, "guidance": 12.5} | model.defaults.get("sample", {})
    prompts = args.prompts or own.get("prompts") or [settings["prompt"]]
    steps = args.steps if args.steps is not None else own["steps"]
    guidance = args.guidance if args.guidance is not None else own["guidance"]
    check(prompts, steps, guidance, model.schedule)

    load_tuned(model.unet, tuned, str(folder.path))
    with folder.locked():
        if args.no_inversion:
            generator = torch.Generator().manual_seed(args.seed)
            noise = torch.randn(source["mean"].shape, generator=generator).to(model.device)
        else:
            noise = inverted(folder, model, source["mean"].to(model.device), steps)
        videos = [(f"source: {settings['prompt']}", source["frames"].float() / 127.5 - 1)]
        for prompt in prompts:
            text = model.embed([args.negative, prompt])
            bar = partial(tqdm, desc=prompt, unit="step")
            video = decode(model.vae, sample(model.unet, noise, text, model.schedule, steps, guidance, bar))
            write(folder, name_of(prompt), video, settings["fps"])
            videos.append((prompt, video))
        with writing(folder.path):
            sheet(videos).save(folder.path / "samples" / "comparison.png")
        write(folder, "comparison", side_by_side(videos), settings["fps"])
    print(f"edits: {folder.path / 'samples'} (first look at comparison.png)")


def check(prompts: list[str], steps: int, guidance: float, schedule) -> None:
    """UserError for what can be seen to be wrong before anything is computed."""
    if not all(prompt.strip() for prompt in prompts):
        raise UserError("an empty prompt; say what the video should show")
    if not guidance >= 0:
        raise UserError(f"--guidance is {guidance}; it must be 0 or more (1 is none, 12.5 is published)")
    try:
        schedule.timesteps(steps)
    except ValueError as error:
        raise UserError(f"--steps: {error}; 50 is usual") from None


def inverted(folder: Run, model, latents: torch.Tensor, steps: int) -> torch.Tensor:
    """The clip's noise: from the run folder if it was computed there with all the same, else by DDIM inversion."""
    tuned = file_digest(folder.path / "tuned.safetensors")
    key = f"{model.hash} {tuned} {steps} {model.dtype} {model.device.type} {latents.cpu().numpy().tobytes().hex()}"
    name = f"inversion-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if (kept := folder.load(name)) is not None:
        return kept["noise"].to(model.device)
    bar = partial(tqdm, desc="inverting the clip", unit="step")
    noise = invert(model.unet, latents, model.embed(""), model.schedule, steps, bar)
    folder.save(name, {"noise": noise})
    return noise


def name_of(prompt: str) -> str:
    """A file name that tells the prompt."""
    return re.sub(r"[^\w]+", "-", prompt.lower()).strip("-")[:80] or "edit"


def write(folder: Run, name: str, video: torch.Tensor, fps: float) -> None:
    """samples/NAME.gif and .mp4"""
    with writing(folder.path):
        (folder.path / "samples").mkdir(exist_ok=True)
        write_gif(folder.path / "samples" / f"{name}.gif", video, fps)
        write_mp4(folder.path / "samples" / f"{name}.mp4", video, fps)


if __name__ == "__main__":
    run(main)
