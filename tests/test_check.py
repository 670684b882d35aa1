"""What CI asks of a run: the measures that nothing else tests."""

import math

import pytest

from weights.benchmark.clips import drawn, make_clip
from weights.make.check import color_error, jackets, motion_error
from weights.make.pose import truth
from weights.make.train import demonstration


def test_the_error_of_a_jackets_colour_is_that_of_the_jacket():
    worn = make_clip(0, 2).edits["background"]
    ideal, jacket = drawn(worn, 128), jackets(worn, 128)
    assert jacket.sum() > 200
    redder = ideal.clone()
    redder[:, 0][jacket] += 0.2
    redder[:, 1][~jacket] = 0
    assert color_error(redder, ideal, jacket) == pytest.approx(0.2 / 3, abs=1e-5)
    assert math.isnan(color_error(redder, ideal, jacket & ~jacket))


def test_the_error_of_motion_is_nothing_where_it_moves_alike_and_one_where_it_stands_still():
    scenes = demonstration()
    points, seen = truth(scenes)
    assert motion_error(points, scenes) == 0
    assert seen.all(dim=0).sum() > 8
    still = points.mean(dim=0).expand_as(points)
    assert motion_error(still, scenes) == pytest.approx(1, abs=0.05)
    assert motion_error(points.flip(0), scenes) > 1
