"""Edit a tuned clip by prompt: python sample.py "spider man is skiing on the beach"."""

from pathlib import Path

import torch

from tav.difference import edit_by_difference
from tav.io.cli import UserError, advising, bar, run
from tav.io.devices import resolve
from tav.io.files import file_digest
from tav.io.options import sample_options
from tav.io.runs import Run, require_same_weights
from tav.io.video import replacing, sheet, side_by_side
from tav.io.weights import load, load_clip
from tav.metrics import scores
from tav.model import Unsuitable
from tav.ranks import rank, sum_over_ranks, world_size
from tav.sampling import invert, sample
from tav.tuning import load_tuned
from tav.vae import decode


def main() -> None:
    given = sample_options(__doc__)  # only the options that were given
    folder = Run(given.get("run"))
    settings, tuned, source = folder.settings, folder.tuned(), folder.source()
    if tuned is None or source is None:
        what = "nothing is tuned there yet"
        raise UserError(f"{folder.path}: {what}; continue it with tune.py --resume")
    device, dtype = resolve(given.get("device"), given.get("dtype", settings["dtype"]))
    model = load(given.get("weights", settings["weights"]), device, dtype)
    require_same_weights(model, settings["weights_hash"])
    folder.check_latents(source, model)
    with advising(Unsuitable, "pass the ones it was tuned on to --weights"):
        load_tuned(model.unet, tuned, str(folder.path))
    defaults = {"prompts": [settings["prompt"]], "negative": "", "seed": 0}
    args = defaults | model.recipe("sample") | given
    if not all(prompt.strip() for prompt in args["prompts"]):
        raise UserError("an empty prompt; say what the video should show")
    scored = "score" in given or "clip" in given
    if scored:
        judge = load_clip(given.get("clip", Path(model.path) / "clip"), device)

    with folder.working():
        latents = source["mean"].to(device)  # f 4 h w
        noise = None if args.get("difference") else first_noise(folder, model, latents, args)
        frames = source["frames"].float() / 127.5 - 1  # f 3 H W
        videos = frames.new_zeros(len(args["prompts"]), *frames.shape)
        for i in range(rank(), len(args["prompts"]), world_size()):
            prompt = args["prompts"][i]
            negative, how = args["negative"], (args["steps"], args["guidance"])
            if noise is None:
                texts = settings["prompt"], prompt
                rest = negative, args["seed"], bar(prompt)
                edited = edit_by_difference(model, latents, *texts, *how, *rest)
            else:
                text = model.embed([negative, prompt])  # 2 l d
                edited = sample(model, noise, text, *how, bar(prompt))
            videos[i] = decode(model.vae, edited, bar("decoding", "batch"))
            folder.write_video(f"{i + 1} {prompt}", videos[i], source["fps"].item())
        videos = sum_over_ranks(videos)  # those that other ranks make are zeros here
        if rank() > 0:
            return
        labelled = [(f"source: {settings['prompt']}", frames), *zip(args["prompts"], videos)]
        with replacing(folder.path / "samples" / "comparison.png") as part:
            sheet(labelled).save(part, format="png")
        folder.write_video("comparison", side_by_side(labelled), source["fps"].item())
        if scored:
            rows = []
            for (name, video), prompt in zip(labelled, [settings["prompt"], *args["prompts"]]):
                rows.append((name, *scores(*judge, video, prompt)))
            print(folder.write_scores(rows))
    print(f"edits: {folder.path / 'samples'} (first look at comparison.png)")


def first_noise(folder: Run, model, latents: torch.Tensor, args: dict) -> torch.Tensor:
    """The noise to begin from: the clip's own, kept in the run folder once it is computed, or
    random."""
    if args.get("no_inversion"):
        generator = torch.Generator().manual_seed(args["seed"])
        return torch.randn(latents.shape, generator=generator).to(latents.device)
    caption = folder.settings["prompt"] if args.get("invert_caption") else ""
    digest = file_digest(folder.path / "tuned.safetensors")[:16]
    words = "-caption" if caption else ""
    name = f"inversion-{args['steps']}-{model.device.type}-{model.dtype}-{digest}{words}"
    noise = folder.noise(name, latents)
    if noise is None:
        noise = invert(model, latents, args["steps"], bar("inverting the clip"), caption)
        if rank() == 0:
            folder.save(name, {"noise": noise})
    return noise.to(latents.device)


if __name__ == "__main__":
    run(main)
