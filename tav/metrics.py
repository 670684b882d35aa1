"""Is it any good? CLIP's image tower, frame consistency and textual alignment (lesson 12).

Shapes: f frames, n patches of a picture, l text tokens, d width, p width of the space that pictures and
texts share. Sources: CLIP (Radford et al. 2021), the scores of Tune-A-Video, section 5.2.
"""

import csv
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from . import configs
from .errors import UserError
from .files import need, read_json, tensors
from .text import CLIPEncoder, CLIPTextModel, Tokenizer
from .video import replacing, to_uint8
from .weights import fill, load_tokenizer

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # of CLIP's training pictures
VISION = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
VISION |= {"image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu"}  # transformers' defaults


class CLIPVisionEmbeddings(nn.Module):
    """Pictures (f, 3, H, H) -> a class vector and a vector for each patch (f, 1+n, d)."""

    def __init__(self, dim: int, image_size: int, patch_size: int):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.patch_embedding = nn.Conv2d(3, dim, patch_size, stride=patch_size, bias=False)
        self.position_embedding = nn.Embedding((image_size // patch_size) ** 2 + 1, dim)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embedding(x).flatten(2).transpose(1, 2)  # f n d
        first = self.class_embedding.expand(len(x), 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class CLIPVisionTransformer(nn.Module):
    """The image tower, a ViT: pictures (f, 3, H, H) -> the class token's last state (f, d)."""

    def __init__(self, config: dict):
        super().__init__()
        dim, act = config["hidden_size"], config.get("hidden_act", "quick_gelu")
        self.embeddings = CLIPVisionEmbeddings(dim, config["image_size"], config["patch_size"])
        self.pre_layrnorm = nn.LayerNorm(dim)  # spelled so in every checkpoint
        sizes = (config["num_hidden_layers"], dim, config["intermediate_size"], config["num_attention_heads"])
        self.encoder = CLIPEncoder(*sizes, act, causal=False)
        self.post_layernorm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.post_layernorm(self.encoder(self.pre_layrnorm(self.embeddings(x)))[:, 0])


class CLIP(CLIPTextModel):
    """Text tower, image tower, and their projections into one space of width p: transformers' `CLIPModel`."""

    def __init__(self, text: dict, vision: dict, width: int):
        super().__init__(**text)
        self.vision_model = CLIPVisionTransformer(vision)
        self.text_projection = nn.Linear(text["hidden_size"], width, bias=False)
        self.visual_projection = nn.Linear(vision["hidden_size"], width, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))  # log(1 / 0.07), where CLIP's training starts
        self.image_size = vision["image_size"]

    def embed_pictures(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (f, 3, H, H), from `preprocess` -> unit vectors (f, p)."""
        return F.normalize(self.visual_projection(self.vision_model(pixels)), dim=-1)

    def embed_texts(self, ids: Tensor, end: int) -> Tensor:
        """Token ids (b, l) -> unit vectors (b, p), read at each row's first `end` token."""
        states = self(ids)
        last = (ids == end).int().argmax(dim=1)
        return F.normalize(self.text_projection(states[torch.arange(len(ids)), last]), dim=-1)


def preprocess(frames: Tensor, size: int) -> Tensor:
    """Frames (f, 3, H, W) in [-1, 1] -> CLIP's input (f, 3, size, size), as transformers' `CLIPImageProcessorPil`.

    As bytes, bicubic until the short side is `size` (the long one is rounded down); centre crop; mean and std.
    """
    h, w = frames.shape[2:]
    new = (size * w // min(h, w), size * h // min(h, w))
    left, top = (new[0] - size) // 2, (new[1] - size) // 2
    pictures = [Image.fromarray(pixels).resize(new, Image.Resampling.BICUBIC) for pixels in to_uint8(frames)]
    crops = [bytearray(p.crop((left, top, left + size, top + size)).tobytes()) for p in pictures]
    x = torch.stack([torch.frombuffer(c, dtype=torch.uint8).view(size, size, 3) for c in crops]).permute(0, 3, 1, 2)
    return (x / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def clip_folder(weights: str) -> Path:
    """Where the CLIP that came with the weights is: in the folder `clip/` beside their other parts."""
    if not (folder := Path(weights) / "clip").is_dir():
        raise UserError(f"{weights}: no clip/ in it to score with; pass --clip with a folder of CLIP ViT-L/14")
    return folder


def load_clip(folder: str | Path, device: str = "cpu") -> tuple[CLIP, Tokenizer]:
    """CLIP from a folder of transformers' `CLIPModel`: config.json, model.safetensors, tokenizer files.

    Raises UserError, naming what is wrong or missing, and if its pictures are prepared otherwise than here.
    """
    folder = Path(folder)
    config, words, _ = (need(folder, name) for name in ("config.json", "vocab.json", "merges.txt"))
    config, looks = read_json(config), folder / "preprocessor_config.json"
    looks = read_json(looks) if looks.exists() else {}
    fixed = {"image_mean": MEAN, "image_std": STD, "resample": Image.Resampling.BICUBIC, "layer_norm_eps": 1e-5}
    try:
        defaults = {"text_config": configs.OWN["text_encoder"], "vision_config": VISION}
        text, vision = ({k: config[part].get(k, v) for k, v in own.items()} for part, own in defaults.items())
        for key, value in [*looks.items(), *config["text_config"].items(), *config["vision_config"].items()]:
            if fixed.get(key, value) != value:
                raise ValueError(f"{key} = {value}")
        with torch.device("meta"):
            model = CLIP(text, vision, config.get("projection_dim", 512))
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise UserError(f"{folder}: not the config.json of a CLIP as known here ({error!r}); use another") from None
    fill(model, tensors(need(folder, "model.safetensors")), device, torch.float32, folder)
    return model, load_tokenizer(words.parent, text)


def frame_consistency(vectors: Tensor, adjacent: bool = False) -> float:
    """Mean cosine of the frames' CLIP vectors (f, p), in percent: over all pairs, or over neighbours only.

    In fp64 and rounded to fp32, so that a still has exactly 100. One frame alone has none: nan.
    """
    vectors = F.normalize(vectors.cpu().double(), dim=-1)
    cosines = (vectors @ vectors.T).float()
    i, j = torch.triu_indices(*cosines.shape, offset=1)  # i < j
    return 100 * cosines[i, j][(j == i + 1) | (not adjacent)].mean().item()


def textual_alignment(vectors: Tensor, text: Tensor) -> float:
    """Mean of 100 times the cosine of each frame's vector (f, p) and the prompt's (p,)."""
    return 100 * F.cosine_similarity(vectors, text[None]).mean().item()


@torch.no_grad()
def score(clip: CLIP, tokenizer: Tokenizer, frames: Tensor, prompt: str) -> tuple[float, float, float]:
    """Frame consistency, over all pairs and over neighbours, and textual alignment of frames (f, 3, H, W)."""
    device = clip.logit_scale.device
    vectors = clip.embed_pictures(preprocess(frames, clip.image_size).to(device))  # f p
    text = clip.embed_texts(tokenizer(prompt).to(device), tokenizer.end)[0]  # p
    return frame_consistency(vectors), frame_consistency(vectors, adjacent=True), textual_alignment(vectors, text)


def table(rows: list[tuple[str, tuple[float, float, float]]], path: Path) -> str:
    """The scores of videos (name, score), as a table to print; also writes it to `path` as csv."""
    head = ("consistency", "adjacent", "alignment")
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", *head), *((name, *map("{:.2f}".format, s)) for name, s in rows)])
    lines = [f"{a:11.2f}{b:10.2f}{c:11.2f}  {name}" for name, (a, b, c) in rows]
    return "\n".join([f"{head[0]:>11}{head[1]:>10}{head[2]:>11}", *lines])
