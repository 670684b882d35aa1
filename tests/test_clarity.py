"""How clearly the miniature sees: the more noise, the less of the drawing is left."""

from tav import load
from weights.make.clarity import clarity, drawings
from weights.make.train import ROOT


def test_the_more_noise_the_less_clearly():
    found = list(clarity(load(str(ROOT / "weights" / "mini")), 3).values())
    assert found == sorted(found, reverse=True)
    assert found[0] > 25 and 15 < found[-1] < found[0] - 5


def test_the_drawings_are_always_the_same():
    frames, captions = drawings(2)
    again, _ = drawings(1)
    assert (frames[:1] == again).all() and captions[0] != captions[1]
