"""Is it any good? CLIP's image tower, frame consistency and textual alignment (lesson 12).

Shapes: f frames, n patches, l tokens, d width, p width of the space of pictures and texts. Source:
Radford et al. 2021.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .text import CLIPEncoder, CLIPTextModel, Tokenizer
from .vae import to_uint8

MEAN, STD = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
)  # of CLIP's training pictures


class CLIPVisionTransformer(nn.Module):
    """The image tower, a ViT: pictures (f, 3, H, H) -> the class token's last state (f, d)."""

    def __init__(self, config: dict):
        super().__init__()
        dim, patch, side = config["hidden_size"], config["patch_size"], config["image_size"]
        self.embeddings = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.normal(0.0, dim**-0.5, (dim,)))
        self.embeddings.patch_embedding = nn.Conv2d(3, dim, patch, stride=patch, bias=False)
        self.embeddings.position_embedding = nn.Embedding((side // patch) ** 2 + 1, dim)
        self.pre_layrnorm = nn.LayerNorm(dim)  # spelled so in every checkpoint
        sizes = (
            config["num_hidden_layers"],
            dim,
            config["intermediate_size"],
            config["num_attention_heads"],
        )
        self.encoder = CLIPEncoder(*sizes, config.get("hidden_act", "quick_gelu"), causal=False)
        self.post_layernorm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embeddings.patch_embedding(x).flatten(2).transpose(1, 2)  # f n d
        x = torch.cat(
            [self.embeddings.class_embedding.expand(len(x), 1, -1), patches], dim=1
        )  # f 1+n d
        x = self.encoder(self.pre_layrnorm(x + self.embeddings.position_embedding.weight))
        return self.post_layernorm(x[:, 0])


class CLIP(CLIPTextModel):
    """Text tower, image tower, and their projections into one space of width p: transformers'
    `CLIPModel`."""

    def __init__(self, text: dict, vision: dict, width: int):
        super().__init__(**text)
        self.vision_model = CLIPVisionTransformer(vision)
        self.text_projection = nn.Linear(text["hidden_size"], width, bias=False)
        self.visual_projection = nn.Linear(vision["hidden_size"], width, bias=False)
        self.logit_scale = nn.Parameter(
            torch.tensor(2.6592)
        )  # log(1 / 0.07), where CLIP's training starts
        self.image_size = vision["image_size"]

    def embed_pictures(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (f, 3, H, H), from `preprocess` -> unit vectors (f, p)."""
        return F.normalize(self.visual_projection(self.vision_model(pixels)), dim=-1)

    def embed_texts(self, ids: Tensor, end: int) -> Tensor:
        """Token ids (b, l) -> unit vectors (b, p), read at each row's first `end` token."""
        last = (ids == end).int().argmax(dim=1)
        return F.normalize(self.text_projection(self(ids)[torch.arange(len(ids)), last]), dim=-1)


def preprocess(frames: Tensor, size: int) -> Tensor:
    """Frames (f, 3, H, W) in [-1, 1] -> CLIP's input (f, 3, size, size), as transformers'
    CLIPImageProcessorPil."""
    h, w = frames.shape[2:]
    new = (
        size * w // min(h, w),
        size * h // min(h, w),
    )  # `size` is the short side; the long one is rounded down
    left, top = (new[0] - size) // 2, (new[1] - size) // 2
    pictures = [
        np.asarray(Image.fromarray(p).resize(new, Image.Resampling.BICUBIC))
        for p in to_uint8(frames)
    ]
    x = (
        torch.from_numpy(np.stack(pictures))[:, top : top + size, left : left + size].permute(
            0, 3, 1, 2
        )
        / 255
    )
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def frame_consistency(vectors: Tensor, adjacent: bool = False) -> float:
    """Mean cosine of frames' CLIP vectors (f, p), in percent: over all pairs, or neighbours only;
    nan if f is 1."""
    i, j = torch.triu_indices(len(vectors), len(vectors), offset=1)  # i < j
    cosines = F.cosine_similarity(
        vectors[i].double(), vectors[j].double()
    ).float()  # so that a still has exactly 100
    return 100 * cosines[(j == i + 1) | (not adjacent)].mean().item()


def textual_alignment(vectors: Tensor, text: Tensor) -> float:
    """Mean of 100 times the cosine of each frame's CLIP vector (f, p) and the prompt's (p,)."""
    return 100 * F.cosine_similarity(vectors, text[None]).mean().item()


@torch.no_grad()
def scores(
    clip: CLIP, tokenizer: Tokenizer, videos: list[tuple[str, Tensor]], prompts: list[str]
) -> list[tuple[str, float, float, float]]:
    """The scores of videos (name, (f, 3, H, W)), each beside its own prompt.

    A row for each: its name, its frame consistency over all pairs of frames and over neighbours,
    and its textual alignment.
    """
    rows, device = [], clip.logit_scale.device
    for (name, frames), prompt in zip(videos, prompts, strict=True):
        vectors = clip.embed_pictures(preprocess(frames, clip.image_size).to(device)).cpu()  # f p
        text = clip.embed_texts(tokenizer(prompt).to(device), tokenizer.end)[0].cpu()  # p
        consistency, adjacent = frame_consistency(vectors), frame_consistency(vectors, True)
        rows.append((name, consistency, adjacent, textual_alignment(vectors, text)))
    return rows
