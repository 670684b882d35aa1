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


def ignored(name: str) -> bool:
    """Whether a tensor of that name is knowingly left out."""
    return IGNORED.match(name) is not None


# --------------------------------------------------------------------------------------------- names

# Ours -> theirs, inside a ResNet block of the UNet, and in all of the VAE and of OpenCLIP's tower.
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


@cache
def unet_blocks(layers: int, attentive: tuple[bool, ...]) -> dict[str, str]:
    """Each block of the UNet -> its name in the file, where the way down and the way up are numbered through."""
    names = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    names |= {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    names |= {f"mid_block.{ours}": f"middle_block.{i}" for i, ours in enumerate(("resnets.0", "attentions.0", "resnets.1"))}
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
        names[f"up_blocks.{level}.upsamplers.0"] = f"output_blocks.{number - 1}.{1 + attends}"  # the last one's end
    return names


def unet_name(name: str, sizes: dict) -> str:
    """`down_blocks.1.resnets.0.conv1.weight` -> `input_blocks.4.0.in_layers.2.weight`, and so on."""
    blocks = unet_blocks(sizes["layers_per_block"], tuple(sizes["attentive"]))
    ours = next(block for block in blocks if name.startswith(f"{block}."))
    layer, _, kind = name.removeprefix(f"{ours}.").rpartition(".")
    return ".".join(filter(None, (blocks[ours], RESNET.get(layer, layer), kind)))


def vae_name(name: str, levels: int) -> str:
    """`decoder.up_blocks.0.resnets.1.conv1.weight` -> `decoder.up.3.block.1.conv1.weight`, and so on."""
    name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{levels - 1 - int(m.group(1))}", name)  # counted from the top
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


# --------------------------------------------------------------------------------------------- sizes


def sizes(shapes: dict[str, list[int]], metadata: dict[str, str], path: Path) -> tuple[dict[str, dict], str]:
    """The constructor arguments of each part, and the prediction type, from the shapes of the tensors.

    What shapes do not tell is as published: 8 heads in SD 1, heads of width 64 in SD 2. SD 2's 768 model
    predicts v and its base model epsilon, with the same shapes: the file's metadata or name must tell.
    """
    sd2 = any(name.startswith(OPENCLIP) for name in shapes)
    try:
        found = {"unet": unet_sizes(shapes, sd2), "vae": vae_sizes(shapes), "text_encoder": text_sizes(shapes, sd2)}
    except (KeyError, IndexError) as error:
        raise UserError(f"{path}: no tensor {error}; is it a whole Stable Diffusion 1.x or 2.x file?") from None
    return found, prediction_type(metadata, path) if sd2 else "epsilon"


def count(shapes: dict, prefix: str) -> int:
    """How many different numbers follow the prefix, among all names that count."""
    rest = (name.removeprefix(prefix) for name in shapes if name.startswith(prefix) and not ignored(name))
    return len({name.split(".")[0] for name in rest})


def unet_sizes(shapes: dict, sd2: bool) -> dict:
    blocks = [f"{UNET}input_blocks.{i}." for i in range(count(shapes, f"{UNET}input_blocks."))]
    ends = [i for i, block in enumerate(blocks) if f"{block}0.op.weight" in shapes]  # here a resolution ends
    firsts = [blocks[i + 1] for i in [0, *ends]]
    channels = [shapes[f"{first}0.out_layers.3.weight"][0] for first in firsts]
    text = "1.transformer_blocks.0.attn2.to_k.weight"
    return {
        "block_out_channels": channels,
        "layers_per_block": [*ends, len(blocks)][0] - 1,
        "heads": [max(1, c // 64) for c in channels] if sd2 else [8] * len(channels),
        "attentive": [f"{first}{text}" in shapes for first in firsts],
        "cross_attention_dim": shapes[f"{UNET}middle_block.{text}"][1],
        "linear_projection": len(shapes[f"{UNET}middle_block.1.proj_in.weight"]) == 2,
        "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
        "out_channels": shapes[f"{UNET}out.2.weight"][0],
    }


def vae_sizes(shapes: dict) -> dict:
    levels = range(count(shapes, f"{VAE}encoder.down."))
    return {
        "block_out_channels": [shapes[f"{VAE}encoder.down.{level}.block.0.conv2.weight"][0] for level in levels],
        "layers_per_block": count(shapes, f"{VAE}encoder.down.0.block."),
        "latent_channels": shapes[f"{VAE}post_quant_conv.weight"][0],
    }


def text_sizes(shapes: dict, openclip: bool) -> dict:
    def shape(name: str) -> list[int]:
        return shapes[text_name(f"text_model.{name}.weight", openclip)[0]]

    vocabulary, width = shape("embeddings.token_embedding")
    layers = f"{OPENCLIP}transformer.resblocks." if openclip else f"{CLIP}text_model.encoder.layers."
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape("encoder.layers.0.mlp.fc1")[0],
        "num_hidden_layers": count(shapes, layers),
        "num_attention_heads": max(1, width // 64),
        "max_position_embeddings": shape("embeddings.position_embedding")[0],
        "hidden_act": "gelu" if openclip else "quick_gelu",
    }


def prediction_type(metadata: dict[str, str], path: Path) -> str:
    """Of an SD 2 file: from its `modelspec.prediction_type`, else from its published file name."""
    told = metadata.get("modelspec.prediction_type") or path.stem
    for sign, prediction in {"768": "v_prediction", "512": "epsilon", "base": "epsilon"}.items():
        if sign in told:
            return prediction
    return ""
