"""Tiny Stable Diffusions in the diffusers layout, with random weights: what tests run on."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save_file

from tav.io.vocabulary import CLIP_TOKENIZER
from tav.text import CLIPTextModel
from tav.unet import UNet2DConditionModel
from tav.vae import AutoencoderKL

TEXT = {
    "vocab_size": 49408,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "max_position_embeddings": 77,
}
VAE = {
    "block_out_channels": [32, 32],
    "layers_per_block": 1,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
}
UNET = {"block_out_channels": [64, 64], "layers_per_block": 1, "cross_attention_dim": 64}


def configs(sd2: bool = False) -> dict[str, dict]:
    """The config.json of each part, as Stable Diffusion 1 or 2 writes them."""
    text = TEXT | {"hidden_act": "gelu" if sd2 else "quick_gelu", "model_type": "clip_text_model"}
    vae = VAE | {"_class_name": "AutoencoderKL", "act_fn": "silu", "latent_channels": 4}
    unet = UNET | {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 8,
        "attention_head_dim": [1, 1] if sd2 else 8,
        "use_linear_projection": sd2,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    scheduler = {
        "_class_name": "PNDMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "steps_offset": 1,
    }
    scheduler |= {
        "beta_schedule": "scaled_linear",
        "skip_prk_steps": True,
        "set_alpha_to_one": False,
    }
    scheduler |= {"prediction_type": "v_prediction"} if sd2 else {}
    return {"text_encoder": text, "vae": vae, "unet": unet, "scheduler": scheduler}


def modules(sd2: bool = False, seed: int = 0) -> dict[str, torch.nn.Module]:
    """Randomly initialised parts."""
    torch.manual_seed(seed)
    return {
        "text_encoder": CLIPTextModel(**TEXT, hidden_act="gelu" if sd2 else "quick_gelu"),
        "vae": AutoencoderKL(**VAE),
        "unet": UNet2DConditionModel(
            **UNET, heads=[1, 1] if sd2 else [8, 8], attentive=[True, False]
        ),
    }


def folder(
    path: Path,
    sd2: bool = False,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    variant: str = "",
) -> Path:
    """The diffusers layout at `path`; `variant` ".fp16" puts that into the file names."""
    for part, config in configs(sd2).items():
        (path / part).mkdir(parents=True, exist_ok=True)
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        (path / part / name).write_text(json.dumps(config))
    for part, module in modules(sd2, seed).items():
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        tensors = {k: v.to(dtype).contiguous() for k, v in module.state_dict().items()}
        if part == "unet" and not sd2:  # SD 1's projections are 1x1 convolutions
            tensors |= {
                k: v[..., None, None]
                for k, v in tensors.items()
                if re.search("proj_(in|out).weight", k)
            }
        save_file(tensors, path / part / f"{stem}{variant}.safetensors")
    (path / "tokenizer").mkdir(exist_ok=True)
    for name in ("vocab.json", "merges.txt"):
        target = path / "tokenizer" / name
        if not target.exists():
            target.symlink_to((CLIP_TOKENIZER / name).resolve())
    return path
