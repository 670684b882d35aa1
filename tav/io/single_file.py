"""The original layout of Stable Diffusion: one `.safetensors`, other names (lesson 06).

Blocks have numbers for names. The text tower of SD 1.x is as transformers writes it, that of 2.x is
OpenCLIP's.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from .cli import UserError
from .files import tensors

# What the config of each part would say in a folder, where it is not the default: the sizes as
# published. A run's hash of its weights depends on the order of the parts.
SD1 = {
    "text_encoder": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "vae": {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2},
    "unet": {"cross_attention_dim": 768},
    "scheduler": {},
}
TEXT2 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
}
UNET2 = {
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
}
SD2 = SD1 | {"text_encoder": TEXT2 | {"hidden_act": "gelu"}, "unet": UNET2}

# What a file may hold besides: training's averaged copy of the UNet, the schedule's tables (ours
# are computed), CLIP's position counter, and OpenCLIP's projection and last layer, which SD 2 does
# not use.
IGNORED = re.compile(
    r"model_ema\."
    r"|betas$|alphas_cumprod|sqrt_|log_one_minus_|posterior_|logvar$|lvlb_weights$|scale_factor$"
    r"|.*position_ids$"
    r"|cond_stage_model\.model\.(text_projection|logit_scale|attn_mask)"
    r"|cond_stage_model\.model\.transformer\.resblocks\.23\."
)


def unet_block(match: re.Match) -> str:
    """`input_blocks.4.0` -> `down_blocks.1.resnets.0`: three numbers for each level."""
    way, number, place, sampler = match.groups()
    number = int(number)
    if way == "in":
        way, number = "down", number - 1  # input block 0 is conv_in
    else:
        way = "up"
    level, block = divmod(number, 3)
    if sampler:
        return f"{way}_blocks.{level}.{way}samplers.0.conv"
    kind = "attentions" if place == "1" else "resnets"
    return f"{way}_blocks.{level}.{kind}.{block}"


def decoder_level(match: re.Match) -> str:
    """`decoder.up.3` -> `decoder.up_blocks.0`: they count from the picture's side."""
    return f"decoder.up_blocks.{3 - int(match[1])}"


# In each part, their names, as regular expressions, and ours; one is replaced after the other.
IN_UNET = {
    "^time_embed.0": "time_embedding.linear_1",
    "^time_embed.2": "time_embedding.linear_2",
    "^input_blocks.0.0": "conv_in",
    "^out.0": "conv_norm_out",
    "^out.2": "conv_out",
    "^middle_block.0": "mid_block.resnets.0",
    "^middle_block.1": "mid_block.attentions.0",
    "^middle_block.2": "mid_block.resnets.1",
    r"^(in|out)put_blocks.(\d+).(\d)(.op|.conv)?": unet_block,
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
IN_VAE = {
    "attn_1.norm": "attn_1.group_norm",
    r"attn_1.([qkv])\.": r"attn_1.to_\1.",
    "proj_out": "to_out.0",
    "mid.attn_1": "mid_block.attentions.0",
    "mid.block_1": "mid_block.resnets.0",
    "norm_out": "conv_norm_out",
    "mid.block_2": "mid_block.resnets.1",
    r"\.block\.": ".resnets.",
    "encoder.down": "encoder.down_blocks",
    r"decoder.up.(\d)": decoder_level,
    "nin_shortcut": "conv_shortcut",
    "downsample": "downsamplers.0",
    "upsample": "upsamplers.0",
}
IN_OPENCLIP = {
    "token_embedding": "embeddings.token_embedding",
    "transformer.resblocks": "encoder.layers",
    "positional_embedding": "embeddings.position_embedding.weight",
    "mlp.c_fc": "mlp.fc1",
    "ln_final": "final_layer_norm",
    "ln_([12])": r"layer_norm\1",
    "mlp.c_proj": "mlp.fc2",
    r"attn\.": "self_attn.",
}
# The beginnings of names: of which part they are, and by which table the rest is renamed.
PREFIXES = {
    "model.diffusion_model.": ("unet.", IN_UNET),
    "cond_stage_model.transformer.": ("text_encoder.", {}),
    "first_stage_model.": ("vae.", IN_VAE),
    "cond_stage_model.model.": ("text_encoder.text_model.", IN_OPENCLIP),
    "": ("", {}),
}


def configs(path: Path) -> dict[str, dict]:
    """SD1 or SD2, told by the name of the text tower.

    No tensor tells whether an SD 2 predicts v or epsilon: the file's metadata may, or its name.
    """
    if not any(name.startswith("cond_stage_model.model.") for name, _ in tensors(path)):
        return SD1
    metadata = safe_open(path, "pt").metadata() or {}
    told = metadata.get("modelspec.prediction_type", path.stem)
    word = re.search("^v$|768|epsilon|512|base", told)
    if word is None:
        advice = "Put 768 (predicts v) or base (predicts epsilon) into its name"
        raise UserError(f"{path}: which SD 2 is it? {advice}")
    predicts_v = word[0] in ("v", "768")
    return SD2 | {
        "unet": SD2["unet"] | {"sample_size": 96 if predicts_v else 64},
        "scheduler": {"prediction_type": "v_prediction" if predicts_v else "epsilon"},
    }


def renamed(named: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor under our name, such as `unet.conv_in.bias`.

    OpenCLIP's query, key and value are one tensor there, and three here.
    """
    for name, tensor in named:
        if IGNORED.match(name):
            continue
        prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
        part, table = PREFIXES[prefix]
        name = name.removeprefix(prefix)
        for theirs, ours in table.items():
            name = re.sub(theirs, ours, name)
        if ".in_proj_" in name:
            for letter, third in zip("qkv", tensor.tensor_split(3)):
                yield part + name.replace("in_proj_", f"{letter}_proj."), third
        else:
            yield part + name, tensor
