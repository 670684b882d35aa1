"""What CI asks of a run: the jacket's colour is measured where the jacket is."""

import math

import pytest

from weights.benchmark.clips import drawn, make_clip
from weights.make.check import color_error, masks
from weights.make.world.styles import jacket_mask


def test_the_error_of_a_jackets_colour_is_that_of_the_jacket():
    worn = make_clip(0, 2).edits["background"]
    ideal, jacket = drawn(worn, 128), masks(worn, 128, jacket_mask) > 0.5
    assert jacket.sum() > 200
    redder = ideal.clone()
    redder[:, 0][jacket] += 0.2
    redder[:, 1][~jacket] = 0
    assert color_error(redder, ideal, jacket) == pytest.approx(0.2 / 3, abs=1e-5)
    assert math.isnan(color_error(redder, ideal, jacket & ~jacket))
