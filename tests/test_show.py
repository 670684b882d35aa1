"""lessons/show.py: pictures, videos and maps land in one file, each where its label says."""

import numpy as np
import pytest
import torch
from PIL import Image

from lessons.show import HEIGHT, show


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """Shows pictures, and returns the page (h, w, 3) that was written."""
    monkeypatch.chdir(tmp_path)

    def page(**pictures) -> np.ndarray:
        show("00-test", **pictures)
        file = capsys.readouterr().out.removeprefix("shown in ").strip()
        return np.asarray(Image.open(tmp_path / file))

    return page


RED = torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1).expand(3, 16, 16)


def of_colour(page: np.ndarray, *colour: int) -> int:
    return int((page == colour).all(-1).sum())


def test_single_pictures_stand_beside_each_other(shown):
    page = shown(left=RED, right=-RED)
    assert page.shape[1] > 2 * HEIGHT > page.shape[0]
    left, right = np.array_split(page, 2, axis=1)
    assert of_colour(left, 255, 0, 0) == HEIGHT**2 == of_colour(right, 0, 255, 255)


def test_a_video_is_a_row_of_at_most_eight_from_first_to_last(shown):
    levels = torch.linspace(-1, 1, 20).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    page = shown(video=levels, single=RED)
    assert page.shape[0] > 2 * HEIGHT
    row = page[100, :, 0]
    assert len(np.unique(row[row < 255])) == 7 and 0 in row  # and the last is white
    assert of_colour(page, 255, 0, 0) == HEIGHT**2


def test_a_map_goes_from_black_to_white_in_squares(shown):
    page = shown(a_map=torch.tensor([[3.0, 4.0], [4.0, 5.0]]))
    for level, squares in ((0, 1), (128, 2), (255, 1)):
        assert of_colour(page[60:], *[level] * 3) >= squares * (HEIGHT // 2 - 4) ** 2
    assert shown(latents=torch.randn(4, 16, 16)).shape[1] > 4 * HEIGHT


def test_one_value_everywhere_is_no_division_by_zero(shown):
    assert of_colour(shown(flat=torch.zeros(4, 4)), 0, 0, 0) >= HEIGHT**2
