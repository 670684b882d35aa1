"""Exercise 14, 1: a step of an edit without inversion, for a network that predicts velocities."""


def flow_step(with_caption, with_prompt, clip, z, noise, s, s_next):
    of_clip = (1 - s) * clip + s * noise
    of_edit = of_clip + z - clip
    return z + (s_next - s) * (with_prompt(of_edit, s) - with_caption(of_clip, s))


def noise_mixed_into_z(with_caption, with_prompt, clip, z, noise, s, s_next):
    of_clip, of_edit = ((1 - s) * x + s * noise for x in (clip, z))
    return z + (s_next - s) * (with_prompt(of_edit, s) - with_caption(of_clip, s))


def noise_added_to_z(with_caption, with_prompt, clip, z, noise, s, s_next):
    of_clip = (1 - s) * clip + s * noise
    return z + (s_next - s) * (with_prompt(z + s * noise, s) - with_caption(of_clip, s))


def clip_without_noise(with_caption, with_prompt, clip, z, noise, s, s_next):
    of_clip = (1 - s) * clip + s * noise
    of_edit = of_clip + z - clip
    return z + (s_next - s) * (with_prompt(of_edit, s) - with_caption(clip, s))


def upwards(with_caption, with_prompt, clip, z, noise, s, s_next):
    moved = flow_step(with_caption, with_prompt, clip, z, noise, s, s_next)
    return z - (moved - z)


def words_swapped(with_caption, with_prompt, clip, z, noise, s, s_next):
    return flow_step(with_prompt, with_caption, clip, z, noise, s, s_next)


def nothing_subtracted(with_caption, with_prompt, clip, z, noise, s, s_next):
    of_edit = (1 - s) * clip + s * noise + z - clip
    return z + (s_next - s) * with_prompt(of_edit, s)


def length_of_a_step_of_ddim(with_caption, with_prompt, clip, z, noise, s, s_next):
    """In s / (1 - s), the ratio of noise to picture."""
    length = s_next / (1 - s_next) - s / (1 - s)
    moved = flow_step(with_caption, with_prompt, clip, z, noise, s, s_next)
    return z + length * (moved - z) / (s_next - s)


WRONG = [
    noise_mixed_into_z,
    noise_added_to_z,
    clip_without_noise,
    upwards,
    words_swapped,
    nothing_subtracted,
    length_of_a_step_of_ddim,
]
