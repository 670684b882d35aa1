"""Exercise 10: how much must a run keep so that it can be resumed to the last bit?"""


def state_bytes(sizes: list[int], steps: int) -> int:
    """The bytes of all tensors of `Tuning.state()` after so many steps, on tensors of so many
    trained weights each.

    Weights and whatever AdamW keeps of them are fp32. So are the step counter that it has for each
    tensor, and the scale of the loss. The losses are fp64.
    """
    raise NotImplementedError
