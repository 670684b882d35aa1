"""Files of every age: their names and ours, and the original layout, one file (lesson 06).

The text tower of SD 1.x is as transformers writes it there, that of 2.x is OpenCLIP's.
"""

import re
import reprlib
from pathlib import Path

from .cli import UserError
from .files import Named, opened

# What the config of each part would say in a folder, where it is not the default: the sizes as
# published. A run's hash of its weights depends on the order of the parts.
SD1 = {
    "text_encoder": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "vae": {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2},
    "unet": {"cross_attention_dim": 768},
    "scheduler": {},
}
TEXT2 = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
TEXT2 |= {"num_hidden_layers": 23, "hidden_act": "gelu"}
UNET2 = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20]}
SD2 = SD1 | {"text_encoder": TEXT2, "unet": UNET2}
# Where SD 2 has its text tower; SD 2.1 Turbo where Stability's later code has it.
OPENCLIP = ("cond_stage_model.model.", "conditioner.embedders.0.model.")

# What a file may hold besides: training's averaged copy of the UNet, the schedule's tables (ours
# are computed), CLIP's position counter, OpenCLIP's projection and last layer, which SD 2 does not
# use, and ComfyUI's mark for what the UNet predicts.
IGNORED = re.compile(
    r"model_ema\."
    r"|betas$|alphas_cumprod|sqrt_|log_one_minus_|posterior_|logvar$|lvlb_weights$|scale_factor$"
    r"|denoiser\.sigmas$|v_pred$|.*position_ids$"
    r"|(cond_stage_model|conditioner\.embedders\.0)\.model\."
    r"(text_projection|logit_scale|attn_mask|transformer\.resblocks\.23\.)"
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
    # Theirs count from the picture's side.
    r"decoder.up.(\d)": lambda match: f"decoder.up_blocks.{3 - int(match[1])}",
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
# VAEs of 2022; text encoders of transformers 5, or of an early one in a single file.
OF_ANOTHER_AGE = {
    r"\.(q|k|v)(uery|ey|alue)\.": r".to_\1.",
    r"\.proj_attn\.": ".to_out.0.",
    r"^text_encoder\.(embeddings|encoder|final_layer_norm)\.": r"text_encoder.text_model.\1.",
}
# The beginnings of names: of which part they are, and by which table the rest is renamed.
PREFIXES = {
    "model.diffusion_model.": ("unet.", IN_UNET),
    "cond_stage_model.transformer.": ("text_encoder.", {}),
    "first_stage_model.": ("vae.", IN_VAE),
    OPENCLIP[0]: ("text_encoder.text_model.", IN_OPENCLIP),
    OPENCLIP[1]: ("text_encoder.text_model.", IN_OPENCLIP),
    "": ("", {}),
}


def configs(path: Path) -> dict[str, dict]:
    """SD1 or SD2, told by the name of the text tower, with what the UNet predicts."""
    with opened(path) as file:
        names, metadata = file.keys(), file.metadata() or {}
    if any(name.startswith("conditioner.embedders.1.") for name in names):
        raise UserError(f"{path}: this is Stable Diffusion XL; use a 1.x or 2.x")
    sd2 = any(name.startswith(OPENCLIP) for name in names)
    scheduler = {"prediction_type": prediction(path, names, metadata, sd2)}
    if not sd2:
        return SD1 | {"scheduler": scheduler}
    # The side of its latents: trained on pictures of 768 or 512 pixels.
    side = 96 if scheduler["prediction_type"] == "v_prediction" else 64
    return SD2 | {"unet": SD2["unet"] | {"sample_size": side}, "scheduler": scheduler}


def prediction(path: Path, names: list[str], metadata: dict[str, str], sd2: bool) -> str:
    """What the UNet predicts, as the file says it, or else its name; without a word, an SD 1
    predicts epsilon, and an SD 2 is refused."""
    if "ztsnr" in names:  # ComfyUI's mark for a schedule that ends in pure noise
        raise UserError(f"{path}: trained with zero terminal SNR, unknown here; use another")
    # kohya's key, ComfyUI's, and an empty tensor that is ComfyUI's mark as well.
    said = metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key")
    said = said or ("v" if "v_pred" in names else "")
    if said not in ("", "v", "epsilon"):
        raise UserError(f"{path}: predicts {reprlib.repr(said)}, unknown here; use another")
    if said:
        return "v_prediction" if said == "v" else "epsilon"
    for words in (metadata.get("modelspec.architecture", ""), path.stem):
        if re.search(r"(?<![a-z\d])v[-_ ]?pred", words.lower()):
            return "v_prediction"
        word = re.search("768|epsilon|512|base|turbo", words.lower())
        if word and sd2:
            return "v_prediction" if word[0] == "768" else "epsilon"
    if sd2:
        advice = "put 768 (predicts v) or base (predicts epsilon) into its name"
        raise UserError(f"{path}: which SD 2 is it? It does not say; {advice}")
    return "epsilon"


def renamed(named: Named) -> Named:
    """Each tensor of a file of any age under our name, such as `unet.conv_in.bias`."""
    for name, tensor in named:
        if IGNORED.match(name):
            continue
        prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
        part, table = PREFIXES[prefix]
        name = name.removeprefix(prefix)
        for theirs, ours in table.items():
            name = re.sub(theirs, ours, name)
        name = part + name
        for theirs, ours in OF_ANOTHER_AGE.items():
            name = re.sub(theirs, ours, name)
        if re.search(r"\.(proj_in|proj_out|to_\w+(\.0)?)\.", name) and tensor.ndim == 4:
            tensor = tensor.flatten(1)  # 1x1 convolutions in SD 1's transformers and old VAEs
        if ".in_proj_" in name:  # OpenCLIP's query, key and value are one tensor
            for letter, third in zip("qkv", tensor.tensor_split(3)):
                yield name.replace("in_proj_", f"{letter}_proj."), third
        else:
            yield name, tensor
