"""Edit a tuned clip by prompt: python sample.py "spider man is skiing on the beach"."""

import re
from argparse import BooleanOptionalAction
from pathlib import Path

import torch

from tav.io.cli import Parser, UserError, advising, bar, number, run
from tav.io.files import file_digest
from tav.io.runs import Run
from tav.io.video import replacing, sheet, side_by_side, write_gif, write_mp4
from tav.io.weights import DTYPES, load, load_clip, resolve
from tav.metrics import scores
from tav.model import Unsuitable
from tav.ranks import RANK, RANKS, add_up
from tav.sampling import invert, sample
from tav.tuning import load_tuned
from tav.vae import decode


def arguments() -> dict:
    """The arguments that were given; the others are not in there."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("prompts", nargs="*", help="one video each (default: the weights' own example edits)")
    add("--run", help="run folder (default: the newest in runs/)")
    add("--weights", help="where the run's weights are now, if they moved")
    add(
        "--steps",
        type=number(int, 1, 999),
        help="DDIM steps, of inversion and of sampling (published: 50)",
    )
    add(
        "--guidance",
        type=number(float, 0),
        help="classifier-free guidance (published: 12.5; 1 is none)",
    )
    add("--negative", help="what the videos should not show")
    add(
        "--invert-caption",
        action=BooleanOptionalAction,
        help="invert with the caption (published: with no words)",
    )
    add(
        "--no-inversion",
        action="store_true",
        help="start from random noise, not from the clip's own",
    )
    add(
        "--score",
        action="store_true",
        help="print how alike the frames are, and how like the prompt, as CLIP sees it",
    )
    add(
        "--clip",
        help="a folder with CLIP ViT-L/14 to score with (default: the one beside the weights)",
    )
    add("--seed", type=number(int, 0, 2**32 - 1), help="seed of the random noise (default 0)")
    add("--device", help="cuda, mps or cpu (default: the first of these that is there)")
    add("--dtype", choices=[*DTYPES], help="default: as tuned")
    return vars(parser.parse_args())


def main() -> None:
    given = arguments()
    folder = Run(given.get("run"))
    settings, tuned, source = folder.settings, folder.tuned(), folder.source()
    if tuned is None or source is None:
        raise UserError(
            f"{folder.path}: nothing is tuned there yet; continue it with tune.py --resume"
        )
    device, dtype = resolve(given.get("device"), given.get("dtype", settings["dtype"]))
    model = load(given.get("weights", settings["weights"]), device, dtype)
    if model.hash != settings["weights_hash"]:
        raise UserError(
            f"{model.path}: not the weights this run was tuned on; pass those to --weights"
        )
    folder.check_sizes(source, model)
    with advising(Unsuitable, "pass the ones it was tuned on to --weights"):
        load_tuned(model.unet, tuned, str(folder.path))
    args = (
        {"prompts": [settings["prompt"]], "negative": "", "seed": 0}
        | model.recipe("sample")
        | given
    )
    if not all(prompt.strip() for prompt in args["prompts"]):
        raise UserError("an empty prompt; say what the video should show")
    if scored := given.keys() & {"score", "clip"}:
        clip = load_clip(given.get("clip", Path(model.path) / "clip"), device)

    with folder.working():
        noise = first_noise(folder, model, source["mean"].to(device), args)  # f 4 h/8 w/8
        frames = source["frames"].float() / 127.5 - 1  # f 3 h w
        videos = frames.new_zeros(len(args["prompts"]), *frames.shape)
        for i, prompt in list(enumerate(args["prompts"]))[RANK::RANKS]:
            text = model.embed([args["negative"], prompt])  # 2 l d
            latents = sample(model, noise, text, args["steps"], args["guidance"], bar(prompt))
            videos[i] = decode(model.vae, latents, bar("decoding", "batch"))
            write(folder, f"{i + 1} {prompt}", videos[i], source["fps"].item())
        add_up([videos])  # each rank has made its share
        if RANK > 0:
            return
        videos = [(f"source: {settings['prompt']}", frames), *zip(args["prompts"], videos)]
        with replacing(folder.path / "samples" / "comparison.png") as part:
            sheet(videos).save(part, format="png")
        write(folder, "comparison", side_by_side(videos), source["fps"].item())
        if scored:
            rows = scores(*clip, videos, [settings["prompt"], *args["prompts"]])
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
    if (noise := folder.noise(name, latents)) is None:
        noise = invert(model, latents, args["steps"], bar("inverting the clip"), caption)
        if RANK == 0:
            folder.save(name, {"noise": noise})
    return noise.to(latents.device)


def write(folder: Run, title: str, video: torch.Tensor, fps: float) -> None:
    """A gif and an mp4 in samples/, named after the title as far as file names go."""
    name = re.sub(r"\W+", "-", title.lower()).strip("-").encode()[:80].decode(errors="ignore")
    write_gif(folder.path / "samples" / f"{name}.gif", video, fps)
    write_mp4(folder.path / "samples" / f"{name}.mp4", video, fps)


if __name__ == "__main__":
    run(main)
