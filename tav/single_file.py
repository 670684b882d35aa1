"""The original Stable Diffusion layout: where each of our tensors lies in a single `.safetensors` (lesson 06).

One file holds the UNet under `model.diffusion_model.`, the VAE under `first_stage_model.` and the text
tower under `cond_stage_model.`, numbered where the diffusers layout has names. SD 1.x has CLIP's text
tower as transformers writes it; 2.x has OpenCLIP's, whose query, key and value weights are fused.
"""

import re
from functools import cache
from pathlib import Path

from .errors import UserError

UNET, VAE = "model.diffusion_model.", "first_stage_model."
CLIP, OPENCLIP = "cond_stage_model.transformer.", "cond_stage_model.model."

# What a file may hold besides: training's averaged copy of the UNet, the schedule's tables (ours are
# computed), CLIP's position counter, and OpenCLIP's projection and last layer, which SD 2 does not use.
IGNORED = re.compile(
    r"model_ema\.|betas$|alphas_cumprod|sqrt_|log_one_minus_|posterior_|logvar$|lvlb_weights$|scale_factor$"
    r"|.*position_ids$|cond_stage_model\.model\.(text_projection|logit_scale|attn_mask|transformer\.resblocks\.23\.)"
)

# Ours -> theirs: inside a ResNet block of the UNet, in all of the VAE, in all of OpenCLIP's tower.
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
IN_VAE = {"mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2", "group_norm": "norm",
          "mid_block.attentions.0": "mid.attn_1", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
          "down_blocks": "down", "resnets": "block", "conv_shortcut": "nin_shortcut", "downsamplers.0": "downsample",
          "upsamplers.0": "upsample", "conv_norm_out": "norm_out"}  # fmt: skip
IN_OPENCLIP = {"text_model.": "", "embeddings.token_embedding": "token_embedding", "final_layer_norm": "ln_final",
               "embeddings.position_embedding.weight": "positional_embedding", "mlp.fc1": "mlp.c_fc",
               "encoder.layers": "transformer.resblocks", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
               "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}  # fmt: skip


def source(part: str, name: str, sizes: dict[str, dict]) -> tuple[str, int | None]:
    """Where our tensor `name` of a part lies: its name in the file, and which third of it (None: all)."""
    if part == "unet":
        return UNET + unet_name(name, sizes["unet"]), None
    if part == "vae":
        return VAE + vae_name(name, len(sizes["vae"]["block_out_channels"])), None
    return text_name(name, openclip=sizes["text_encoder"]["hidden_act"] == "gelu")


def unet_name(name: str, sizes: dict) -> str:
    """`down_blocks.1.resnets.0.conv1.weight` -> `input_blocks.4.0.in_layers.2.weight`, and so on."""
    blocks = unet_blocks(sizes["layers_per_block"], tuple(sizes["attentive"]))
    ours = next(block for block in blocks if name.startswith(f"{block}."))
    layer, _, kind = name.removeprefix(f"{ours}.").rpartition(".")
    return ".".join(filter(None, (blocks[ours], RESNET.get(layer, layer), kind)))


@cache
def unet_blocks(layers: int, attentive: tuple[bool, ...]) -> dict[str, str]:
    """Each block of the UNet -> its name in the file, where the way down and the way up are numbered through."""
    names = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    names |= {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    names |= {"mid_block.resnets.0": "middle_block.0", "mid_block.resnets.1": "middle_block.2"}
    names["mid_block.attentions.0"] = "middle_block.1"
    number = 1  # conv_in was 0
    for level in range(len(attentive)):
        for i in range(layers):
            names[f"down_blocks.{level}.resnets.{i}"] = f"input_blocks.{number}.0"
            names[f"down_blocks.{level}.attentions.{i}"] = f"input_blocks.{number}.1"
            number += 1
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
        number += 1
    number = 0
    for level, attends in enumerate(reversed(attentive)):
        for i in range(layers + 1):
            names[f"up_blocks.{level}.resnets.{i}"] = f"output_blocks.{number}.0"
            names[f"up_blocks.{level}.attentions.{i}"] = f"output_blocks.{number}.1"
            number += 1
        names[f"up_blocks.{level}.upsamplers.0"] = f"output_blocks.{number - 1}.{1 + attends}"  # ends the last one
    return names


def vae_name(name: str, levels: int) -> str:
    """`decoder.up_blocks.0.resnets.1.conv1.weight` -> `decoder.up.3.block.1.conv1.weight`, and so on."""
    name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}", name)  # counted from the top
    return replaced(name, IN_VAE)


def text_name(name: str, openclip: bool) -> tuple[str, int | None]:
    """`...layers.3.self_attn.k_proj.bias` -> the second third of `...resblocks.3.attn.in_proj_bias`, and so on."""
    if not openclip:
        return CLIP + name, None  # as in the folder layout
    name = replaced(name, IN_OPENCLIP)
    if fused := re.match(r"(.*)self_attn\.([qkv])_proj\.(\w+)", name):
        return f"{OPENCLIP}{fused[1]}attn.in_proj_{fused[3]}", "qkv".index(fused[2])
    return OPENCLIP + name, None


def replaced(name: str, table: dict[str, str]) -> str:
    for ours, theirs in table.items():
        name = name.replace(ours, theirs)
    return name


def is_sd2(shapes: dict) -> bool:
    return any(name.startswith(OPENCLIP) for name in shapes)


def sizes(shapes: dict[str, list[int]]) -> dict[str, dict]:
    """The constructor arguments of each part, from the shapes of the tensors. Raises KeyError if one lacks.

    What shapes do not tell is as published: 8 heads in SD 1's UNet, elsewhere heads of width 64.
    """

    def count(prefix: str) -> int:
        """How many different numbers follow the prefix."""
        names = [name.removeprefix(prefix) for name in shapes if name.startswith(prefix) and not IGNORED.match(name)]
        return len({name.split(".")[0] for name in names})

    def text(name: str) -> list[int]:
        return shapes[text_name(f"text_model.{name}.weight", sd2)[0]]

    sd2 = is_sd2(shapes)
    blocks, reads = count(f"{UNET}input_blocks."), "1.transformer_blocks.0.attn2.to_k.weight"
    ends = [i for i in range(blocks) if f"{UNET}input_blocks.{i}.0.op.weight" in shapes]  # here resolution halves
    firsts = [f"{UNET}input_blocks.{i + 1}." for i in (0, *ends)]
    channels = [shapes[f"{first}0.out_layers.3.weight"][0] for first in firsts]
    stages = [f"{VAE}encoder.down.{i}." for i in range(count(f"{VAE}encoder.down."))]
    vocabulary, width = text("embeddings.token_embedding")
    return {
        "unet": {
            "block_out_channels": channels,
            "layers_per_block": (*ends, blocks)[0] - 1,
            "heads": [max(1, c // 64) for c in channels] if sd2 else [8] * len(channels),
            "attentive": [f"{first}{reads}" in shapes for first in firsts],
            "cross_attention_dim": shapes[f"{UNET}middle_block.{reads}"][1],
            "linear_projection": len(shapes[f"{UNET}middle_block.1.proj_in.weight"]) == 2,
            "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
            "out_channels": shapes[f"{UNET}out.2.weight"][0],
        },
        "vae": {
            "block_out_channels": [shapes[f"{stage}block.0.conv2.weight"][0] for stage in stages],
            "layers_per_block": count(f"{VAE}encoder.down.0.block."),
            "latent_channels": shapes[f"{VAE}post_quant_conv.weight"][0],
        },
        "text_encoder": {
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": text("encoder.layers.0.mlp.fc1")[0],
            "num_hidden_layers": count(text_name("text_model.encoder.layers.", sd2)[0]),
            "num_attention_heads": max(1, width // 64),
            "max_position_embeddings": text("embeddings.position_embedding")[0],
            "hidden_act": "gelu" if sd2 else "quick_gelu",
        },
    }


def prediction_type(shapes: dict, metadata: dict[str, str], path: Path) -> str:
    """Shapes do not tell SD 2's 768 model, which predicts v, from its base: its metadata or published name must."""
    told = metadata.get("modelspec.prediction_type", "")
    if not is_sd2(shapes) or told == "epsilon" or not told and re.search("512|base", path.stem):
        return "epsilon"
    if told.startswith("v") or "768" in path.stem:
        return "v_prediction"
    says = "does not say whether it predicts v (768 models) or epsilon (base models)"
    raise UserError(f"{path}: an SD 2 file that {says}; put 768 or base into its name, or use the diffusers folder")
