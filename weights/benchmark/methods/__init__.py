"""The methods that are compared, by name.

A method is called with a `Job` and answers with a video (f, 3, H, W) for each of its prompts, by
the prompt's name. `label` says in a line what it does; `bound` is whether it looks at the answers.
A new one is a class in a file of its own in this folder, and a line here.
"""

from typing import Protocol

from torch import Tensor

from ..job import Job
from ..variants import PlainAttention
from .baselines import FrameByFrame, Ideal, Source
from .difference import Difference
from .keep import Keep
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
    "untuned": Untuned("inflated, untuned"),
    PLAIN: TuneAVideo("Tune-A-Video"),
    "no-sc": TuneAVideo("without SC-Attn", spatial=PlainAttention),
    "no-temp": TuneAVideo("without Temp-Attn", temporal=None),
    "no-self-q": TuneAVideo("SC-Attn's queries not tuned", parts=("attn2.to_q", "attn_temp")),
    "no-cross-q": TuneAVideo("cross-attention's not tuned", parts=("attn1.to_q", "attn_temp")),
    "no-inversion": TuneAVideo("without inversion", start="fresh"),
    # ---- beyond Tune-A-Video
    "caption": TuneAVideo("inverted with the caption", start="caption"),
    "keep-true": Keep("the unchanged is kept by the true mask"),
    "difference": Difference("the difference of two predictions"),
    "difference-80": Difference("the difference, 80 % with the clip's attention", attended=0.8),
    "difference-80-top": Difference(
        "the difference, 80 %, from the highest level on", attended=0.8, taken=1.0
    ),
    "difference-untuned": Difference("the difference, not tuned", tuned=False),
}
