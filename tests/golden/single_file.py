"""tests/data/single_file.json and tav's tables of names against diffusers' converters, at full
size.

    python tests/golden/single_file.py

For an environment with the extras `test` and `reference`. Every tensor of the listed files holds a
number of its own (each third of a fused one another), in no memory to speak of; diffusers'
converters rename them, and each must come out under the name, with the shape and with the number
that tav finds for it.
"""

import sys
from pathlib import Path

import torch
import transformers
from diffusers.loaders import single_file_utils as reference
from torch import Tensor

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from test_single_file import full_size, published_shapes  # noqa: E402

from tav.io import single_file  # noqa: E402

UNET = {"layers_per_block": 2, "class_embed_type": None, "addition_embed_type": None}
UNET |= {"down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]}
UNET |= {"up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3}
VAE = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}


def numbered(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """A checkpoint whose i-th tensor is i everywhere; the thirds of a fused one are i, i + 10,000,
    i + 20,000."""
    tensors = {}
    for i, (name, shape) in enumerate(shapes.items()):
        rows = torch.tensor([float(i)]).expand(shape[0] if shape else 1)
        if ".in_proj_" in name:
            rows = rows + 10_000 * torch.arange(3).repeat_interleave(shape[0] // 3)
        tensors[name] = rows.view(-1, *[1] * (len(shape) - 1)).expand(*shape)
    return tensors


def converted(sd2: bool) -> dict[str, dict[str, Tensor]]:
    """Each part as diffusers would load it."""
    shapes = published_shapes(sd2)
    if sd2:
        sizes = {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 23,
            "num_attention_heads": 16,
        }
        with torch.device("meta"):
            tower = transformers.CLIPTextModel(
                transformers.CLIPTextConfig(**sizes, hidden_act="gelu")
            )
        text = reference.convert_open_clip_checkpoint(
            tower, numbered(shapes), prefix="cond_stage_model.model."
        )
    else:
        text = reference.convert_ldm_clip_checkpoint(numbered(shapes))
    text = {
        name if name.startswith("text_model.") else f"text_model.{name}": tensor
        for name, tensor in text.items()
    }
    return {
        "text_encoder": {
            name: tensor for name, tensor in text.items() if not name.endswith("position_ids")
        },
        "vae": reference.convert_ldm_vae_checkpoint(numbered(shapes), VAE),
        "unet": reference.convert_ldm_unet_checkpoint(numbered(shapes), UNET),
    }


if __name__ == "__main__":
    for sd2 in (False, True):
        ours, theirs = (
            dict(single_file.renamed(numbered(published_shapes(sd2)).items())),
            converted(sd2),
        )
        for part, module in full_size(sd2).items():
            state = module.state_dict()
            assert theirs[part].keys() == state.keys(), theirs[part].keys() ^ state.keys()
            for name, tensor in theirs[part].items():
                if tensor.shape[2:] == (1, 1):  # 1x1 convolutions in SD 1, or the VAE's own
                    tensor = tensor.reshape(state[name].shape)
                found = ours.pop(f"{part}.{name}")
                assert found.shape == tensor.shape == state[name].shape, name
                assert (found == tensor).all(), name
            print(f"SD {1 + sd2} {part}: {len(state)} tensors agree")
        assert not ours
