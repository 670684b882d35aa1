"""Image UNet -> video UNet: SC-Attn, Temp-Attn, and which parameters train (lessons 07, 08, 09).

Shapes: b prompts, f frames, n = h*w tokens of a frame, d token width. Frames are folded into the
batch. Source: Tune-A-Video (arXiv 2212.11565), "Network Inflation", and its published code.
Inflation changes the transformer blocks alone: convolutions work frame by frame as they are, and
`unet.py` says which GroupNorms pool over the frames.
"""

import torch
from torch import Tensor, nn

from .layers import Attention, attend
from .unet import BasicTransformerBlock, Transformer2DModel, UNet2DConditionModel


class SparseCausalAttention(Attention):
    """SC-Attn: frame i attends to the first frame and to the frame before it.

        Q = W_q z_i,   K = W_k [z_0, z_{i-1}],   V = W_v [z_0, z_{i-1}]

    x is (b*f, n, d). Frame 0 attends to itself twice over: every key is there twice, which halves
    each weight and leaves the output as it was, that of plain self-attention. Later frames do not
    attend to themselves. Some call it ST-Attn, for spatio-temporal.
    """

    def forward(self, x: Tensor, frames: int) -> Tensor:
        q = self.to_q(x)  # b*f n d
        k = first_and_previous(self.to_k(x), frames)  # b*f 2n d
        v = first_and_previous(self.to_v(x), frames)  # b*f 2n d
        return self.to_out[0](attend(q, k, v, self.heads))


def first_and_previous(x: Tensor, frames: int) -> Tensor:
    """(b*f, n, d) -> (b*f, 2n, d): for frame i, the tokens of frame 0 and of frame max(i-1, 0)."""
    x = x.unflatten(0, (-1, frames))  # b f n d
    first = x[:, :1].expand_as(x)
    previous = torch.cat([x[:, :1], x[:, :-1]], dim=1)
    return torch.cat([first, previous], dim=2).flatten(0, 1)  # b*f 2n d


class TemporalAttention(Attention):
    """Temp-Attn: each place of a frame attends to the same place in all frames.

        Q = W_q z^p,   K = W_k z^p,   V = W_v z^p,   z^p = [z_0^p, ..., z_{f-1}^p] for place p

    x is (b*f, n, d). There is no mask, and nothing tells the order of the frames.
    """

    def forward(self, x: Tensor, frames: int) -> Tensor:
        places = x.shape[1]
        x = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # b*n f d
        x = super().forward(x)
        return x.unflatten(0, (-1, places)).transpose(1, 2).flatten(0, 1)  # b*f n d


class VideoTransformerBlock(BasicTransformerBlock):
    """SC-Attn, attention to the text, feed-forward, Temp-Attn; x is (b*f, n, d).

    `image` is the block of the image model, whose weights it takes over. `spatial` and `temporal`
    are the classes of the two attentions over frames. Temp-Attn's output layer starts at zero,
    weight and bias, so that before tuning the video UNet is the image UNet. (The published code
    leaves the bias at its random initial value.) Without a temporal attention (None) the block ends
    after the feed-forward.
    """

    def __init__(self, image: BasicTransformerBlock, spatial: type, temporal: type | None):
        dim, context_dim = image.attn2.to_k.weight.shape  # a weight is (out, in)
        heads = image.attn2.heads
        with torch.device("meta"):  # no memory, because the image block has the weights
            super().__init__(dim, heads, context_dim)
            self.attn1 = spatial(dim, heads)
        self.load_state_dict(image.state_dict(), assign=True)
        self.attn_temp = None
        if temporal is not None:
            self.norm_temp = nn.LayerNorm(dim)
            self.attn_temp = temporal(dim, heads)
            nn.init.zeros_(self.attn_temp.to_out[0].weight)
            nn.init.zeros_(self.attn_temp.to_out[0].bias)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        x = x + self.attn1(self.norm1(x), frames)
        x = x + self.cross_attention(self.norm2(x), text)
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
    (seed them by `torch.manual_seed`). A UNet that is already inflated is left as it is.

    To try a variant of the method, pass another attention: `inflate(unet, temporal=None)` has no
    Temp-Attn. A class of your own needs a `forward` that takes x (b*f, n, d) and `frames`.
    """
    transformers = [m for m in unet.modules() if isinstance(m, Transformer2DModel)]
    for transformer in transformers:
        image = transformer.transformer_blocks[0]
        if isinstance(image, VideoTransformerBlock):
            continue
        video = VideoTransformerBlock(image, spatial, temporal)
        transformer.transformer_blocks[0] = video.to(image.attn2.to_k.weight)
    # Like the feature maps. Otherwise each convolution would convert its weights at every call.
    return unet.to(memory_format=torch.channels_last)


Parts = tuple[str, ...]  # of parameter names
# What Tune-A-Video trains: the queries of both attentions of the image model, and all of Temp-Attn.
# `norm_temp` stays frozen, as in the published code.
TRAINED: Parts = ("attn1.to_q", "attn2.to_q", "attn_temp")


def trainable(unet: UNet2DConditionModel, parts: Parts = TRAINED) -> dict[str, nn.Parameter]:
    """Freeze the UNet but for parameters with one of the `parts` in their name; return these."""
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(any(part in name for part in parts))
    return {name: p for name, p in unet.named_parameters() if p.requires_grad}
