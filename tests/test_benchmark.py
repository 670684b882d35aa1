"""The benchmark's clips: fixed by number, and what their plans promise."""

import pytest

from weights.benchmark.clips import LOOKS, MOTION, PLANS, REPORT, SETTINGS, TRAINED, make_clip
from weights.make.world import scenes


@pytest.mark.parametrize("number", PLANS)
def test_a_clip_is_what_its_plan_says(number):
    clip = make_clip(number, 8)
    assert clip == make_clip(number, 8)
    assert scenes.new_looks(clip.source[0]) == (clip.kind == LOOKS)
    assert any(scene.pose.lift > 0 for scene in clip.source) == (clip.kind == MOTION)
    assert 5 <= len(clip.edits) <= 6 and "two" in clip.edits
    for name, edited in clip.edits.items():
        assert clip.prompt(name) != clip.caption
        for before, after in zip(clip.source, edited, strict=True):
            assert (before.pose, before.camera, before.looks) == (
                after.pose,
                after.camera,
                after.looks,
            )
            assert sum(getattr(before, k) != getattr(after, k) for k in vars(before)) in (1, 2)
    if "color" in clip.edits:  # another colour than the source shows
        assert clip.edits["color"][0].dye != clip.source[0].dye


def test_settings_and_report_have_clips_of_every_kind_and_none_in_common():
    assert {*SETTINGS, *REPORT} == set(PLANS)
    for kind in (TRAINED, LOOKS, MOTION):
        assert sum(PLANS[number].kind == kind for number in SETTINGS) == 2
        assert sum(PLANS[number].kind == kind for number in REPORT) == 4
    with pytest.raises(ValueError, match="no clip 6"):
        make_clip(6, 8)
