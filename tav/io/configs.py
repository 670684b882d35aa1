"""What the configs of a model say: the arguments of its modules, each one checked (lesson 06)."""

from PIL import Image

from ..metrics import MEAN, STD
from ..schedule import POWERS, PREDICTIONS
from .checks import Either, Flag, ListOf, OneOf, Real, Whole
from .cli import UserError
from .files import CONFIGS

# What builds a part: each key that counts, with its library's default. The scheduler's are Stable
# Diffusion's.
DEFAULTS = {
    "unet": {
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "cross_attention_dim": 1280,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "norm_num_groups": 32,
    },
    "vae": {
        "block_out_channels": [64],
        "layers_per_block": 1,
        "norm_num_groups": 32,
        "scaling_factor": 0.18215,
    },
    "text_encoder": {
        "vocab_size": 49408,
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
    },
    "scheduler": {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "steps_offset": 1,
        "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon",
        "set_alpha_to_one": False,
    },
}

MOST_LEVELS = 8  # resolutions of a UNet or a VAE
DOWN = OneOf("CrossAttnDownBlock2D", "DownBlock2D", "DownEncoderBlock2D")
UP = OneOf("CrossAttnUpBlock2D", "UpBlock2D", "UpDecoderBlock2D")
# What a key may say. Of some, any other value would mean another model, which would draw nonsense;
# beyond the ends of the numbers no model is known, and some would take all memory.
KINDS = {
    "block_out_channels": ListOf(Whole(1, 16384), MOST_LEVELS),
    "down_block_types": ListOf(DOWN, MOST_LEVELS),
    "up_block_types": ListOf(UP, MOST_LEVELS),
    "attention_head_dim": Either(Whole(1, 64), ListOf(Whole(1, 64), MOST_LEVELS)),
    "layers_per_block": Whole(1, 16),
    "cross_attention_dim": Whole(1, 65536),
    "norm_num_groups": Whole(1, 1024),
    "sample_size": Whole(1, 4096),
    "in_channels": OneOf(4, 3),  # of latents, of pictures
    "out_channels": OneOf(4, 3),
    "latent_channels": OneOf(4),
    "scaling_factor": Real(1e-6, 1e6),
    "mid_block_type": OneOf("UNetMidBlock2DCrossAttn"),
    "mid_block_add_attention": OneOf(True),
    "mid_block_scale_factor": OneOf(1),
    "transformer_layers_per_block": OneOf(1),
    "attention_type": OneOf("default"),
    "act_fn": OneOf("silu"),
    "norm_eps": OneOf(1e-5),
    "resnet_time_scale_shift": OneOf("default"),
    "resnet_out_scale_factor": OneOf(1),
    "time_embedding_type": OneOf("positional"),
    "flip_sin_to_cos": OneOf(True),
    "downsample_padding": OneOf(1),
    "conv_in_kernel": OneOf(3),
    "conv_out_kernel": OneOf(3),
    "use_quant_conv": OneOf(True),
    "use_post_quant_conv": OneOf(True),
    "use_linear_projection": Flag(),  # the tensors show it
    "force_upcast": Flag(),  # torch's attention has its scores in fp32 anyway
    "upcast_attention": Flag(),
    "addition_embed_type_num_heads": OneOf(64),
    "vocab_size": Whole(1, 10_000_000),
    "hidden_size": Whole(1, 65536),
    "intermediate_size": Whole(1, 262144),
    "num_hidden_layers": Whole(1, 200),
    "num_attention_heads": Whole(1, 1024),
    "max_position_embeddings": Whole(3, 65536),
    "hidden_act": OneOf("quick_gelu", "gelu"),
    "layer_norm_eps": OneOf(1e-5),
    "projection_dim": Whole(1, 65536),  # these three of CLIP
    "image_size": Whole(1, 8192),
    "patch_size": Whole(1, 8192),
    "num_train_timesteps": OneOf(1000),  # --steps counts on it
    "beta_start": Real(1e-9, 0.999),
    "beta_end": Real(1e-9, 0.999),
    "beta_schedule": OneOf(*POWERS),
    "prediction_type": OneOf(*PREDICTIONS),
    "steps_offset": Whole(0, 1),
    "set_alpha_to_one": Flag(),
    "trained_betas": OneOf(None),
    "rescale_betas_zero_snr": OneOf(False),
}


def arguments(part: str, config: dict) -> dict:
    """The constructor arguments of "unet", "vae", "text_encoder" or "scheduler".

    UserError names the key whose value is refused; ValueError says what does not go together.
    """
    for key, value in config.items():
        if not acceptable(part, key, value):
            said = f"{key} = {repr(value)[:80]}"
            what = f"{CONFIGS[part]}: {said} is not Stable Diffusion 1 or 2"
            raise UserError(f"{what}; nothing was loaded")
    found = {key: config.get(key, default) for key, default in DEFAULTS[part].items()}
    if part == "unet":
        types = found.pop("down_block_types")
        heads = config.get("attention_head_dim", 8)  # their number, in spite of the name
        found["heads"] = heads if isinstance(heads, list) else [heads] * len(types)
        found["attentive"] = ["CrossAttn" in name for name in types]
        if not len(found["block_out_channels"]) == len(types) == len(found["heads"]):
            names = "block_out_channels, down_block_types and attention_head_dim"
            raise ValueError(f"the UNet's {names} disagree")
    return found


def check_sizes(sizes: dict[str, dict]) -> None:
    """ValueError if the arguments of the parts, by name, do not go together."""
    unet, vae, text = sizes["unet"], sizes["vae"], sizes["text_encoder"]
    if unet["cross_attention_dim"] != text["hidden_size"]:
        raise ValueError("the UNet's cross_attention_dim is not the text encoder's hidden_size")
    pairs = list(zip(unet["heads"], unet["block_out_channels"]))
    pairs += [
        (part["norm_num_groups"], c) for part in (unet, vae) for c in part["block_out_channels"]
    ]
    pairs.append((text["num_attention_heads"], text["hidden_size"]))
    for count, width in pairs:
        if width % count:
            raise ValueError(
                f"heads or groups are {count}, which does not divide a width of {width}"
            )


def acceptable(part: str, key: str, value) -> bool:
    """Whether a key of a config may have this value; keys that do nothing here may have any."""
    kind = KINDS.get(key)
    if kind is None:
        # UNets and VAEs come in more kinds than Stable Diffusion's: what is unknown has to be off.
        return part not in ("unet", "vae") or value in (None, False) or key.startswith("_")
    off = value is None and key not in DEFAULTS[part] and not isinstance(kind, OneOf)
    return off or value in kind


# In the configs of a CLIP with both towers: what may not differ from OpenAI's CLIP.
FIXED = {
    "image_mean": MEAN,
    "image_std": STD,
    "resample": Image.Resampling.BICUBIC,
    "layer_norm_eps": 1e-5,
}
# The image tower's sizes where a config names none and the text tower's default is another.
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
}


def check_clip(pictures: dict, text: dict, vision: dict, width: object) -> None:
    """ValueError for what is not as in OpenAI's CLIP, or has a size that no CLIP has.

    `pictures` is how it wants its pictures, `text` and `vision` are the towers' configs, `width` is
    that of the space they share.
    """
    settings = [*pictures.items(), *text.items(), *vision.items(), ("projection_dim", width)]
    for key, value in settings:
        fixed = FIXED.get(key, value) == value
        if not fixed or (key in KINDS and not acceptable("text_encoder", key, value)):
            raise ValueError({key: value})
    for tower in (text, vision):
        if tower["hidden_size"] % tower["num_attention_heads"]:
            raise ValueError(f"num_attention_heads {tower['num_attention_heads']} do not divide")
    if vision["patch_size"] > vision["image_size"]:
        raise ValueError("a patch_size larger than the image_size")
