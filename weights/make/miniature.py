"""The miniature's sizes, and the config files that say them in the diffusers layout."""

TOKENS = 32  # longest caption, with its start and end
SIZE = 128  # pixels
JOINT = 128  # width of the space that CLIP's towers share

VAE = {"block_out_channels": [32, 64, 128, 160], "layers_per_block": 1, "norm_num_groups": 16}
TOWER = {
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "hidden_act": "quick_gelu",
}
TEXT = TOWER | {"max_position_embeddings": TOKENS}
VISION = TOWER | {"image_size": SIZE, "patch_size": 16}
UNET = {
    "block_out_channels": [128, 192, 192],
    "layers_per_block": 1,
    "heads": [4, 4, 4],
    "attentive": [True, True, True],
    "cross_attention_dim": TEXT["hidden_size"],
    "norm_num_groups": 16,
}
LEVELS = len(UNET["block_out_channels"])

VAE_CONFIG = {
    "_class_name": "AutoencoderKL",
    **VAE,
    "act_fn": "silu",
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "sample_size": SIZE,
    "scaling_factor": 0.18215,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
UNET_CONFIG = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "attention_head_dim": UNET["heads"][0],  # the number of heads, as in Stable Diffusion 1
    "block_out_channels": UNET["block_out_channels"],
    "center_input_sample": False,
    "cross_attention_dim": UNET["cross_attention_dim"],
    "down_block_types": [f"{'CrossAttn' * a}DownBlock2D" for a in UNET["attentive"]],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": UNET["layers_per_block"],
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": UNET["norm_num_groups"],
    "out_channels": 4,
    "sample_size": SIZE // 8,
    "up_block_types": [f"{'CrossAttn' * a}UpBlock2D" for a in reversed(UNET["attentive"])],
    "use_linear_projection": True,
}
TEXT_CONFIG = {
    "architectures": ["CLIPTextModel"],
    "model_type": "clip_text_model",
    "layer_norm_eps": 1e-05,
    "projection_dim": JOINT,
    "torch_dtype": "float32",  # in which diffusers makes the other parts where nothing is asked for
}
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": SIZE},
    "crop_size": {"height": SIZE, "width": SIZE},
    "resample": 3,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
DEFAULTS = {  # tav.json: what tune.py and sample.py do with these weights when not told otherwise
    "note": "weights: the miniature, which knows only its drawn world; "
    "--weights takes Stable Diffusion",
    "tune": {"frames": 16, "stride": 1, "steps": 120, "lr": 3e-4},
    "sample": {
        "steps": 25,
        "guidance": 5.0,
        "prompts": [
            "mickey mouse is skiing on the snow",
            "spider man is skiing on the beach, cartoon style",
            "wonder woman, wearing a cowboy hat, is skiing",
            "a man, wearing pink clothes, is skiing at sunset",
        ],
    },
}


def text_config(vocab: dict[str, int], start: int, end: int) -> dict:
    """config.json of the folder `text_encoder/`; `start` and `end` are tokens."""
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    return TEXT_CONFIG | TEXT | {"vocab_size": len(vocab)} | ids


def clip_config(text: dict) -> dict:
    """config.json of the folder `clip/`: both towers, as transformers' CLIPModel has it."""
    vision = {"model_type": "clip_vision_model", "layer_norm_eps": 1e-05, "projection_dim": JOINT}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": JOINT,
        "torch_dtype": "float32",
        "text_config": text,
        "vision_config": vision | VISION,
    }
