"""Edit a tuned clip by prompt: python sample.py "spider man is skiing on the beach"."""

from functools import partial
from pathlib import Path

import torch

from tav.api import edit
from tav.io.cli import SAMPLE, UserError, advising, bar, parse, run
from tav.io.devices import resolve
from tav.io.runs import Run, Source, digest, require_same_weights
from tav.io.sheets import sheet, side_by_side
from tav.io.video import ffmpeg
from tav.io.weights import load, load_clip, load_tuned
from tav.metrics import scores
from tav.model import StableDiffusion, Unsuitable
from tav.ranks import rank, sum_over_ranks, world_size
from tav.sampling import invert


def main() -> None:
    given = parse(SAMPLE, __doc__)
    if given.get("difference") and "no_inversion" in given:
        raise UserError("--difference inverts nothing; leave out --no-inversion")
    folder = Run(given.get("run"))
    settings, tuned = folder.settings, folder.tuned()
    if tuned is None:
        raise UserError(f"{folder.path}: nothing is tuned yet; continue it with tune.py --resume")
    ffmpeg()  # fails now if there is none, not after all the sampling
    device, dtype = resolve(given.get("device"), given.get("dtype"), settings)
    model = load(given.get("weights", settings["weights"]), device, dtype)
    require_same_weights(model, settings["weights_hash"])
    clip = folder.source(model)
    if clip is None:
        raise UserError(f"{folder.path}: its clip is gone; continue it with tune.py --resume")
    with advising(Unsuitable, "pass the ones it was tuned on to --weights"):
        load_tuned(model.unet, tuned, str(folder.path))
    args = {"prompts": [settings["prompt"]], "negative": "", "seed": 0} | model.recipe("sample")
    # Older weights may say "difference" too; now only the command line does.
    args = args | {"difference": False} | given
    judge = None
    if "score" in given or "clip" in given:
        judge = load_clip(given.get("clip", Path(model.path) / "clip"), device)
    with folder.working(lock="source.safetensors"), advising(Unsuitable, "try --dtype fp32"):
        sample(folder, model, clip, digest(tuned), args, judge)
    if rank() == 0:
        print(f"edits: {folder.path / 'samples'} (first look at comparison.png)")


def sample(
    folder: Run, model: StableDiffusion, clip: Source, tuned: str, args: dict, judge: tuple | None
) -> None:
    """An edit for each prompt, and all side by side; `tuned` is the digest of the weights."""
    caption, prompts = folder.settings["prompt"], args["prompts"]
    how = {key: args[key] for key in ("negative", "steps", "guidance", "difference", "seed")}
    how |= {"caption": caption, "latents": clip.latents, "progress": bar}
    if not args["difference"]:
        how["noise"] = first_noise(folder, model, clip.latents.mean, tuned, args)
    videos = clip.frames.new_zeros(len(prompts), *clip.frames.shape)
    for i in range(rank(), len(prompts), world_size()):
        videos[i] = edit(model, clip.frames, prompts[i], **how)
        folder.write_video(f"{i + 1} {prompts[i]}", videos[i], clip.fps)
    videos = sum_over_ranks(videos)  # what other ranks make is zeros here: the sum has all
    if rank() > 0:
        return
    labelled = [(f"source: {caption}", clip.frames), *zip(prompts, videos)]
    folder.write_picture("samples/comparison.png", sheet(labelled))
    folder.write_video("comparison", side_by_side(labelled), clip.fps)
    if judge:
        asked = zip(labelled, [caption, *prompts])
        rows = [(name, *scores(*judge, video, prompt)) for (name, video), prompt in asked]
        print(folder.write_scores(rows))


def first_noise(
    folder: Run, model: StableDiffusion, latents: torch.Tensor, tuned: str, args: dict
) -> torch.Tensor:
    """The noise to begin from: random, or the clip's own, computed once and kept in the folder."""
    if args.get("no_inversion"):
        generator = torch.Generator().manual_seed(args["seed"])
        return torch.randn(latents.shape, generator=generator).to(latents.device)
    name = f"inversion-{args['steps']}-{model.device.type}-{model.dtype}-{tuned}"
    noise = folder.noise(name, latents)
    if noise is None:
        noise = invert(model, latents, args["steps"], partial(bar, desc="inverting"))
        if rank() == 0:
            folder.save(name, {"noise": noise})
    return noise.to(latents.device)


if __name__ == "__main__":
    run(main)
