"""`config.json` -> constructor arguments, `scheduler_config.json` -> schedule (lesson 06).

Real configs are of many ages. A key that an old file lacks has its library's default; a key that newer
files add is fine while it is off, or says what Stable Diffusion 1 and 2 do anyway; any other value is
refused by name, because a model built otherwise would load and draw nonsense.
"""

from .errors import UserError
from .schedule import Schedule

# What builds a part: each key that counts, with the default of diffusers' or transformers' class.
OWN = {
    "unet": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1280,
             "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "use_linear_projection": False,
             "norm_num_groups": 32, "in_channels": 4, "out_channels": 4},
    "vae": {"block_out_channels": [64], "layers_per_block": 1, "latent_channels": 4, "norm_num_groups": 32,
            "scaling_factor": 0.18215, "in_channels": 3, "out_channels": 3},
    "text_encoder": {"vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
                     "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu"},
}  # fmt: skip
SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "steps_offset",
            "set_alpha_to_one")  # fmt: skip

# What Stable Diffusion 1 and 2 are. A config may repeat it, but not contradict it.
FIXED = {
    "act_fn": "silu", "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0, "norm_eps": 1e-5,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "downsample_padding": 1, "mid_block_scale_factor": 1,
    "resnet_time_scale_shift": "default", "resnet_out_scale_factor": 1.0, "time_embedding_type": "positional",
    "transformer_layers_per_block": 1, "conv_in_kernel": 3, "conv_out_kernel": 3, "attention_type": "default",
    "layer_norm_eps": 1e-5, "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True,
}  # fmt: skip
CHOICES = {  # of these words, a key has one, or a list of them
    "down_block_types": {"CrossAttnDownBlock2D", "DownBlock2D", "DownEncoderBlock2D"},
    "up_block_types": {"CrossAttnUpBlock2D", "UpBlock2D", "UpDecoderBlock2D"},
    "hidden_act": {"quick_gelu", "gelu"},
}

# Keys that change nothing here: provenance, training-time switches, sizes of what SD does not use, and
# `upcast_attention` (SD 2.1), since scaled_dot_product_attention keeps its softmax in fp32 in any dtype.
# `attention_head_dim` is read apart.
SILENT = {
    "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "initializer_factor",
    "initializer_range", "dropout", "attention_dropout", "use_cache", "bos_token_id", "eos_token_id", "pad_token_id",
    "projection_dim", "addition_embed_type_num_heads", "sample_size", "force_upcast", "upcast_attention",
    "attention_head_dim",
}  # fmt: skip


def arguments(part: str, config: dict) -> dict:
    """The constructor arguments of a part: "unet", "vae" or "text_encoder". UserError names what is refused."""
    own = OWN[part]
    for key, value in config.items():
        if key in FIXED:
            fine = value == FIXED[key]
        elif key in CHOICES:
            fine = set(value if isinstance(value, list) else [value]) <= CHOICES[key]
        elif key in own:
            fine = type(value) is type(own[key])
        else:
            fine = value in (None, False) or key in SILENT or key.startswith("_")
        if not fine:
            raise UserError(f"{part}/config.json: {key} = {value!r} is not Stable Diffusion 1 or 2; nothing was loaded")
    found = {key: config.get(key, default) for key, default in own.items()}
    return unet(found, config.get("attention_head_dim", 8)) if part == "unet" else found


def unet(found: dict, heads: int | list[int]) -> dict:
    """Where there is attention, and with how many heads: `attention_head_dim` gives their number, whatever it says."""
    levels, types = len(found["block_out_channels"]), found.pop("down_block_types")
    heads = heads if isinstance(heads, list) else [heads] * levels
    if not len(heads) == len(types) == levels:
        raise UserError("unet/config.json: block_out_channels, down_block_types, attention_head_dim differ in length")
    linear = found.pop("use_linear_projection")
    return found | {"heads": heads, "attentive": ["CrossAttn" in t for t in types], "linear_projection": linear}


def schedule(config: dict) -> Schedule:
    """The noise schedule. Whichever scheduler the folder names, only its noise levels count here."""
    for key in ("trained_betas", "rescale_betas_zero_snr"):  # noise levels that SD 1 and 2 do not have
        if config.get(key):
            raise UserError(f"scheduler_config.json: {key} = {config[key]!r} is not Stable Diffusion 1 or 2")
    try:
        return Schedule(**{key: config[key] for key in SCHEDULE if config.get(key) is not None})
    except ValueError as error:
        raise UserError(f"scheduler_config.json: {error}") from None
