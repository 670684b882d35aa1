"""Is it any good? CLIP's image tower, frame consistency and textual alignment (lesson 12).

Shapes: f frames, n patches of a picture, l text tokens, d width, p width of the space that pictures and
texts share. Sources: CLIP (Radford et al. 2021), the scores of Tune-A-Video, section 5.2.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .errors import UserError
from .text import CLIPEncoder, CLIPTextModel, Tokenizer
from .video import to_uint8
from .weights import read_json, tensors

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training pictures


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
        dim, act, eps = config["hidden_size"], config.get("hidden_act", "quick_gelu"), 1e-5
        self.embeddings = CLIPVisionEmbeddings(dim, config["image_size"], config["patch_size"])
        self.pre_layrnorm = nn.LayerNorm(dim, eps)  # spelled so in every checkpoint
        sizes = (config["num_hidden_layers"], dim, config["intermediate_size"], config["num_attention_heads"])
        self.encoder = CLIPEncoder(*sizes, act, eps, causal=False)
        self.post_layernorm = nn.LayerNorm(dim, eps)

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
    """Frames (f, 3, H, W) in [-1, 1] -> CLIP's input (f, 3, size, size).

    As its image processor does: bytes, bicubic until the short side is `size`, centre crop, mean and std.
    """
    out = []
    for pixels in to_uint8(frames):
        h, w = pixels.shape[:2]
        scale = size / min(h, w)
        picture = Image.fromarray(pixels).resize((max(size, int(w * scale)), max(size, int(h * scale))), Image.BICUBIC)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        cropped = picture.crop((left, top, left + size, top + size))
        out.append(torch.frombuffer(bytearray(cropped.tobytes()), dtype=torch.uint8).view(size, size, 3))
    x = torch.stack(out).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def load_clip(folder: str | Path, device: str = "cpu") -> tuple[CLIP, Tokenizer]:
    """CLIP from a folder in transformers' layout: config.json, model.safetensors, tokenizer files."""
    folder = Path(folder)
    config = read_json(folder / "config.json")
    own = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act")
    text = {k: v for k, v in config["text_config"].items() if k in (*own, "vocab_size", "max_position_embeddings")}
    with torch.device("meta"):
        model = CLIP(text, config["vision_config"], config.get("projection_dim", 512))
    state = {n: t.float() for n, t in tensors(folder / "model.safetensors") if not n.endswith("position_ids")}
    try:
        model.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise UserError(f"{folder}: config.json and weights do not belong together ({error})") from None
    return model.eval().requires_grad_(False).to(device), Tokenizer.load(folder)


def frame_consistency(vectors: Tensor, adjacent: bool = False) -> float:
    """Mean cosine of the frames' CLIP vectors (f, p), in percent: over all pairs, or over neighbours only."""
    cosines = vectors @ vectors.T
    if adjacent:
        return 100 * cosines.diagonal(1).mean().item()
    f = len(vectors)
    return 100 * ((cosines.sum() - cosines.trace()) / (f * (f - 1))).item()


def textual_alignment(vectors: Tensor, text: Tensor) -> float:
    """Mean of 100 times the cosine of each frame's vector (f, p) and the prompt's (p,)."""
    return 100 * (vectors @ text).mean().item()
