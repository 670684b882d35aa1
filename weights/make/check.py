"""Did the edits of a run on clip.mp4 happen, and does the figure still move as it did? CI asks this.

    python weights/make/check.py [RUN]       the newest run unless named; exit status 1 if not

Two questions for each frame of each edit. Does the judge (judge.py) see what the prompt changes? And is the frame
nearest to the ideal edit, drawn by world.py, of its own moment, rather than to that of another moment of the clip?
"""

import re
import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

import world  # noqa: E402
from evaluate import draw  # noqa: E402
from judge import load_judge  # noqa: E402

from tav.runs import Run  # noqa: E402
from tav.video import read_clip  # noqa: E402

ASKED, TIMELY = 0.75, 0.75  # least shares of frames, over all edits


def main() -> None:
    run, judge, found = Run(sys.argv[1] if len(sys.argv) > 1 else None), load_judge(), []
    first, stride, count = (run.settings[key] for key in ("start", "stride", "frames"))
    source = world.clip(world.Scene(), 16)[first::stride][:count]
    plain = world.parse(world.caption(source[0]))
    for file in sorted((run.path / "samples").glob("[0-9]-*.mp4")):
        asked = world.parse(re.sub("^[0-9]-", "", file.stem).replace("-", " "))
        changes = {key: value for key, value in asked.items() if value != plain[key]}
        video, _ = read_clip(file)
        ideal = draw(world.edit(source, **changes), video.shape[3])
        distance = (video[:, None] - ideal[None]).square().mean(dim=(2, 3, 4))  # f f
        timely = (distance.argmin(dim=1) == torch.arange(len(video))).float().mean().item()
        seen = [all(answer[key] == value for key, value in changes.items()) for answer in judge.answers(video)]
        found.append((sum(seen) / len(seen), timely))
        print(f"{file.stem}: the judge sees it in {found[-1][0]:.0%} of the frames, {timely:.0%} are of their moment")
    means = torch.tensor(found).mean(dim=0).tolist() if found else [0.0, 0.0]
    good = means[0] >= ASKED and means[1] >= TIMELY
    print(f"all: {means[0]:.0%}, {means[1]:.0%}; asked are {ASKED:.0%}, {TIMELY:.0%}: {'good' if good else 'NOT good'}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
