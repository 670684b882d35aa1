"""Exercise 06, 2: the numbers of the original layout."""


def block(theirs: str) -> str:
    return named(theirs, first=1)


def named(theirs: str, first: int) -> str:
    """`first`: the number of the first input block that is counted."""
    if theirs == "input_blocks.0.0":
        return "conv_in"
    way, number, *inside = theirs.split(".")
    way, number = ("down", int(number) - first) if way == "input_blocks" else ("up", int(number))
    level, i = divmod(number, 3)
    if inside[-1] in ("op", "conv"):
        return f"{way}_blocks.{level}.{way}samplers.0.conv"
    return f"{way}_blocks.{level}.{['resnets', 'attentions'][int(inside[0])]}.{i}"


def conv_in_forgotten(theirs: str) -> str:
    return named(theirs, first=0)


def up_counted_from_the_top(theirs: str) -> str:
    way, number, rest = (
        block(theirs).split(".", 2) if "." in block(theirs) else (block(theirs), "", "")
    )
    return f"{way}.{3 - int(number)}.{rest}" if way == "up_blocks" else block(theirs)


def upsampling_taken_for_attention(theirs: str) -> str:
    return block(theirs.removesuffix(".conv"))


WRONG = [conv_in_forgotten, up_counted_from_the_top, upsampling_taken_for_attention]
