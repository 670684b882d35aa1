"""Tune Stable Diffusion on one clip and its caption: python tune.py clip.mp4 "a man is skiing"."""

import time
from pathlib import Path

from tav.io.cli import Parser, UserError, advising, bar, ctrl_c_waits, number, run
from tav.io.runs import RUNS, Run
from tav.io.video import read_clip
from tav.io.weights import DTYPES, load, resolve
from tav.model import Unsuitable
from tav.ranks import RANK
from tav.tuning import Tuning, encode_clip
from tav.vae import Posterior

MINI = str(Path(__file__).parent / "weights" / "mini")
READ = ("frames", "start", "stride", "size", "stretch")  # settings of how to read the clip
SAVE_EVERY = 60.0  # seconds


def main() -> None:
    folder, settings = command_line()
    device, dtype = resolve(settings.get("device"), settings.get("dtype"))
    model = load(settings["weights"], device, dtype)
    if (note := model.defaults.get("note")) and RANK == 0:
        print(" ".join(note.split()))
    if settings.setdefault("weights_hash", model.hash) != model.hash:
        raise UserError(
            f"{model.path}: not the weights this run was tuned on; pass those to --weights"
        )
    word = next(key for key in DTYPES if DTYPES[key] == dtype)  # fp32, bf16 or fp16
    settings = model.recipe("tune") | settings | {"device": device, "dtype": word}

    source = folder.source()
    if source is None:
        frames, fps = read_clip(settings["clip"], **{key: settings[key] for key in READ})  # f 3 h w
        with advising(Unsuitable, "choose another --size"):
            latents = encode_clip(model, frames, bar("encoding", "batch"))  # its mean: f 4 h/8 w/8
        pixels = ((frames + 1) * 127.5).round().byte()
        source = {
            "frames": pixels,
            "mean": latents.mean,
            "std": latents.std,
            "fps": frames.new_tensor(fps),
        }
    else:
        folder.check_sizes(source, model)
    posterior = Posterior(source["mean"].to(device), source["std"].to(device))
    text = model.embed(settings["prompt"])  # 1 l d
    model.vae = model.text_encoder = None  # they leave memory
    tuning = Tuning(
        model, posterior, text, settings["lr"], settings["seed"], settings["memory"]
    )  # inflates

    advice = "try a smaller --lr" if word == "fp32" else "try --dtype fp32 or a smaller --lr"
    with folder.working(), advising(Unsuitable, advice):
        if state := folder.state(tuning.masters):
            tuning.restore(state)
        done, total = len(tuning.losses), settings["steps"]
        if done > total:
            raise UserError(f"{folder.path}: {done} steps are done already; ask for more --steps")
        if RANK == 0:
            folder.write_settings(settings)
            folder.save("source", source)
        began, due = time.monotonic() - settings["seconds"], 0.0
        stop = ctrl_c_waits()  # so that it cuts no step in two
        progress = bar("tuning")(range(done, total + 1), initial=done, total=total)
        for step in progress:
            loss = tuning.loss()  # only if it is finite: weights saved here have just proved sound
            if RANK == 0 and (step == total or stop or time.monotonic() > due):
                folder.save("state", tuning.state())
                folder.save("tuned", tuning.tuned())
                folder.write_losses(tuning.losses)
                folder.write_settings(settings | {"seconds": round(time.monotonic() - began, 3)})
                due = time.monotonic() + SAVE_EVERY
            if step == total:
                break
            if stop:
                raise KeyboardInterrupt(
                    f" at step {step}; continue with tune.py --resume --out {folder.path}"
                )
            tuning.update(loss)
            progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    if RANK == 0:
        print(f"tuned: {folder.path} (now: python sample.py --run {folder.path})")


def command_line() -> tuple[Run, dict]:
    """The run folder, new or resumed, and the settings that are given or known from before."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("clip", nargs="?", help="an mp4, gif or webm, or a folder of pictures")
    add("prompt", nargs="?", help="what the clip shows")
    add("--weights", help="a folder, a .safetensors file or a hub id (default: the miniature)")
    add("--frames", type=number(int, 1), help="how many frames to tune on")
    add("--start", type=number(int, 0), help="the first frame (default 0)")
    add("--stride", type=number(int, 1), help="take every K-th frame")
    add("--size", type=number(int, 1), help="side of the square frames in pixels")
    add("--stretch", action="store_true", help="squeeze to the square instead of cropping")
    add("--steps", type=number(int, 1), help="tuning steps in all")
    add("--lr", type=number(float, 0, 1), help="learning rate")
    add("--seed", type=number(int, 0, 2**32 - 1), help="seed of every random draw (default 0)")
    add("--device", help="cuda, mps or cpu (default: the first of these that is there)")
    add("--dtype", choices=[*DTYPES], help="default: half precision on cuda, else fp32")
    add(
        "--memory",
        choices=["low", "auto", "fast"],
        help="low keeps little and computes more (default: auto)",
    )
    add("--out", help="run folder (default: a new one in runs/)")
    add("--resume", action="store_true", help="continue the run in --out, or else the newest")
    given = vars(parser.parse_args())  # what was not given is not in there

    if given.pop("resume", False):
        folder = Run(given.pop("out", None))
        settings = folder.settings
        for key in given.keys() - {
            "steps",
            "weights",
            "device",
            "dtype",
            "memory",
        }:  # these may change
            if settings.get(key) != given[key]:
                raise UserError(
                    f"the run has {key} {settings.get(key)}, not {given[key]}; "
                    f"leave {key} out to resume"
                )
        return folder, settings | given
    if "clip" not in given or not given.get("prompt", "").strip():
        raise UserError(
            'a clip and a prompt are needed: python tune.py clip.mp4 "a man is skiing"; see --help'
        )
    folder = Run(
        given.pop("out", RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{Path(given['clip']).stem}")
    )
    if any(file.is_file() for file in [folder.path, *folder.path.rglob("[!.]*")]):
        raise UserError(
            f"{folder.path}: not an empty folder; "
            "choose another --out, or continue a run with --resume"
        )
    read_clip(given["clip"], frames=1)  # is it one? Before gigabytes of weights are read
    return folder, {
        "weights": MINI,
        "start": 0,
        "stretch": False,
        "seed": 0,
        "seconds": 0.0,
        "memory": "auto",
    } | given


if __name__ == "__main__":
    run(main)
