"""`config.json` -> constructor arguments (lesson 06).

Real configs are of many ages. A key that an old file lacks has the default of its day; a key that newer
files add is fine while it says what Stable Diffusion 1 and 2 do anyway; any other value is refused by
name, because a model built otherwise would load and draw nonsense.
"""

from .errors import UserError

# Keys that change nothing here: provenance, training-time switches, and `upcast_attention` (SD 2.1), since
# scaled_dot_product_attention keeps its softmax in fp32 in any dtype.
SILENT = {"sample_size", "upcast_attention", "force_upcast", "dropout", "attention_dropout", "architectures",
          "initializer_factor", "initializer_range", "model_type", "torch_dtype", "dtype", "transformers_version",
          "use_cache", "bos_token_id", "eos_token_id", "pad_token_id", "projection_dim", "norm_eps",
          "skip_prk_steps", "clip_sample", "clip_sample_range", "timestep_spacing", "thresholding",
          "dynamic_thresholding_ratio", "sample_max_value", "rescale_betas_zero_snr", "variance_type",
          "latents_mean", "latents_std"}  # fmt: skip

# What Stable Diffusion 1 and 2 are. A config may repeat it, but not contradict it.
FIXED = {
    "act_fn": "silu", "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0, "norm_eps": 1e-5,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "downsample_padding": 1, "mid_block_scale_factor": 1,
    "resnet_time_scale_shift": "default", "resnet_out_scale_factor": 1.0, "time_embedding_type": "positional",
    "transformer_layers_per_block": 1, "conv_in_kernel": 3, "conv_out_kernel": 3, "attention_type": "default",
    "layer_norm_eps": 1e-5, "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True,
}  # fmt: skip


def checked(config: dict, own: set[str], what: str) -> dict:
    """The keys of `config` that are in `own`; UserError, by name, if another key asks for something else."""
    for key, value in config.items():
        if key in own or key in SILENT or key.startswith("_") or value is None or value is False:
            continue
        if key not in FIXED or value != FIXED[key]:
            raise UserError(f"{what} config.json: {key} = {value!r} is not Stable Diffusion 1 or 2; nothing was loaded")
    return {key: config[key] for key in own if key in config}


def block_types(types: list[str], known: dict[str, bool], what: str) -> list[bool]:
    """Whether each block has attention, from its type's name."""
    for name in types:
        if name not in known:
            raise UserError(f"{what} config.json: unknown block type {name!r}; known are {', '.join(known)}")
    return [known[name] for name in types]


def unet(config: dict) -> dict:
    """Arguments of UNet2DConditionModel. Its `attention_head_dim` is the number of heads, whatever it says."""
    own = {"block_out_channels", "layers_per_block", "cross_attention_dim", "norm_num_groups", "in_channels"}
    own |= {"out_channels", "attention_head_dim", "use_linear_projection", "down_block_types", "up_block_types"}
    found = checked(config, own, "unet")
    channels = found.get("block_out_channels", [320, 640, 1280, 1280])
    downs = found.pop("down_block_types", ["CrossAttnDownBlock2D"] * (len(channels) - 1) + ["DownBlock2D"])
    ups = found.pop("up_block_types", ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (len(channels) - 1))
    attentive = block_types(downs, {"CrossAttnDownBlock2D": True, "DownBlock2D": False}, "unet")
    if block_types(ups, {"CrossAttnUpBlock2D": True, "UpBlock2D": False}, "unet") != attentive[::-1]:
        raise UserError("unet config.json: up_block_types is not the mirror image of down_block_types")
    heads = found.pop("attention_head_dim", 8)
    heads = heads if isinstance(heads, list) else [heads] * len(channels)
    linear = found.pop("use_linear_projection", False)
    defaults = {"block_out_channels": channels, "layers_per_block": 2, "cross_attention_dim": 768}
    return defaults | found | {"heads": heads, "attentive": attentive, "linear_projection": linear}


def vae(config: dict) -> dict:
    """Arguments of AutoencoderKL."""
    own = {"block_out_channels", "layers_per_block", "latent_channels", "norm_num_groups", "scaling_factor"}
    own |= {"in_channels", "out_channels", "down_block_types", "up_block_types"}
    found = checked(config, own, "vae")
    block_types(found.pop("down_block_types", []), {"DownEncoderBlock2D": False}, "vae")
    block_types(found.pop("up_block_types", []), {"UpDecoderBlock2D": False}, "vae")
    return {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2} | found


def text_encoder(config: dict) -> dict:
    """Arguments of CLIPTextModel."""
    own = {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}
    own |= {"max_position_embeddings", "hidden_act"}
    found = checked(config, own, "text_encoder")
    if found.setdefault("hidden_act", "quick_gelu") not in ("quick_gelu", "gelu"):
        raise UserError(f"text_encoder config.json: unknown hidden_act {found['hidden_act']!r}")
    return found


def scheduler(config: dict) -> dict:
    """Arguments of Schedule. Whichever scheduler the folder names, only its noise levels count here."""
    own = {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type"}
    found = checked(config, own | {"steps_offset", "set_alpha_to_one"}, "scheduler")
    for key, known in {"prediction_type": ("epsilon", "v_prediction"), "beta_schedule": ("scaled_linear", "linear")}.items():
        if found.get(key, known[0]) not in known:
            raise UserError(f"scheduler config: unknown {key} {found[key]!r}; known are {', '.join(known)}")
    return found
