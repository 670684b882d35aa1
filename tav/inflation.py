"""Image UNet -> video UNet: SC-Attn, Temp-Attn, and which parameters train (lessons 07, 08, 09).

Shapes: b videos, f frames, n = h*w tokens of a frame, d token width. Frames are folded into the
batch, b*f rows. Source: Tune-A-Video (arXiv 2212.11565), "Network Inflation", and its published
code. Inflation changes the transformer blocks alone: convolutions work frame by frame as they are,
and `unet.py` says which GroupNorms pool over the frames.
"""

import torch
from torch import Tensor, nn

from .layers import Attention, attend
from .unet import BasicTransformerBlock, Transformer2DModel, UNet2DConditionModel


class SparseCausalAttention(Attention):
    """SC-Attn: frame i attends to the first frame and to the frame before it.

        Q = z_i W_q,   K = [z_0, z_{i-1}] W_k,   V = [z_0, z_{i-1}] W_v

    x is (b*f, n, d). Frame 0 attends to itself twice over: every key is there twice, which halves
    each weight and leaves the output as it was, that of plain self-attention. Later frames do not
    attend to themselves. Some call it ST-Attn, for spatio-temporal.
    """

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)  # b*f n d
        k = first_and_previous(k, frames)  # b*f 2n d
        v = first_and_previous(v, frames)  # b*f 2n d
        return self.to_out[0](attend(q, k, v, self.heads))


def first_and_previous(x: Tensor, frames: int) -> Tensor:
    """(b*f, n, d) -> (b*f, 2n, d): for frame i, the tokens of frame 0 and of frame max(i-1, 0)."""
    x = x.unflatten(0, (-1, frames))  # b f n d
    first = x[:, :1].expand_as(x)
    previous = torch.cat([x[:, :1], x[:, :-1]], dim=1)
    return torch.cat([first, previous], dim=2).flatten(0, 1)  # b*f 2n d


class TemporalAttention(Attention):
    """Temp-Attn: each position of a frame attends to the same position in all frames.

        Q = z^p W_q,   K = z^p W_k,   V = z^p W_v,   z^p = [z_0^p, ..., z_{f-1}^p] for position p

    x is (b*f, n, d). There is no mask, and nothing tells the order of the frames.
    """

    def forward(self, x: Tensor, frames: int = 1) -> Tensor:
        n = x.shape[1]
        x = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # b*n f d
        x = super().forward(x)
        return x.unflatten(0, (-1, n)).transpose(1, 2).flatten(0, 1)  # b*f n d


class VideoTransformerBlock(nn.Module):
    """SC-Attn, attention to the text, feed-forward, Temp-Attn; x is (b*f, n, d).

    It takes over the layers of `image`, the block of the image model. `spatial` and `temporal` are
    the classes of the two attentions over frames; without a temporal attention (None) the block
    ends after the feed-forward. Temp-Attn's output layer starts at zero, weight and bias, so that
    before tuning the video UNet does with a still what the image UNet does with the image. (The
    published code leaves the bias at its random initial value.)
    """

    def __init__(
        self, image: BasicTransformerBlock, spatial: type[Attention], temporal: type | None
    ):
        super().__init__()
        dim, heads = len(image.norm1.weight), image.attn1.heads
        self.norm1 = image.norm1
        with torch.random.fork_rng(devices=[]):  # so that Temp-Attn draws the same with any variant
            self.attn1 = spatial(dim, heads)
        for name, layer in image.attn1.named_children():  # to_q, to_k, to_v, to_out
            setattr(self.attn1, name, layer)
        self.norm2 = image.norm2
        self.attn2 = image.attn2
        self.norm3 = image.norm3
        self.ff = image.ff
        self.attn_temp = None
        if temporal is not None:
            self.norm_temp = nn.LayerNorm(dim)
            self.attn_temp = temporal(dim, heads)
            nn.init.zeros_(self.attn_temp.to_out[0].weight)
            nn.init.zeros_(self.attn_temp.to_out[0].bias)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        x = x + self.attn1(self.norm1(x), frames)
        x = x + self.attn2(self.norm2(x), frames, text)
        x = x + self.ff(self.norm3(x))
        if self.attn_temp is not None:
            x = x + self.attn_temp(self.norm_temp(x), frames)
        return x


def inflate(
    unet: UNet2DConditionModel,
    spatial: type[Attention] = SparseCausalAttention,
    temporal: type[Attention] | None = TemporalAttention,
) -> UNet2DConditionModel:
    """Turn the image UNet into the video UNet, in place, and return it.

    The image weights stay. Temp-Attn's `to_q`, `to_k`, `to_v` get PyTorch's random initial values
    (seed them by `torch.manual_seed`). In a frozen UNet what is new is frozen too; `trainable` says
    what trains. A UNet that is already inflated is left as it is.

    To try a variant of the method, pass other classes: `inflate(unet, spatial=Attention)` lets each
    frame attend to itself alone, `inflate(unet, temporal=None)` has no Temp-Attn. A class of your
    own extends `Attention`, and has a `forward` that takes x (b*f, n, d) and `frames`. It may have
    more layers than `Attention`; they keep the values that your class gives them.
    """
    transformers = [m for m in unet.modules() if isinstance(m, Transformer2DModel)]
    for transformer in transformers:
        image = transformer.transformer_blocks[0]
        if isinstance(image, VideoTransformerBlock):
            continue
        video = VideoTransformerBlock(image, spatial, temporal)
        video.to(image.norm1.weight)  # its device and dtype
        if not any(p.requires_grad for p in image.parameters()):
            video.requires_grad_(False)
        transformer.transformer_blocks[0] = video
    return unet


# What Tune-A-Video trains: the queries of both attentions of the image model, and all of Temp-Attn.
# `norm_temp` stays frozen, as in the published code.
TRAINED = ("attn1.to_q", "attn2.to_q", "attn_temp")


def trainable(unet: UNet2DConditionModel) -> dict[str, nn.Parameter]:
    """Freeze the UNet but for the parameters that Tune-A-Video trains; return these by name."""
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(any(part in name for part in TRAINED))
    return {name: p for name, p in unet.named_parameters() if p.requires_grad}
