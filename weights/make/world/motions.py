"""How subjects move: smooth trajectories of poses, the moves that training never shows, and random
scenes.

Random generators may be `random.Random` or a numpy `Generator`: only their `.random()` is used.
"""

from dataclasses import dataclass, replace
from math import cos, floor, pi, sin

from .captions import pick
from .scenes import (
    ACTIONS,
    ATTRIBUTES,
    BACKGROUNDS,
    COLORS,
    DOERS,
    DYES,
    FOLK,
    FOODS,
    FURS,
    GEAR,
    HAIRS,
    MOVES,
    PATTERNS,
    SHOES,
    SKINS,
    STYLES,
    SUBJECTS,
    TILTED,
    TRIMS,
    TROUSERS,
    VEHICLES,
    Camera,
    Looks,
    Pose,
    Scene,
    check,
    held_out,
)
from .skeletons import launched, stand

GROUND = {"skiing": 0.865, "surfing": 0.86}  # height of the feet in the frame, on the average


def span(rng, low: float, high: float) -> float:
    """A number between low and high, at random."""
    return low + (high - low) * float(rng.random())


def smooth(t: float) -> float:
    """0 .. 1 with a gentle start and end, for t in 0 .. 1."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


# ---- trajectories


@dataclass(frozen=True)
class Way:
    """How one trajectory differs from the next."""

    side: float = 1.0  # -1 or 1, direction
    phase: float = 0.0  # where in its cycle the motion starts, turns
    swing: float = 1.0  # size of the movements
    pace: float = 1.0  # speed
    middle: float = 0.5  # share of the frame
    scale: float = 0.98


def motion(action: str, frames: int, rng=None, move: str = "") -> list[tuple[Pose, Camera]]:
    """One smooth trajectory of the action; without rng the canonical one.

    With a move of MOVES[action], the middle of it is that move.
    """
    if move and move not in MOVES[action]:
        raise ValueError(f"{move!r} is no move of {action}; there are {MOVES[action]}")
    way, zooms = Way(), (0.98, 1.03)
    if rng is not None:
        ranges = ((0, 1), (0.7, 1.05), (0.75, 1.2), (0.46, 0.54), (0.92, 1.0))
        side = 1.0 if rng.random() < 0.6 else -1.0
        way = Way(side, *(span(rng, *ends) for ends in ranges))
        zooms = (span(rng, 0.95, 1.05), span(rng, 0.95, 1.05))
    if move:
        zooms = (0.93, 0.93)  # so that all of it stays in the frame
    step = {"skiing": _ski, "surfing": _surf, "moving": _drive, "eating": _eat}[action]
    reach = (
        {"skiing": 0.8, "surfing": 0.9, "moving": 1.1, "eating": 0.12}[action] * way.side * way.pace
    )
    poses = []
    for i in range(frames):
        t = i / max(frames - 1, 1)
        pose = step(t, way)
        if move:
            pose = in_move(pose, move, (t - 0.28) / 0.5, way.side)
        poses.append((pose, Camera(reach * t, zooms[0] + (zooms[1] - zooms[0]) * smooth(t))))
    return poses


def in_move(pose: Pose, move: str, t: float, side: float) -> Pose:
    """The pose during a move that starts at t = 0 and ends at t = 1; otherwise unchanged."""
    if not 0 < t < 1:
        return pose
    full = min(1.0, 3 * t, 3 * (1 - t))  # how far the body has taken the shape of the move
    arc = 4 * t * (1 - t)
    if move == "long jump":
        if pose.stride == 0 and pose.crouch == 0:  # a vehicle: nose up, then down
            return replace(
                pose, y=pose.y - 0.2 * arc, lift=0.2 * arc, lean=side * -2.4 * (1 - 2 * t) * full
            )
        body = replace(
            pose, crouch=pose.crouch + (0.45 - pose.crouch) * full, lean=pose.lean * (1 - full)
        )
        return launched(body, 0.17 * arc, 0.0, full)
    turn = 2 * pi * smooth(t) * side
    if move == "backflip":
        body = replace(pose, crouch=pose.crouch + (0.85 - pose.crouch) * full)
        return launched(body, 0.16 * arc, -turn)
    body = replace(pose, facing=pose.facing * (1 - full), crouch=pose.crouch * (1 - full))
    return launched(body, 0.08 * arc, turn, full)  # a cartwheel


def _ski(t: float, w: Way) -> Pose:
    """Slalom: swings across the slope, leans into the turns, stands up between them."""
    a = 2 * pi * (1.1 * w.pace * t + w.phase) - 1.1
    return stand(
        w.middle + 0.11 * w.swing * sin(a) * w.side,
        GROUND["skiing"] + 0.02 * cos(a),
        w.scale,
        crouch=0.5 - 0.45 * cos(2 * a),
        lean=-0.8 * w.swing * sin(a) * w.side,
        facing=cos(a) * w.side,
        stride=0.8 * sin(a + 0.6),
        arms=sin(a + 0.9) * w.side,
        ears=sin(2 * a + 0.8),
    )


def _surf(t: float, w: Way) -> Pose:
    """Rides up and down the wave, low at the foot of it, balancing with the arms."""
    a = 2 * pi * (1.2 * w.pace * t + w.phase)
    return stand(
        w.middle + 0.08 * w.swing * sin(a - 0.9) * w.side,
        GROUND["surfing"] - 0.04 * w.swing * sin(a),
        w.scale,
        crouch=0.5 - 0.45 * sin(a + 0.7),
        lean=-0.75 * w.swing * cos(a) * w.side,
        facing=w.side * (0.8 + 0.18 * cos(a)),
        stride=0.6 * sin(a + 1),
        arms=w.swing * sin(a + 2),
        ears=sin(2 * a),
    )


def _drive(t: float, w: Way) -> Pose:
    """Drives along the road, wheels turning, body bobbing."""
    a = 2 * pi * (2 * w.pace * t + w.phase)
    x, y = w.middle + w.side * w.swing * 0.12 * (t - 0.5), 0.65 + 0.012 * w.swing * sin(a)
    wheel = w.pace * 0.95 * t + w.phase
    return Pose(x, y, w.scale, 0.0, 0.6 * w.swing * sin(a + 1.2), facing=w.side, wheel=wheel)


def _eat(t: float, w: Way) -> Pose:
    """Bends down for a bite and comes up to chew, twice or three times."""
    a = 2.0 * w.pace * t + 0.1 + 0.3 * w.phase
    bite = (floor(a) + min(max(a - floor(a) - 0.3, 0) / 0.4, 1)) / 3
    dip, turn = (0.5 - 0.5 * cos(2 * pi * a)) * min(1.0, 0.85 + 0.2 * w.swing), sin(2 * pi * a)
    return Pose(
        w.middle - 0.03 * w.side,
        0.64,
        w.scale,
        crouch=0.0,
        lean=(0.6 * w.swing * dip - 0.15) * w.side,
        facing=w.side,
        arms=0.7 * turn,
        ears=sin(2 * pi * a + 0.9),
        dip=dip,
        bite=min(bite, 0.95),
    )


def clip(scene: Scene, frames: int, rng=None, move: str = "") -> list[Scene]:
    """The scene in motion: one scene per frame."""
    moving = motion(scene.action, frames, rng, move)
    return [replace(scene, pose=pose, camera=camera) for pose, camera in moving]


# ---- at random


def random_pose(action: str, rng) -> Pose:
    """Any pose that some trajectory of the action may reach, but for whole turns."""
    side, scale, lean = 1.0 if rng.random() < 0.6 else -1.0, span(rng, 0.9, 1.02), span(rng, -1, 1)
    free = {"arms": span(rng, -1, 1), "ears": span(rng, -1, 1)}
    if action == "moving":
        x, y, wheel = span(rng, 0.42, 0.58), span(rng, 0.63, 0.67), span(rng, 0, 1)
        lift, nose = span(rng, 0, 0.2), span(rng, -2.4, 2.4)
        if rng.random() < 0.75:
            lift, nose = 0.0, 0.8 * lean
        return Pose(x, y - lift, scale, 0.0, nose, facing=side, wheel=wheel, lift=lift)
    if action == "eating":
        free |= {"facing": side, "dip": span(rng, 0, 1), "bite": span(rng, 0, 0.95)}
        return Pose(span(rng, 0.43, 0.57), span(rng, 0.625, 0.655), scale, 0.0, lean, **free)
    free |= {"stride": span(rng, -1, 1), "crouch": span(rng, 0, 1), "scale": scale, "lean": lean}
    ground = GROUND[action] + span(rng, -0.055, 0.04)
    if action == "surfing":
        pose = stand(span(rng, 0.40, 0.60), ground, facing=side * span(rng, 0.2, 1), **free)
    else:
        pose = stand(span(rng, 0.37, 0.63), ground, facing=span(rng, -1, 1), **free)
    return _acrobatic(pose, rng) if rng.random() < 0.35 else pose


def _acrobatic(pose: Pose, rng) -> Pose:
    """The pose in the air, with its limbs wide, or tilted: each of these half of the time."""
    smaller = replace(pose, scale=0.94 * pose.scale)  # so that it stays in the frame
    lift = span(rng, 0.0, 0.06 + 0.12 * pose.crouch) if rng.random() < 0.5 else 0.0
    turn = span(rng, -TILTED, TILTED) if rng.random() < 0.5 else 0.0
    spread = span(rng, 0.0, 1.0) if rng.random() < 0.5 else 0.0
    return launched(smaller, lift, turn, spread)


def random_looks(rng, all_of_them: bool = False) -> Looks:
    """Looks at random; only with `all_of_them` also the pattern and the furs that are held out."""
    jacket = pick(rng, tuple(DYES))
    striped = rng.random() < 0.25
    pattern = pick(rng, PATTERNS) if all_of_them else "striped" if striped else "plain"
    return Looks(
        jacket=jacket,
        second=pick(rng, [dye for dye in DYES if dye != jacket]),
        pattern=pattern,
        sleeves="short" if rng.random() < 0.3 else "long",
        trousers=pick(rng, TROUSERS),
        shoes=pick(rng, SHOES),
        hair=pick(rng, tuple(HAIRS)),
        skin=pick(rng, tuple(SKINS)),
        fur=int(rng.random() * (FURS if all_of_them else FURS - 1)),
        paint=pick(rng, tuple(DYES)),
        trim=pick(rng, TRIMS),
        gear=pick(rng, GEAR),
    )


def random_scene(rng, allow_held_out: bool = False, **fixed) -> Scene:
    """A valid scene with every field drawn at random except the fixed ones.

    Poses are those of training even where held-out words and looks are allowed.
    """
    able = [a for a in ACTIONS if "subject" not in fixed or fixed["subject"] in DOERS[a]]
    able = ["eating"] if fixed.get("food") else able
    weighted = [a for a in able for _ in range({"moving": 3, "eating": 3}.get(a, 7))]
    for _ in range(2000 if weighted else 0):
        action = fixed.get("action") or pick(rng, weighted)
        doers = DOERS.get(action, SUBJECTS)
        subject = pick(rng, [who for who in doers for _ in range(3 if who in FOLK else 1)])
        made = {
            "action": action,
            "subject": subject,
            "food": pick(rng, FOODS) if action == "eating" else "",
            "attribute": "none"
            if action == "moving" or rng.random() < 0.5
            else pick(rng, ATTRIBUTES[1:]),
            "background": "plain" if rng.random() < 0.15 else pick(rng, BACKGROUNDS),
            "style": "plain" if rng.random() < 0.3 else pick(rng, STYLES),
            "looks": random_looks(rng, allow_held_out),
            "pose": random_pose(action, rng),
            "camera": Camera(span(rng, -1.5, 1.5), span(rng, 0.94, 1.05)),
            "seed": int(rng.random() * 10000),
        }
        named = (
            subject in FOLK + VEHICLES
            and made["attribute"] != "pink clothes"
            and rng.random() < 0.25
        )
        made["color"] = pick(rng, COLORS) if named else ""
        try:
            scene = check(Scene(**(made | fixed)))
        except ValueError:
            continue
        if allow_held_out or not held_out(scene):
            return scene
    raise ValueError(f"there is no scene, or none that may be trained on, with {fixed}")
