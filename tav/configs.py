"""`config.json` -> constructor arguments (lesson 06).

Real configs are of many ages. A key that an old file lacks has its library's default; a key that newer
files add is fine while it is off, or says what Stable Diffusion 1 and 2 do anyway; any other value is
refused by name, because a model built otherwise would load and draw nonsense.
"""

from .errors import UserError

# What builds a part: each key that counts, with the default of diffusers' or transformers' class.
UNET = {
    "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1280,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "use_linear_projection": False,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, "norm_num_groups": 32, "in_channels": 4,
    "out_channels": 4,
}  # fmt: skip
VAE = {
    "block_out_channels": [64], "layers_per_block": 1, "down_block_types": ["DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D"], "latent_channels": 4, "norm_num_groups": 32, "scaling_factor": 0.18215,
    "in_channels": 3, "out_channels": 3,
}  # fmt: skip
TEXT_ENCODER = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
}  # fmt: skip
SCHEDULER = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "steps_offset",
             "set_alpha_to_one")  # fmt: skip

# What Stable Diffusion 1 and 2 are. A config may repeat it, but not contradict it.
FIXED = {
    "act_fn": "silu", "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0, "norm_eps": 1e-5,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "downsample_padding": 1, "mid_block_scale_factor": 1,
    "resnet_time_scale_shift": "default", "resnet_out_scale_factor": 1.0, "time_embedding_type": "positional",
    "transformer_layers_per_block": 1, "conv_in_kernel": 3, "conv_out_kernel": 3, "attention_type": "default",
    "layer_norm_eps": 1e-5, "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True,
}  # fmt: skip

# Keys that change nothing here: provenance, training-time switches, sizes of what SD does not use, and
# `upcast_attention` (SD 2.1), since scaled_dot_product_attention keeps its softmax in fp32 in any dtype.
SILENT = {
    "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "initializer_factor",
    "initializer_range", "dropout", "attention_dropout", "use_cache", "bos_token_id", "eos_token_id", "pad_token_id",
    "projection_dim", "addition_embed_type_num_heads", "sample_size", "force_upcast", "upcast_attention",
}  # fmt: skip


def read(config: dict, own: dict, part: str) -> dict:
    """The keys of `own`, from the config or by default; UserError, by name, if another asks for something else."""
    for key, value in config.items():
        if key in SILENT or key.startswith("_"):
            fine = True
        elif key in FIXED:
            fine = value == FIXED[key]
        elif key in own:
            fine = value is None or type(value) is type(own[key])
        else:
            fine = value is None or value is False
        if not fine:
            raise UserError(f"{part}/config.json: {key} = {value!r} is not Stable Diffusion 1 or 2; nothing was loaded")
    return {key: default if config.get(key) is None else config[key] for key, default in own.items()}


def block_types(found: dict, known: dict[str, str], part: str) -> list[str]:
    """Takes the block types out of `found`; returns those of the way down. `known`: type down -> type up."""
    downs, ups = found.pop("down_block_types"), found.pop("up_block_types")
    for name in downs + ups:
        if name not in [*known, *known.values()]:
            raise UserError(f"{part}/config.json: unknown block type {name!r}; known: {', '.join(known)} and their ups")
    if ups != [known[name] for name in reversed(downs)] or len(downs) != len(found["block_out_channels"]):
        raise UserError(f"{part}/config.json: the block types down, up and block_out_channels do not match")
    return downs


def unet(config: dict) -> dict:
    """Arguments of UNet2DConditionModel. `attention_head_dim` is the number of heads, whatever it says."""
    heads = config.get("attention_head_dim", 8)
    found = read({key: config[key] for key in config if key != "attention_head_dim"}, UNET, "unet")
    types = block_types(found, {"CrossAttnDownBlock2D": "CrossAttnUpBlock2D", "DownBlock2D": "UpBlock2D"}, "unet")
    found["attentive"] = [name == "CrossAttnDownBlock2D" for name in types]
    found["heads"] = heads if isinstance(heads, list) else [heads] * len(types)
    if len(found["heads"]) != len(types):
        raise UserError(f"unet/config.json: attention_head_dim = {heads} does not give heads for {len(types)} blocks")
    found["linear_projection"] = found.pop("use_linear_projection")
    return found


def vae(config: dict) -> dict:
    """Arguments of AutoencoderKL."""
    found = read(config, VAE, "vae")
    block_types(found, {"DownEncoderBlock2D": "UpDecoderBlock2D"}, "vae")
    return found


def text_encoder(config: dict) -> dict:
    """Arguments of CLIPTextModel."""
    found = read(config, TEXT_ENCODER, "text_encoder")
    if found["hidden_act"] not in ("quick_gelu", "gelu"):
        raise UserError(f"text_encoder/config.json: unknown hidden_act {found['hidden_act']!r}; known: quick_gelu, gelu")
    return found


def scheduler(config: dict) -> dict:
    """Arguments of Schedule. Whichever scheduler the folder names, only its noise levels count here."""
    for key in ("trained_betas", "rescale_betas_zero_snr"):  # noise levels that SD 1 and 2 do not have
        if config.get(key):
            raise UserError(f"scheduler_config.json: {key} = {config[key]!r} is not Stable Diffusion 1 or 2")
    return {key: config[key] for key in SCHEDULER if config.get(key) is not None}
