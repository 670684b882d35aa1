"""Tune Stable Diffusion on one clip and its caption: python tune.py clip.mp4 "a man is skiing"."""

import time
from pathlib import Path

from tav.io.cli import UserError, advising, bar, ctrl_c_waits, run
from tav.io.devices import DTYPES, resolve, use_checkpointing
from tav.io.options import tune_options
from tav.io.runs import RUNS, Run, require_same_weights
from tav.io.video import read_clip
from tav.io.weights import load
from tav.model import Unsuitable
from tav.ranks import rank
from tav.tuning import Tuning, encode_clip
from tav.vae import Posterior

MINI = str(Path(__file__).parent / "weights" / "mini")
READ = ("frames", "start", "stride", "size", "stretch")  # settings of how to read the clip
MAY_CHANGE = {"steps", "weights", "device", "dtype", "memory"}  # when a run is resumed
# What a new run begins with; the weights' own recipe has the other settings.
NEW_RUN = {
    "weights": MINI,
    "start": 0,
    "stretch": False,
    "seed": 0,
    "seconds": 0.0,  # worked so far
    "memory": "auto",
}
SAVE_EVERY = 60.0  # seconds


def main() -> None:
    folder, settings = command_line()
    device, dtype = resolve(settings.get("device"), settings.get("dtype"))
    model = load(settings["weights"], device, dtype)
    if rank() == 0 and model.defaults.get("note"):
        print(" ".join(model.defaults["note"].split()))
    settings.setdefault("weights_hash", model.hash)  # a new run has none yet
    require_same_weights(model, settings["weights_hash"])
    dtype_name = next(key for key in DTYPES if DTYPES[key] == model.dtype)  # fp32, bf16 or fp16
    settings = model.recipe("tune") | settings | {"device": device, "dtype": dtype_name}

    source = folder.source()
    if source is None:
        frames, fps = read_clip(settings["clip"], **{key: settings[key] for key in READ})  # f 3 H W
        with advising(Unsuitable, "choose another --size"):
            latents = encode_clip(model, frames, bar("encoding", "batch"))  # its mean: f 4 h w
        pixels = ((frames + 1) * 127.5).round().byte()
        source = {"frames": pixels, "mean": latents.mean, "std": latents.std}
        source["fps"] = frames.new_tensor(fps)
    else:
        folder.check_latents(source, model)
    posterior = Posterior(source["mean"].to(device), source["std"].to(device))
    text = model.embed(settings["prompt"])  # 1 l d
    model.vae = model.text_encoder = None  # not needed any more: free their memory
    # This inflates model.unet, in place.
    checkpointing = use_checkpointing(model, posterior, settings["memory"])
    tuning = Tuning(model, posterior, text, settings["lr"], settings["seed"], checkpointing)

    advice = "try a smaller --lr" if dtype_name == "fp32" else "try --dtype fp32 or a smaller --lr"
    with folder.working(), advising(Unsuitable, advice):
        state = folder.state(tuning.masters)
        if state:
            tuning.restore(state)
        done, total = len(tuning.losses), settings["steps"]
        if done > total:
            raise UserError(f"{folder.path}: {done} steps are done already; ask for more --steps")
        if rank() == 0:
            folder.write_settings(settings)
            folder.save("source", source)
        began = time.monotonic() - settings["seconds"]
        due = 0.0  # so that the first turn saves
        stop = ctrl_c_waits()  # a list, empty until Ctrl-C
        progress = bar("tuning")(range(done, total + 1), initial=done, total=total)
        # One turn more than there are updates. Each first computes a loss, which raises if the
        # weights have gone bad, so that only sound ones are saved, if it is time. Then it updates.
        for step in progress:
            loss = tuning.loss()
            if rank() == 0 and (step == total or stop or time.monotonic() > due):
                folder.save("state", tuning.state())
                folder.save("tuned", tuning.tuned())
                folder.write_losses(tuning.losses)
                folder.write_settings(settings | {"seconds": round(time.monotonic() - began, 3)})
                due = time.monotonic() + SAVE_EVERY
            if step == total:
                break
            if stop:
                resume = f"continue with tune.py --resume --out {folder.path}"
                raise KeyboardInterrupt(f" at step {step}; {resume}")
            tuning.update(loss)
            progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    if rank() == 0:
        print(f"tuned: {folder.path} (now: python sample.py --run {folder.path})")


def command_line() -> tuple[Run, dict]:
    """The run folder, new or resumed, and the settings that are given or known from before."""
    given = tune_options(__doc__)  # only the options that were given
    if given.pop("resume", False):
        folder = Run(given.pop("out", None))
        settings = folder.settings
        for key in given.keys() - MAY_CHANGE:
            if settings.get(key) != given[key]:
                what = f"the run has {key} {settings.get(key)}, not {given[key]}"
                raise UserError(f"{what}; leave {key} out to resume")
        return folder, NEW_RUN | settings | given

    if "clip" not in given or not given.get("prompt", "").strip():
        example = 'python tune.py clip.mp4 "a man is skiing"'
        raise UserError(f"a clip and a prompt are needed: {example}; see --help")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{Path(given['clip']).stem}"
    folder = Run(given.pop("out", RUNS / name))
    # A file of that name, or a folder with files in it, other than hidden ones.
    if any(file.is_file() for file in [folder.path, *folder.path.rglob("[!.]*")]):
        advice = "choose another --out, or continue a run with --resume"
        raise UserError(f"{folder.path}: not an empty folder; {advice}")
    read_clip(given["clip"], frames=1)  # fails now if it is no clip, before gigabytes are read
    return folder, NEW_RUN | given


if __name__ == "__main__":
    run(main)
