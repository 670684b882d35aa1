"""The methods that are compared, by name.

A method is called with a `Job` and answers with a video (f, 3, H, W) for each of its prompts, by
the prompt's name. `label` says in a line what it does; `bound` is whether it looks at the answers.
A new one is a class in a file of its own in this folder, and a line here.
"""

from typing import Protocol

from torch import Tensor

from tav.layers import Attention

from ..job import Job
from ..variants import CausalTemporalAttention
from .baselines import FrameByFrame, Ideal, Source
from .cfg_plus import CFGPlus
from .difference import Difference
from .fixed_point import FixedPoint
from .keep import Keep
from .source_attention import SourceAttention
from .tune_a_video import TuneAVideo, Untuned


class Method(Protocol):
    label: str
    bound: bool

    def __call__(self, job: Job) -> dict[str, Tensor]: ...


PLAIN = "plain"  # the method that the others are compared with
METHODS: dict[str, Method] = {
    "ideal": Ideal("the ideal edit, through the VAE"),
    "source": Source("the source, unedited"),
    # ---- what the paper compares with, and what it leaves out
    "fresh": FrameByFrame("frame by frame, a noise each", start="fresh"),
    "same": FrameByFrame("frame by frame, the same noise", start="same"),
    "inverted": FrameByFrame("frame by frame, inverted noise", start="inverted"),
    "untuned": Untuned("inflated, untuned"),
    PLAIN: TuneAVideo("Tune-A-Video"),
    "no-sc": TuneAVideo("without SC-Attn", spatial=Attention),
    "no-temp": TuneAVideo("without Temp-Attn", temporal=None),
    "causal-temp": TuneAVideo("with a causal Temp-Attn", temporal=CausalTemporalAttention),
    "no-self-q": TuneAVideo("SC-Attn's queries not tuned", parts=("attn2.to_q", "attn_temp")),
    "no-cross-q": TuneAVideo("cross-attention's not tuned", parts=("attn1.to_q", "attn_temp")),
    "no-inversion": TuneAVideo("without inversion", start="fresh"),
    # ---- beyond Tune-A-Video
    "caption": TuneAVideo("inverted with the caption", start="caption"),
    "cfg++": CFGPlus("CFG++"),
    "fixed-point": FixedPoint("fixed-point inversion"),
    "source-attention": SourceAttention("the source's queries and keys"),
    "keep": Keep("the unchanged is kept by a mask"),
    "keep-true": Keep("the unchanged is kept by the true mask", true_mask=True),
    "difference": Difference("the difference of two predictions"),
    "difference-80": Difference("the difference, 80 % with the clip's attention", attended=0.8),
    "difference-80-top": Difference(
        "the difference, 80 %, from the highest level on", attended=0.8, taken=1.0
    ),
    "difference-own": Difference(
        "the difference, and the edit decides where it looks", attended=0.0
    ),
    "difference-top": Difference("the difference, from the highest level on", taken=1.0),
    "difference-untuned": Difference("the difference, not tuned", tuned=False),
    "difference-50": Difference("the difference, in 50 steps", steps=50),
}
