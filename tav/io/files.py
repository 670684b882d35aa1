"""The files of a model, in a folder or on the hub, and what its configs say (lesson 06)."""

import hashlib
import json
import math
import os
import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, product
from pathlib import Path

import huggingface_hub
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..schedule import POWERS, PREDICTIONS
from .cli import UserError

# Where the parts of a model are in a folder (the diffusers layout).
CONFIGS = {part: f"{part}/config.json" for part in ("vae", "unet", "text_encoder")}
CONFIGS["scheduler"] = "scheduler/scheduler_config.json"
STEMS = {part: f"{part}/diffusion_pytorch_model" for part in ("vae", "unet")}
STEMS["text_encoder"] = "text_encoder/model"
ENDS = (".safetensors", "-*-of-*.safetensors")  # a part's whole file, or its shards
# Before these ends: full precision goes before half, whatever the dtype, so that a run finds the
# same weights in any.
VARIANTS = ("", ".fp16")
SMALL = [*CONFIGS.values(), "tokenizer/*.json", "tokenizer/merges.txt", "tav.json"]
AGAIN = "get it again; one that a run made, delete, and continue the run with tune.py --resume"
Named = Iterable[tuple[str, Tensor]]  # names and tensors


def brief(said: object) -> str:
    """What an error or a value says, in one line and not for long."""
    return " ".join(str(said).split())[:200]


@contextmanager
def opened(path: Path) -> Iterator[safe_open]:
    """A safetensors file, of which only the header is read; UserError if it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise unreadable(path, f"not a whole safetensors file ({brief(error)})", AGAIN) from None


def tensors(path: Path, prefix: str = "") -> Named:
    """Each name, behind the prefix, and tensor of `opened(path)`, mapped from disk, not copied."""
    with opened(path) as file:
        for name in file.keys():
            yield prefix + name, file.get_tensor(name)


def read_json(path: Path) -> dict:
    """The object in a JSON file; UserError if there is none."""
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    # It cannot be read, is not UTF-8 or not JSON, is no object, or is nested thousands deep.
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise unreadable(path, f"cannot be read as JSON ({brief(error)})", "get it again") from None


def unreadable(path: Path, what: str, advice: str) -> UserError:
    """The error for a file that cannot be read: it is not there, a mere pointer, or as `what`."""
    start = b""
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(30)
    if start.startswith(b"version https://git-lfs"):
        what, advice = "a pointer of git-lfs, not the file itself", "run git lfs pull in its folder"
    elif not os.path.isfile(path):
        what, advice = "no such file", "see weights/README.md for what belongs there"
    return UserError(f"{path}: {what}; {advice}")


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shards(folder: Path, part: str) -> list[Path]:
    """The safetensors of a part: the whole file or, if there is none, its shards."""
    for variant, end in product(VARIANTS, ENDS):
        files = sorted(file for file in folder.glob(STEMS[part] + variant + end) if file.is_file())
        if files:
            return files
    what = f"{folder}: no {STEMS[part]}.safetensors in it (pickled weights are never loaded)"
    raise UserError(f"{what}; get that file")


def fetched(name: str) -> Path:
    """The local copy of a hub repository: only the files that are needed, and only once."""
    is_hub_id = re.fullmatch(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}(?<!\.safetensors)", name)
    # The repository's own, seen from another folder, is no hub id either.
    if not is_hub_id or name.startswith("weights/") or os.path.exists(Path(name).parent):
        advice = "give its whole path, or see weights/README.md for where to get one"
        raise UserError(f"{name[:200]}: no such weights folder or file; {advice}")
    for variant in VARIANTS:
        patterns = [[stem + variant + end for end in ENDS] for stem in STEMS.values()]
        wanted = [*SMALL, *chain(*patterns)]
        try:
            folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=wanted))
        # Of many kinds: offline, no such repository, one behind a licence, a full disk.
        except Exception as error:
            what = f"{name}: no such folder here, and the hub does not give it"
            raise UserError(f"{what}: {brief(error)}; check the name and the network") from None
        if all(any(file for end in ends for file in folder.glob(end)) for ends in patterns):
            break
    return folder


# What builds a part: each key that counts, with the default of its library and its day. The
# scheduler's are Stable Diffusion's. A run's hash of its weights depends on the order.
UNET = {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2}
UNET |= {"cross_attention_dim": 1280, "norm_num_groups": 32, "attention_head_dim": 8}
UNET |= {"down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]}
VAE = {"block_out_channels": [64], "layers_per_block": 1}
VAE |= {"norm_num_groups": 32, "scaling_factor": 0.18215}
TEXT = {"vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048}
TEXT |= {"num_hidden_layers": 12, "num_attention_heads": 8, "max_position_embeddings": 77}
TEXT |= {"hidden_act": "quick_gelu"}
SCHEDULER = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012}
SCHEDULER |= {"steps_offset": 1, "beta_schedule": "scaled_linear"}
SCHEDULER |= {"prediction_type": "epsilon", "set_alpha_to_one": False}
VISION = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}  # CLIP's tower
VISION |= {"num_attention_heads": 12, "hidden_act": "quick_gelu"}  # for pictures
VISION |= {"image_size": 224, "patch_size": 32}
DEFAULTS = {"unet": UNET, "vae": VAE, "text_encoder": TEXT, "scheduler": SCHEDULER}
DEFAULTS |= {"vision": VISION}
# Where any other value would mean another network, and neither names nor shapes would show it.
ONLY = {"act_fn": ["silu"], "norm_eps": [1e-5], "layer_norm_eps": [1e-5]}
ONLY |= {"hidden_act": ["quick_gelu", "gelu"], "flip_sin_to_cos": [True], "downsample_padding": [1]}
ONLY |= {"mid_block_scale_factor": [1, 1.0], "resnet_out_scale_factor": [1, 1.0]}
ONLY |= {"num_train_timesteps": [1000], "steps_offset": [0, 1]}  # --steps counts on the 1000
ONLY |= {"beta_schedule": [*POWERS], "prediction_type": PREDICTIONS}
ONLY |= {"trained_betas": [None], "rescale_betas_zero_snr": [False]}
# Not asked: names and shapes show it, or (the last two) torch's attention does so anyway.
SHOWN = """
    in_channels out_channels latent_channels conv_in_kernel conv_out_kernel down_block_types
    up_block_types mid_block_type mid_block_add_attention attention_type resnet_time_scale_shift
    time_embedding_type transformer_layers_per_block addition_embed_type_num_heads
    use_linear_projection use_quant_conv use_post_quant_conv upcast_attention force_upcast
""".split()
# No model has more. The sizes of tensors need no limit: they are compared with the files'.
MOST = {"layers_per_block": 16, "num_hidden_layers": 200, "sample_size": 4096}
MOST |= {"beta_start": 0.999, "beta_end": 0.999}


def arguments(part: str, config: dict, file: str | Path = "") -> dict:
    """The constructor arguments of a part; UserError names the file and the key it refuses."""
    file = file or CONFIGS[part]
    if not isinstance(config, dict):
        raise UserError(f"{file}: no config of the {part} tower in it; get it again")
    for key, value in config.items():
        if not acceptable(part, key, value):
            said = f"{key} = {reprlib.repr(value)}"
            raise UserError(f"{file}: {said} is not Stable Diffusion 1 or 2; nothing was loaded")
    found = {key: config.get(key, default) for key, default in DEFAULTS[part].items()}
    heads, widths = [found.get("num_attention_heads", 1)], [found.get("hidden_size", 1)]
    if part == "unet":
        types, heads = found.pop("down_block_types"), found.pop("attention_head_dim")
        # Their number, in spite of the name.
        heads = heads if isinstance(heads, list) else [heads] * len(types)
        found |= {"heads": heads, "attentive": ["CrossAttn" in name for name in types]}
        widths = found["block_out_channels"]
    if any(width % count for width, count in zip(widths, heads)):  # which no tensor shows
        raise UserError(f"{file}: heads {heads} do not divide the widths {widths}; get it again")
    return found


def acceptable(part: str, key: str, value: object) -> bool:
    """Whether a key of a part's config may have this value."""
    if key in ONLY:
        # The types as well: Python says True == 1 == 1.0, JSON does not.
        return (type(value), value) in [(type(one), one) for one in ONLY[key]]
    if key in DEFAULTS[part]:
        default = DEFAULTS[part][key]
        if key == "attention_head_dim" and isinstance(value, list):
            default = [default]
        return alike(value, default, MOST.get(key, math.inf))
    if key == "sample_size":
        return value is None or alike(value, 64, MOST[key])
    # UNets and VAEs come in more kinds than Stable Diffusion's: what is unknown has to be off.
    off = value in (None, False) or key[:1] == "_"
    return off or part not in ("unet", "vae") or key in SHOWN


def alike(value: object, default: object, most: float) -> bool:
    """Whether a value is of its default's type; numbers must be above 0, and at most `most`."""
    if isinstance(default, list):
        is_list = isinstance(value, list) and 0 < len(value) <= 8  # so many resolutions
        return is_list and all(alike(item, default[0], most) for item in value)
    if type(default) in (int, float):
        of_type = type(value) is int or type(value) is type(default)
        return of_type and 0 < value <= most and value != math.inf
    return type(value) is type(default)
