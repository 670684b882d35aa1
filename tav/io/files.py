"""The files of a model, in a folder or on the hub, and what its configs say; nothing pickled
(lesson 06)."""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import huggingface_hub
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .cli import UserError


def tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Each name and tensor of a safetensors file, mapped from disk, not copied; UserError if it is
    damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        advice = (
            "get it again; one that a run made, delete, and continue the run with tune.py --resume"
        )
        raise UserError(f"{path}: not a whole safetensors file ({error}); {advice}") from None


def read_json(path: Path) -> dict:
    """The object in a JSON file; UserError if there is none."""
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    except (
        OSError,
        ValueError,
        TypeError,
    ) as error:  # cannot be read, not UTF-8 or not JSON, no object
        raise UserError(f"{path}: cannot be read as JSON ({error}); get it again") from None


def need(folder: Path, name: str) -> Path:
    """The file of that name; UserError if there is none."""
    if not (folder / name).is_file():
        raise UserError(f"{folder}: no {name} in it; see weights/README.md for what belongs there")
    return folder / name


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


STEMS = {part: f"{part}/diffusion_pytorch_model" for part in ("vae", "unet")} | {
    "text_encoder": "text_encoder/model"
}
ENDS = (".safetensors", "-*-of-*.safetensors")  # a part's whole file, or its shards
VARIANTS = {
    False: ("", ".fp16"),
    True: (".fp16", ""),
}  # by whether half precision is wanted: what comes first
CONFIGS = {part: f"{part}/config.json" for part in STEMS} | {
    "scheduler": "scheduler/scheduler_config.json"
}
SMALL = [*CONFIGS.values(), "tokenizer/*.json", "tokenizer/merges.txt", "tav.json"]


def weight_files(folder: Path, part: str, half: bool) -> list[Path]:
    """The safetensors of a part: the whole file or, if there is none, its shards."""
    for variant, end in product(VARIANTS[half], ENDS):
        if files := sorted(folder.glob(STEMS[part] + variant + end)):
            return files
    raise UserError(
        f"{folder}: no {STEMS[part]}.safetensors in it (pickled weights are never loaded); get that file"
    )


def fetched(name: str, half: bool) -> Path:
    """The local copy of a hub repository: only files that are needed, in one precision, fetched
    only once."""
    if (
        not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(?<!\.safetensors)", name)
        or Path(name).parent.exists()
    ):
        raise UserError(
            f"{name}: no such weights folder or file; see weights/README.md for where to get one"
        )
    for variant in VARIANTS[half]:
        wanted = [[stem + variant + end for end in ENDS] for stem in STEMS.values()]
        try:
            folder = Path(
                huggingface_hub.snapshot_download(name, allow_patterns=SMALL + sum(wanted, []))
            )
        except (
            Exception
        ) as error:  # of many kinds: offline, no such repository, one behind a licence, a full disk
            raise UserError(
                f"{name}: no such folder here, and the hub does not give it: {error}"
            ) from None
        if all(any(file for pattern in ends for file in folder.glob(pattern)) for ends in wanted):
            break
    return folder


# What builds a part: each key that counts, with its library's default. The scheduler's are Stable
# Diffusion's.
OWN = {
    "unet": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1280,
             "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "norm_num_groups": 32},
    "vae": {"block_out_channels": [64], "layers_per_block": 1, "norm_num_groups": 32, "scaling_factor": 0.18215},
    "text_encoder": {"vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
                     "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu"},
    "scheduler": {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
                  "beta_schedule": "scaled_linear", "prediction_type": "epsilon", "set_alpha_to_one": False},
}  # fmt: skip

# What a key, or each item of its list, may say: any other model would draw nonsense. Newer keys are
# fine while off.
KNOWN = {
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D", "UpDecoderBlock2D"],
    "mid_block_type": ["UNetMidBlock2DCrossAttn"], "mid_block_add_attention": [True], "mid_block_scale_factor": [1],
    # of latents 4, of pictures 3
    "in_channels": [4, 3], "out_channels": [4, 3], "latent_channels": [4],
    "attention_head_dim": range(1, 65), "transformer_layers_per_block": [1], "attention_type": ["default"],
    "hidden_act": ["quick_gelu", "gelu"], "act_fn": ["silu"], "norm_eps": [1e-5], "layer_norm_eps": [1e-5],
    "resnet_time_scale_shift": ["default"], "resnet_out_scale_factor": [1], "time_embedding_type": ["positional"],
    "flip_sin_to_cos": [True], "downsample_padding": [1], "conv_in_kernel": [3], "conv_out_kernel": [3],
    # tensors show it
    "use_quant_conv": [True], "use_post_quant_conv": [True], "use_linear_projection": [True, False],
    # torch's attention has its scores in fp32 anyway
    "force_upcast": [True, False], "upcast_attention": [True, False],
    "trained_betas": [None], "rescale_betas_zero_snr": [False], "addition_embed_type_num_heads": [64]}  # fmt: skip


def arguments(part: str, config: dict) -> dict:
    """The constructor arguments of "unet", "vae", "text_encoder" or "scheduler". UserError names
    what is refused."""
    own, strict = (
        OWN[part],
        part in ("unet", "vae"),
    )  # which come in more kinds than Stable Diffusion's
    for key, value in config.items():
        if key in KNOWN:
            fine = all(
                item in KNOWN[key] for item in (value if isinstance(value, list) else [value])
            )
        elif key in own:
            fine = isinstance(value, (type(own[key]), int))  # a whole number may stand for a float
        else:
            fine = (
                not strict
                or value in (None, False)
                or key[:1] == "_"
                or (key, type(value)) == ("sample_size", int)
            )
        if not fine:
            raise UserError(
                f"{CONFIGS[part]}: {key} = {value!r} is not Stable Diffusion 1 or 2; nothing was loaded"
            )
    found = {key: config.get(key, default) for key, default in own.items()}
    if part == "unet":
        types, heads = (
            found.pop("down_block_types"),
            config.get("attention_head_dim", 8),
        )  # their number, not size
        found["heads"] = heads if isinstance(heads, list) else [heads] * len(types)
        if not len(found["block_out_channels"]) == len(types) == len(found["heads"]):
            raise ValueError(
                "the UNet's block_out_channels, down_block_types and attention_head_dim disagree"
            )
        found["attentive"] = ["CrossAttn" in name for name in types]
    return found
