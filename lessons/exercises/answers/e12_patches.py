"""Exercise 12: the image tower's first layer, without a convolution."""


def patch_tokens(images, weight):
    m = weight.shape[-1]
    patches = images.unflatten(3, (-1, m)).unflatten(2, (-1, m))  # f 3 rows m columns m
    vectors = patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # f n 3*m*m
    return vectors @ weight.flatten(1).T


def only_reshaped(images, weight):
    """The shape is right, but what it takes for a patch is a piece of some rows."""
    m = weight.shape[-1]
    return images.reshape(len(images), -1, 3 * m * m) @ weight.flatten(1).T


WRONG = only_reshaped
