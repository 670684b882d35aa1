"""tav against transformers and diffusers at the full sizes of Stable Diffusion 1.4 and 2.1.

    python tests/tools/full_size.py

For an environment with the dependencies of tav and those of make.py, and 10 GB of memory to spare;
about a minute on two CPU cores. Weights are the reference's random initialisation, in fp32, one
model at a time; tav shares their memory. Prints the largest absolute difference of the outputs, and
what it is relative to the largest absolute value of the reference's.
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
import transformers
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))
from tav.io.weights import fill
from tav.metrics import CLIP
from tav.text import CLIPTextModel
from tav.unet import UNet2DConditionModel
from tav.vae import AutoencoderKL

VERSIONS = {
    "SD 1.4": {
        "text": {"hidden_size": 768, "layers": 12, "heads": 12, "act": "quick_gelu"},
        "heads": [8, 8, 8, 8],
        "unet": {"attention_head_dim": 8, "use_linear_projection": False},
    },
    "SD 2.1": {
        "text": {"hidden_size": 1024, "layers": 23, "heads": 16, "act": "gelu"},
        "heads": [5, 10, 20, 20],
        "unet": {"attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True},
    },
}
WIDTHS = [320, 640, 1280, 1280]


def text(hidden_size: int, layers: int, heads: int, act: str) -> None:
    sizes = {
        "vocab_size": 49408,
        "hidden_size": hidden_size,
        "intermediate_size": 4 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": 77,
        "hidden_act": act,
    }
    torch.manual_seed(0)
    theirs = transformers.CLIPTextModel(transformers.CLIPTextConfig(**sizes)).eval()
    weights = theirs.state_dict()
    weights = {
        n if n.startswith("text_model.") else f"text_model.{n}": w for n, w in weights.items()
    }
    ours = build(lambda: CLIPTextModel(**sizes), weights)
    ids = torch.randint(49408, (1, 77))
    report("text states", lambda: ours(ids), lambda: theirs(input_ids=ids).last_hidden_state, ours)


def vae() -> None:
    sizes = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}
    sizes |= {"norm_num_groups": 32, "scaling_factor": 0.18215}
    types = {
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    torch.manual_seed(0)
    theirs = diffusers.AutoencoderKL(**sizes, **types).eval()
    ours = build(lambda: AutoencoderKL(**sizes), theirs.state_dict())
    frames, latents = torch.rand(1, 3, 256, 256) * 2 - 1, torch.randn(1, 4, 32, 32)
    scale = theirs.config.scaling_factor
    posterior = theirs.encode(frames).latent_dist
    report("VAE mean", lambda: ours.encode(frames).mean, lambda: posterior.mean * scale, ours)
    report("VAE std", lambda: ours.encode(frames).std, lambda: posterior.std * scale, ours)
    report(
        "VAE decoded",
        lambda: ours.decode(latents),
        lambda: theirs.decode(latents / scale).sample,
        ours,
    )


def unet(heads: list[int], text_width: int, config: dict) -> None:
    shared = {
        "block_out_channels": WIDTHS,
        "layers_per_block": 2,
        "cross_attention_dim": text_width,
    }
    torch.manual_seed(0)
    theirs = diffusers.UNet2DConditionModel(**shared, **config).eval()
    weights = theirs.state_dict()
    attentive = [True, True, True, False]
    ours = build(lambda: UNet2DConditionModel(**shared, heads=heads, attentive=attentive), weights)
    x, states, t = torch.randn(1, 4, 32, 32), torch.randn(1, 77, text_width), torch.tensor([981])
    report(
        "UNet",
        lambda: ours(x, t, states),
        lambda: theirs(x, t, encoder_hidden_states=states).sample,
        ours,
    )


def clip() -> None:
    """ViT-L/14, which the paper scores with: pictures and texts as unit vectors."""
    text = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    }
    vision = {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
    }
    vision |= {"image_size": 224, "patch_size": 14}
    torch.manual_seed(0)
    text_config = text | {"bos_token_id": 49406, "eos_token_id": 49407}
    config = transformers.CLIPConfig(
        text_config=text_config, vision_config=vision, projection_dim=768
    )
    theirs = transformers.CLIPModel(config).eval()
    ours = build(lambda: CLIP(text | {"vocab_size": 49408}, vision, 768), theirs.state_dict())
    pixels, ids = torch.randn(2, 3, 224, 224), torch.randint(49406, (2, 77))
    ids[:, -1] = 49407
    expected = theirs(input_ids=ids, pixel_values=pixels)
    report("CLIP pictures", lambda: ours.embed_images(pixels), lambda: expected.image_embeds, ours)
    report("CLIP texts", lambda: ours.embed_texts(ids, 49407), lambda: expected.text_embeds, ours)


def build(make: Callable[[], nn.Module], weights: dict[str, Tensor]) -> nn.Module:
    """A tav module around the reference's own tensors: no second copy, names checked strictly."""
    with torch.device("meta"):
        model = make()
    fill(model, weights.items(), "cpu", torch.float32, "the reference")
    return model


def report(
    name: str, ours: Callable[[], Tensor], theirs: Callable[[], Tensor], model: nn.Module
) -> None:
    began = time.time()
    expected, got = theirs(), ours()
    worst, largest = (got - expected).abs().max().item(), expected.abs().max().item()
    parameters = sum(p.numel() for p in model.parameters())
    figures = f"{worst:.1e} of {largest:.2f} = {worst / largest:.1e}"
    print(
        f"  {name:12s} {parameters:12,d} parameters   {figures}   {time.time() - began:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    with torch.inference_mode():
        print("ViT-L/14")
        clip()
        gc.collect()
        print("SD 1.4 and 2.1")
        vae()
        for version, sizes in VERSIONS.items():
            gc.collect()
            print(version)
            text(**sizes["text"])
            gc.collect()
            unet(sizes["heads"], sizes["text"]["hidden_size"], sizes["unet"])
