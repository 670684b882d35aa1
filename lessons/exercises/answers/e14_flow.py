"""Exercise 14, 1: a step of an edit without inversion, for a network that predicts velocities."""


def flow_step(with_caption, with_prompt, clip, edit, noise, s, s_next):
    of_clip = (1 - s) * clip + s * noise
    of_edit = of_clip + edit - clip
    return edit + (s_next - s) * (with_prompt(of_edit, s) - with_caption(of_clip, s))


def noise_mixed_into_edit(with_caption, with_prompt, clip, edit, noise, s, s_next):
    of_clip, of_edit = ((1 - s) * x + s * noise for x in (clip, edit))
    return edit + (s_next - s) * (with_prompt(of_edit, s) - with_caption(of_clip, s))


WRONG = noise_mixed_into_edit
