"""Exercise 06, 2: the names of the original layout."""


def theirs(ours):
    if ours == "conv_in":
        return "input_blocks.0.0"
    way, level, kind, i, *_ = ours.split(".")
    number = 3 * int(level) + int(i)  # a level has three blocks of either kind
    if kind == "downsamplers":  # a block of its own, the last of its level, and conv_in is one more
        return f"input_blocks.{number + 3}.0.op"
    if kind == "upsamplers":  # the last thing in the level's last block
        place = 1 if level == "0" else 2
        return f"output_blocks.{number + 2}.{place}.conv"
    place = ["resnets", "attentions"].index(kind)
    if way == "down_blocks":
        return f"input_blocks.{number + 1}.{place}"
    return f"output_blocks.{number}.{place}"


def transformers_everywhere(ours):
    return theirs(ours).replace(".1.conv", ".2.conv")


WRONG = transformers_everywhere
