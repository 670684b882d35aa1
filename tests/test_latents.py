"""The latents of the recipe: kept where done, made anew by a VAE that was trained further."""

import numpy as np

from weights.make.pictures import make_pictures
from weights.make.train import latents, make_latents, new_vae
from weights.make.training import write_state


def test_a_vae_that_was_trained_further_encodes_anew(tmp_path, capsys):
    make_pictures(tmp_path, 3, 1)
    write_state("vae", new_vae(), tmp_path, 10)
    make_latents(tmp_path, "cpu")
    first = latents(tmp_path)
    assert first.means.shape == (4, 4, 16, 16) and first.scale > 0
    np.lib.format.open_memmap(tmp_path / "means.npy", "r+")[:] = 0  # would be seen if made again
    make_latents(tmp_path, "cpu")
    assert not latents(tmp_path).means.any()
    write_state("vae", new_vae(), tmp_path, 20)
    make_latents(tmp_path, "cpu")
    assert latents(tmp_path).means.any()
