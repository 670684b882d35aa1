"""What the config files say -> constructor arguments (lesson 06).

A key that an old file lacks has its library's default. One that newer files add is fine while it is off or says what
Stable Diffusion 1 and 2 do anyway; any other value is refused, because such a model would load and draw nonsense.
"""

from .errors import UserError
from .files import CONFIGS

# What builds a part: each key that counts, with its library's default. The scheduler's are Stable Diffusion's.
OWN = {
    "unet": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1280,
             "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "norm_num_groups": 32},
    "vae": {"block_out_channels": [64], "layers_per_block": 1, "norm_num_groups": 32, "scaling_factor": 0.18215},
    "text_encoder": {"vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
                     "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu"},
    "scheduler": {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
                  "beta_schedule": "scaled_linear", "prediction_type": "epsilon", "set_alpha_to_one": False},
}  # fmt: skip

# What Stable Diffusion 1 and 2 are: the values that a key, or each item of its list, may have.
KNOWN = {
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D", "UpDecoderBlock2D"],
    "mid_block_type": ["UNetMidBlock2DCrossAttn"], "mid_block_add_attention": [True], "mid_block_scale_factor": [1],
    "in_channels": [4, 3], "out_channels": [4, 3], "latent_channels": [4],  # of latents 4, of pictures 3
    "attention_head_dim": range(1, 65), "transformer_layers_per_block": [1], "attention_type": ["default"],
    "hidden_act": ["quick_gelu", "gelu"], "act_fn": ["silu"], "norm_eps": [1e-5], "layer_norm_eps": [1e-5],
    "resnet_time_scale_shift": ["default"], "resnet_out_scale_factor": [1], "time_embedding_type": ["positional"],
    "flip_sin_to_cos": [True], "downsample_padding": [1], "conv_in_kernel": [3], "conv_out_kernel": [3],
    "use_quant_conv": [True], "use_post_quant_conv": [True], "addition_embed_type_num_heads": [64],
    "use_linear_projection": [True, False],  # the tensors show it
    "force_upcast": [True, False], "upcast_attention": [True, False],  # torch's attention has its scores in fp32 anyway
    "trained_betas": [None], "rescale_betas_zero_snr": [False]}  # fmt: skip


def arguments(part: str, config: dict) -> dict:
    """The constructor arguments of "unet", "vae", "text_encoder" or "scheduler". UserError names what is refused."""
    own, strict = OWN[part], part in ("unet", "vae")  # which come in more kinds than Stable Diffusion's
    for key, value in config.items():
        if key in KNOWN:
            fine = all(item in KNOWN[key] for item in (value if isinstance(value, list) else [value]))
        elif key in own:
            fine = isinstance(value, (type(own[key]), int))  # a whole number may stand for a float
        else:
            fine = not strict or value in (None, False) or key[:1] == "_" or (key, type(value)) == ("sample_size", int)
        if not fine:
            raise UserError(f"{CONFIGS[part]}: {key} = {value!r} is not Stable Diffusion 1 or 2; nothing was loaded")
    found = {key: config.get(key, default) for key, default in own.items()}
    if part == "unet":
        types, heads = found.pop("down_block_types"), config.get("attention_head_dim", 8)  # their number, not size
        found["heads"] = heads if isinstance(heads, list) else [heads] * len(types)
        if not len(found["block_out_channels"]) == len(types) == len(found["heads"]):
            raise ValueError("the UNet's block_out_channels, down_block_types and attention_head_dim disagree")
        found["attentive"] = ["CrossAttn" in name for name in types]
    return found
