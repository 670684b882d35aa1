"""The original Stable Diffusion layout: where each of our tensors lies in a single `.safetensors` (lesson 06).

One file holds the UNet under `model.diffusion_model.`, the VAE under `first_stage_model.` and the text
tower under `cond_stage_model.`, numbered where the diffusers layout has names. SD 1.x has CLIP's text
tower as transformers writes it; 2.x has OpenCLIP's, whose query, key and value weights are fused.
"""

import re
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


# --------------------------------------------------------------------------------------------- sizes


def sizes(shapes: dict[str, list[int]], metadata: dict[str, str], path: Path) -> tuple[dict[str, dict], str]:
    """The constructor arguments of each part, and the prediction type, from the shapes of the tensors.

    What shapes do not tell is as published: 8 heads in SD 1, heads of width 64 in SD 2. SD 2's 768 model
    predicts v and its base model epsilon, with the same shapes: the file's metadata or name must tell.
    """
    try:
        openclip = f"{OPENCLIP}token_embedding.weight" in shapes
        return {
            "unet": unet_sizes(shapes, openclip),
            "vae": vae_sizes(shapes),
            "text_encoder": openclip_sizes(shapes) if openclip else clip_sizes(shapes),
        }, prediction_type(metadata, path) if openclip else "epsilon"
    except KeyError as error:
        raise UserError(f"{path}: no tensor {error}; is it a whole Stable Diffusion 1.x or 2.x file?") from None


def count(shapes: dict, pattern: str) -> int:
    """How many different numbers stand at the group of the pattern, among all names."""
    return len({m.group(1) for name in shapes if (m := re.match(pattern, name))})


def unet_sizes(shapes: dict, sd2: bool) -> dict:
    blocks = count(shapes, re.escape(UNET) + r"input_blocks\.(\d+)\.")
    downs = [i for i in range(blocks) if f"{UNET}input_blocks.{i}.0.op.weight" in shapes]  # ends of resolutions
    starts = [1] + [i + 1 for i in downs]
    channels = [shapes[f"{UNET}input_blocks.{i}.0.out_layers.3.weight"][0] for i in starts]
    text = "1.transformer_blocks.0.attn2.to_k.weight"
    attentive = [f"{UNET}input_blocks.{i}.{text}" in shapes for i in starts]
    return {
        "block_out_channels": channels,
        "layers_per_block": (downs[0] if downs else blocks) - 1,
        "heads": [c // 64 for c in channels] if sd2 else [8] * len(channels),
        "attentive": attentive,
        "cross_attention_dim": shapes[f"{UNET}middle_block.{text}"][1],
        "linear_projection": len(shapes[f"{UNET}middle_block.1.proj_in.weight"]) == 2,
        "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
        "out_channels": shapes[f"{UNET}out.2.weight"][0],
    }


def vae_sizes(shapes: dict) -> dict:
    stages = count(shapes, re.escape(VAE) + r"encoder\.down\.(\d+)\.")
    layers = count(shapes, re.escape(VAE) + r"encoder\.down\.0\.block\.(\d+)\.")
    return {
        "block_out_channels": [
            shapes[f"{VAE}encoder.down.{i}.block.{layers - 1}.conv2.weight"][0] for i in range(stages)
        ],
        "layers_per_block": layers,
        "latent_channels": shapes[f"{VAE}post_quant_conv.weight"][0],
    }


def clip_sizes(shapes: dict) -> dict:
    vocabulary, width = shapes[f"{CLIP}text_model.embeddings.token_embedding.weight"]
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shapes[f"{CLIP}text_model.encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": count(shapes, re.escape(CLIP) + r"text_model\.encoder\.layers\.(\d+)\."),
        "num_attention_heads": max(1, width // 64),
        "max_position_embeddings": shapes[f"{CLIP}text_model.embeddings.position_embedding.weight"][0],
        "hidden_act": "quick_gelu",
    }


def openclip_sizes(shapes: dict) -> dict:
    vocabulary, width = shapes[f"{OPENCLIP}token_embedding.weight"]
    layers = count({n for n in shapes if not ignored(n)}, re.escape(OPENCLIP) + r"transformer\.resblocks\.(\d+)\.")
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shapes[f"{OPENCLIP}transformer.resblocks.0.mlp.c_fc.weight"][0],
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 64),
        "max_position_embeddings": shapes[f"{OPENCLIP}positional_embedding"][0],
        "hidden_act": "gelu",
    }


def prediction_type(metadata: dict[str, str], path: Path) -> str:
    """Of an SD 2 file: from its `modelspec.prediction_type`, else from its published file name."""
    told = metadata.get("modelspec.prediction_type", "")
    if told:
        return "v_prediction" if told.startswith("v") else "epsilon"
    if "768" in path.stem:
        return "v_prediction"
    if "512" in path.stem or "base" in path.stem:
        return "epsilon"
    raise UserError(
        f"{path}: an SD 2 file does not say whether it predicts v (768 models) or epsilon (base models); "
        "put 768 or base into its name, or use the diffusers folder"
    )


# --------------------------------------------------------------------------------------------- names

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPENCLIP_LAYER = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}


def source(part: str, name: str, sizes: dict[str, dict]) -> tuple[str, int | None]:
    """Where our tensor `name` of a part lies: its name in the file, and which third of it (None: all)."""
    if part == "unet":
        return UNET + unet_name(name, sizes["unet"]), None
    if part == "vae":
        return VAE + vae_name(name, len(sizes["vae"]["block_out_channels"])), None
    if sizes["text_encoder"]["hidden_act"] == "quick_gelu":  # SD 1: the same names as in the folder layout
        return CLIP + name, None
    return openclip_name(name)


def unet_name(name: str, sizes: dict) -> str:
    """`down_blocks.1.resnets.0.conv1.weight` -> `input_blocks.4.0.in_layers.2.weight`, and so on."""
    layer, _, kind = name.rpartition(".")
    if layer in ENDS:
        return f"{ENDS[layer]}.{kind}"
    way, _, rest = name.partition("_block")
    numbers, rest = re.match(r"s?\.((?:\d+\.)?\w+\.\d+)\.(.*)", rest).groups()
    *level, what, index = numbers.split(".")
    if what == "resnets":
        inner, _, kind = rest.rpartition(".")
        rest = f"{RESNET[inner]}.{kind}"
    step = sizes["layers_per_block"] + 1  # down: its ResNet blocks and one downsampling; up: ResNet blocks
    if way == "mid":
        return f"middle_block.{1 if what == 'attentions' else 2 * int(index)}.{rest}"
    level, index = int(level[0]), int(index)
    if way == "down":
        place = {"resnets": f"{1 + level * step + index}.0", "attentions": f"{1 + level * step + index}.1"}
        place["downsamplers"] = f"{(level + 1) * step}.0"
        return f"input_blocks.{place[what]}.{rest.replace('conv.', 'op.') if what == 'downsamplers' else rest}"
    place = {"resnets": f"{level * step + index}.0", "attentions": f"{level * step + index}.1"}
    place["upsamplers"] = f"{(level + 1) * step - 1}.{2 if sizes['attentive'][-1 - level] else 1}"
    return f"output_blocks.{place[what]}.{rest}"


def vae_name(name: str, stages: int) -> str:
    """`encoder.down_blocks.0.resnets.1.conv1.weight` -> `encoder.down.0.block.1.conv1.weight`, and so on."""
    name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{stages - 1 - int(m.group(1))}", name)  # counted from the top
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m.group(1)) + 1}", name)
    if ".mid_block.attentions.0." in name:
        for ours, theirs in VAE_ATTENTION.items():
            name = name.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    name = name.replace("down_blocks.", "down.").replace("resnets.", "block.").replace("conv_shortcut", "nin_shortcut")
    name = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
    return name.replace("conv_norm_out", "norm_out")


def openclip_name(name: str) -> tuple[str, int | None]:
    """`text_model.encoder.layers.3.self_attn.k_proj.bias` -> the second third of `...attn.in_proj_bias`."""
    name = name.removeprefix("text_model.")
    if name.startswith("embeddings."):
        table = {"token_embedding.weight": "token_embedding.weight", "position_embedding.weight": "positional_embedding"}
        return OPENCLIP + table[name.removeprefix("embeddings.")], None
    if name.startswith("final_layer_norm."):
        return OPENCLIP + name.replace("final_layer_norm", "ln_final"), None
    index, layer, kind = re.match(r"encoder\.layers\.(\d+)\.(.*)\.(weight|bias)", name).groups()
    block = f"{OPENCLIP}transformer.resblocks.{index}."
    if layer == "self_attn.out_proj":
        return f"{block}attn.out_proj.{kind}", None
    if layer.startswith("self_attn."):
        return f"{block}attn.in_proj_{kind}", "qkv".index(layer[len("self_attn.")])
    return f"{block}{OPENCLIP_LAYER[layer]}.{kind}", None
