"""Is it any good? CLIP's image tower, frame consistency and textual alignment (lesson 12).

Shapes: f frames, H W height and width in pixels, n patches, b texts, l text tokens, d width, p
width of the space of images and texts. Source: Radford et al. 2021.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .text import CLIPEncoder, CLIPTextTransformer, Tokenizer
from .vae import to_uint8

# Of the channels of CLIP's training images: mean, standard deviation (openai/CLIP, `_transform`).
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


class CLIPVisionEmbeddings(nn.Module):
    """Images (f, 3, H, H) -> x (f, 1+n, d): a class token and the patches, plus their positions.

    A patch is `patch` pixels wide and an image `side`, so that n = (side / patch)^2.
    """

    def __init__(self, dim: int, patch: int, side: int):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.normal(0.0, dim**-0.5, (dim,)))
        self.patch_embedding = nn.Conv2d(3, dim, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding((side // patch) ** 2 + 1, dim)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embedding(x).flatten(2).transpose(1, 2)  # f n d
        first = self.class_embedding.expand(len(x), 1, -1)  # f 1 d
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight  # f 1+n d


class CLIPVisionTransformer(nn.Module):
    """The image tower, a ViT: images (f, 3, H, H) -> the class token's last state (f, d).

    `config` is the `vision_config` of transformers' config.json.
    """

    def __init__(self, config: dict):
        super().__init__()
        dim, hidden = config["hidden_size"], config["intermediate_size"]
        layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
        act = config.get("hidden_act", "quick_gelu")
        self.embeddings = CLIPVisionEmbeddings(dim, config["patch_size"], config["image_size"])
        self.pre_layrnorm = nn.LayerNorm(dim)  # spelled so in every checkpoint
        self.encoder = CLIPEncoder(layers, dim, hidden, heads, act, causal=False)
        self.post_layernorm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(self.pre_layrnorm(self.embeddings(x)))  # f 1+n d
        return self.post_layernorm(x[:, 0])  # f d


class CLIP(nn.Module):
    """Both towers, and their projections into one space of width p (transformers' `CLIPModel`).

    `text` and `vision` are the two parts of its config.json; `width` is p.
    """

    def __init__(self, text: dict, vision: dict, width: int):
        super().__init__()
        self.text_model = CLIPTextTransformer(**text)
        self.vision_model = CLIPVisionTransformer(vision)
        self.text_projection = nn.Linear(text["hidden_size"], width, bias=False)
        self.visual_projection = nn.Linear(vision["hidden_size"], width, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))  # about log(1 / 0.07)
        self.image_size = vision["image_size"]

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (f, 3, H, H), from `preprocess` -> unit vectors (f, p)."""
        return F.normalize(self.visual_projection(self.vision_model(pixels)), dim=-1)  # f p

    def embed_texts(self, ids: Tensor, end: int) -> Tensor:
        """Token ids (b, l) -> unit vectors (b, p), read at each row's first `end` token."""
        first_end = (ids == end).int().argmax(dim=1)  # argmax: of equal values, the first
        states = self.text_model(ids)  # b l d
        read = states[torch.arange(len(ids), device=ids.device), first_end]  # b d
        return F.normalize(self.text_projection(read), dim=-1)  # b p


def preprocess(frames: Tensor, size: int) -> Tensor:
    """Frames (f, 3, H, W) in [-1, 1] -> CLIP's input (f, 3, size, size).

    The short side is scaled to `size`, the middle is cut out, the channels are normalised: to the
    bit what transformers' `CLIPImageProcessor` makes with PIL.
    """
    height, width = frames.shape[2:]
    short = min(height, width)
    height, width = size * height // short, size * width // short  # the long side is rounded down
    top, left = (height - size) // 2, (width - size) // 2
    images = []
    for frame in to_uint8(frames):  # H W 3
        scaled = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        images.append(np.asarray(scaled)[top : top + size, left : left + size])
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255  # f 3 size size
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (pixels - mean) / std


def frame_consistency(vectors: Tensor) -> float:
    """Mean of 100 times the cosine of every two frames' CLIP vectors (f, p); nan for one frame."""
    i, j = torch.triu_indices(len(vectors), len(vectors), offset=1)  # every pair once, i < j
    # In double precision, so that a still has exactly 100.
    cosines = F.cosine_similarity(vectors[i].double(), vectors[j].double()).float()
    return 100 * cosines.mean().item()


def textual_alignment(vectors: Tensor, text: Tensor) -> float:
    """Mean of 100 times the cosine of each frame's CLIP vector (f, p) and the prompt's (p,)."""
    return 100 * F.cosine_similarity(vectors, text[None]).mean().item()


@torch.no_grad()
def scores(clip: CLIP, tokenizer: Tokenizer, frames: Tensor, prompt: str) -> tuple[float, float]:
    """Frame consistency and textual alignment of a video (f, 3, H, W), the paper's two scores."""
    device = clip.logit_scale.device
    vectors = clip.embed_images(preprocess(frames, clip.image_size).to(device)).cpu()  # f p
    text = clip.embed_texts(tokenizer(prompt).to(device), tokenizer.end)[0].cpu()  # p
    return frame_consistency(vectors), textual_alignment(vectors, text)
