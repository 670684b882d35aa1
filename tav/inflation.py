"""An image UNet that eats video: SC-Attn, Temp-Attn, and which parameters train (lessons 07, 08,
09).

Shapes: b prompts, f frames, n = h*w tokens of a frame, d token width. Source: Tune-A-Video (arXiv
2212.11565). Convolutions work frame by frame, with frames folded into the batch; GroupNorms pool
over them (`layers.group_norm`).
"""

import torch
from torch import Tensor, nn

from .layers import Attention, attend
from .unet import BasicTransformerBlock, Transformer2DModel, UNet2DConditionModel


class SparseCausalAttention(Attention):
    """SC-Attn: frame i asks the first frame and the one before it, Q = W_q z_i, K, V = W_k, W_v
    [z_0, z_{i-1}].

    x is (b*f, n, d). Frame 0 has itself twice, which is plain self-attention: doubling every key
    changes no softmax. Later frames do not attend to themselves.
    """

    def forward(self, x: Tensor, frames: int) -> Tensor:
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        return self.to_out[0](
            attend(q, first_and_previous(k, frames), first_and_previous(v, frames), self.heads)
        )


def first_and_previous(x: Tensor, frames: int) -> Tensor:
    """(b*f, n, d) -> (b*f, 2n, d): for frame i, the tokens of frame 0 and of frame max(i-1, 0)."""
    x = x.unflatten(0, (-1, frames))  # b f n d
    previous = torch.cat([x[:, :1], x[:, :-1]], dim=1)
    return torch.cat([x[:, :1].expand_as(x), previous], dim=2).flatten(0, 1)


class TemporalAttention(Attention):
    """Temp-Attn of x (b*f, n, d): each place attends to the same place in all f frames, whatever
    their order."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        n = x.shape[1]
        x = x.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # b*n f d
        return super().forward(x).unflatten(0, (-1, n)).transpose(1, 2).flatten(0, 1)  # b*f n d


class VideoTransformerBlock(BasicTransformerBlock):
    """SC-Attn, attention to the text, feed-forward, Temp-Attn.

    Temp-Attn's output layer starts at zero, weight and bias, so that before tuning the video UNet
    is the image UNet. (The published code leaves the bias at its random initial value.)
    """

    def __init__(self, dim: int, heads: int, context_dim: int):
        with torch.device("meta"):  # what the image block has, `inflate` brings
            super().__init__(dim, heads, context_dim)
            self.attn1 = SparseCausalAttention(dim, heads)
        self.norm_temp = nn.LayerNorm(dim)
        self.attn_temp = TemporalAttention(dim, heads)
        nn.init.zeros_(self.attn_temp.to_out[0].weight)
        nn.init.zeros_(self.attn_temp.to_out[0].bias)

    def forward(self, x: Tensor, text: Tensor, frames: int = 1) -> Tensor:
        x = x + self.attn1(self.norm1(x), frames)
        x = x + self.cross_attention(self.norm2(x), text)
        x = x + self.ff(self.norm3(x))
        return x + self.attn_temp(self.norm_temp(x), frames)


def inflate(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Turn the image UNet into the video UNet, in place: every transformer block that is not one
    gets its video form.

    The image weights stay; Temp-Attn's queries, keys and values take PyTorch's initial values
    (`torch.manual_seed`).
    """
    for transformer in [m for m in unet.modules() if isinstance(m, Transformer2DModel)]:
        for i, block in enumerate(transformer.transformer_blocks):
            if not isinstance(block, VideoTransformerBlock):
                weight = block.attn2.to_k.weight
                video = VideoTransformerBlock(weight.shape[0], block.attn2.heads, weight.shape[1])
                video.load_state_dict(block.state_dict(), strict=False, assign=True)
                transformer.transformer_blocks[i] = video.to(weight.device, weight.dtype)
    return unet.to(
        memory_format=torch.channels_last
    )  # as its maps are, or convolutions convert weights at each call


TRAINED = ("attn1.to_q", "attn2.to_q", "attn_temp")  # `norm_temp` stays frozen, as published


def trainable(unet: UNet2DConditionModel) -> dict[str, nn.Parameter]:
    """Freeze the video UNet but for the queries of both attentions and all of Temp-Attn; name ->
    parameter."""
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(any(part in name for part in TRAINED))
    return {
        name: parameter for name, parameter in unet.named_parameters() if parameter.requires_grad
    }
