"""Exercise 06, 2: the names of the original layout."""


def theirs(ours):
    return named(ours, conv_in=1, per_level=3)


def named(ours, conv_in, per_level):
    """`conv_in`: how many input blocks come before the first level; `per_level`: how many blocks of
    either kind a level has."""
    if ours == "conv_in":
        return "input_blocks.0.0"
    way, level, kind, i, *_ = ours.split(".")
    number = per_level * int(level) + int(i)
    if kind == "downsamplers":  # a block of its own, the last of its level
        return f"input_blocks.{number + per_level - 1 + conv_in}.0.op"
    if kind == "upsamplers":  # the last thing in the level's last block
        place = 1 if level == "0" else 2
        return f"output_blocks.{number + per_level - 1}.{place}.conv"
    place = ["resnets", "attentions"].index(kind)
    if way == "down_blocks":
        return f"input_blocks.{number + conv_in}.{place}"
    return f"output_blocks.{number}.{place}"


def conv_in_forgotten(ours):
    return named(ours, conv_in=0, per_level=3)


def two_blocks_in_every_level(ours):
    return named(ours, conv_in=1, per_level=2)


def transformers_everywhere(ours):
    return theirs(ours).replace(".1.conv", ".2.conv")


def resampling_in_a_block_of_its_own(ours):
    name = theirs(ours)
    return name if not name.endswith(".conv") else name[: -len(".1.conv")] + ".0.conv"


WRONG = [
    conv_in_forgotten,
    two_blocks_in_every_level,
    transformers_everywhere,
    resampling_in_a_block_of_its_own,
]
