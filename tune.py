"""Tune Stable Diffusion on one clip and its caption: python tune.py clip.mp4 "a man is skiing"."""

import secrets
import time
from functools import partial
from pathlib import Path

import torch

from tav.api import edit
from tav.io.cli import KEPT, TUNE, UserError, advising, bar, ctrl_c_waits, parse, run
from tav.io.devices import DTYPES, resolve
from tav.io.runs import RUNS, Run, Source, require_same_weights
from tav.io.sheets import sheet
from tav.io.video import read_clip
from tav.io.weights import load
from tav.model import StableDiffusion, Unsuitable
from tav.ranks import rank, sum_over_ranks
from tav.tuning import Tuning, encode_clip, use_checkpointing

MINI = str(Path(__file__).parent / "weights" / "mini")
# What a new run begins with; the weights' own recipe has the other settings.
NEW_RUN = {"weights": MINI, "start": 0, "stretch": False, "seed": 0, "memory": "auto", "seconds": 0}
SAVE_EVERY, SAVE_FACTOR = 60.0, 20  # seconds, and at least 20 times what the last save took


def main() -> None:
    given = parse(TUNE, __doc__)
    if given.pop("resume", False):
        folder = Run(given.pop("out", None))
        before = folder.settings
        require_kept(before, given)
    else:
        folder, before = new_folder(given), {}
    device, dtype = resolve(given.get("device"), given.get("dtype"), before)
    settings = NEW_RUN | before | given
    with folder.working():
        model = load(settings["weights"], device, dtype)
        if rank() == 0 and model.defaults.get("note"):
            print(" ".join(model.defaults["note"].split()))
        settings.setdefault("weights_hash", model.hash)  # a new run has none yet
        require_same_weights(model, settings["weights_hash"])
        dtype_name = next(key for key in DTYPES if DTYPES[key] == model.dtype)  # fp32, bf16 or fp16
        settings = model.recipe("tune") | settings | {"device": device, "dtype": dtype_name}
        clip = folder.source(model) or read_source(model, settings)
        advice = "try --dtype fp32 or a smaller --lr"
        if dtype_name == "fp32":
            advice = "try a smaller --lr"
        with advising(Unsuitable, advice):
            tune(folder, model, clip, settings)
    if rank() == 0:
        print(f"tuned: {folder.path} (now: python sample.py --run {folder.path})")


def new_folder(given: dict) -> Run:
    """The folder of a new run, which is not made yet."""
    if "clip" not in given or "prompt" not in given:
        example = 'python tune.py clip.mp4 "a man is skiing"'
        raise UserError(f"a clip and a prompt are needed: {example}; see --help")
    # Two runs that begin in the same second get different names.
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}-{Path(given['clip']).stem}"
    folder = Run(given.pop("out", RUNS / name))
    # A file of that name, or a folder with files in it, other than hidden ones.
    if any(file.is_file() for file in [folder.path, *folder.path.rglob("[!.]*")]):
        raise UserError(f"{folder.path}: not an empty folder; choose another --out, or --resume it")
    read_clip(given["clip"], frames=1)  # fails now if it is no clip, before gigabytes are read
    return folder


def require_kept(before: dict, given: dict) -> None:
    """UserError if a resumed run is given another value for a setting that it keeps."""
    for key in KEPT:
        if key in given and before.get(key) != given[key]:
            what = f"the run has {key} {before.get(key)}, not {given[key]}"
            raise UserError(f"{what}; leave {key} out to resume")


def read_source(model: StableDiffusion, settings: dict) -> Source:
    """The clip, read and encoded."""
    options = {key: settings[key] for key in ("frames", "start", "stride", "size", "stretch")}
    frames, fps = read_clip(settings["clip"], **options)  # f 3 H W
    with advising(Unsuitable, "choose another --size"):
        return Source(frames, encode_clip(model, frames, partial(bar, desc="encoding")), fps)


def tune(folder: Run, model: StableDiffusion, clip: Source, settings: dict) -> None:
    """Tune, from where the run was left, and save from time to time."""
    text = model.embed(settings["prompt"])  # 1 l d
    checkpointing = use_checkpointing(model, clip.latents, settings["memory"])
    # Inflates model.unet, in place.
    tuning = Tuning(model, clip.latents, text, settings["lr"], settings["seed"], checkpointing)
    if state := folder.state(tuning.masters):
        tuning.restore(state)
    done, total = len(tuning.losses), settings["steps"]
    if done > total:
        raise UserError(f"{folder.path}: {done} steps are done already; ask for more --steps")
    if "preview" not in settings:
        model.vae = model.text_encoder = None  # not needed any more: free their memory
    if rank() == 0:
        folder.write_settings(settings)
        folder.keep_source(clip)
    began = time.monotonic() - settings["seconds"]
    due = time.monotonic() + SAVE_EVERY
    asked = ctrl_c_waits()  # a list, empty until Ctrl-C
    progress = bar(range(done, total), "tuning", initial=done, total=total)
    for step in progress:
        loss = tuning.loss()
        tuning.update(loss)
        progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
        # All ranks stop where one was asked to.
        stop = sum_over_ranks(torch.tensor(float(len(asked)), device=model.device))
        if rank() == 0 and (stop or time.monotonic() >= due) and step + 1 < total:
            due = time.monotonic() + save(folder, tuning, settings, began)
        if rank() == 0 and "preview" in settings and (step + 1) % settings["preview"] == 0:
            preview(folder, model, clip, settings, step + 1)
        if stop and step + 1 < total:
            resume = f"continue with tune.py --resume --out {folder.path}"
            raise KeyboardInterrupt(f" at step {step + 1}; {resume}")
    if rank() == 0:
        save(folder, tuning, settings, began)


def save(folder: Run, tuning: Tuning, settings: dict, began: float) -> float:
    """Save what is tuned, if it is sound; returns in how many seconds to save again."""
    start = time.monotonic()
    with torch.no_grad():
        tuning.loss()  # Unsuitable if the weights have gone bad
    folder.save("state", tuning.state())
    folder.save("tuned", tuning.tuned())
    folder.write_losses(tuning.losses)
    folder.write_settings(settings | {"seconds": round(time.monotonic() - began, 3)})
    return max(SAVE_EVERY, SAVE_FACTOR * (time.monotonic() - start))


def preview(folder: Run, model: StableDiffusion, clip: Source, settings: dict, step: int) -> None:
    """A sheet of what an edit looks like after so many steps."""
    caption = settings["prompt"]
    examples = [*model.recipe("sample").get("prompts", []), caption]
    prompt = settings.get("preview_prompt", examples[0])
    known = {"caption": caption, "latents": clip.latents}
    video = edit(model, clip.frames, prompt, **known, progress=partial(bar, leave=False))
    rows = [(f"source: {caption}", clip.frames), (f"step {step}: {prompt}", video)]
    folder.write_picture(f"previews/step-{step}.png", sheet(rows))


if __name__ == "__main__":
    run(main)
