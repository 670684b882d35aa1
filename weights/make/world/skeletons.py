"""The skeletons that everything is drawn from, and how a figure stands, leaps and turns over."""

from dataclasses import dataclass, replace
from math import cos, sin, sqrt

from .pen import Point
from .scenes import Pose, Scene

HEIGHT = (
    0.78  # local unit of a figure of scale 1, as a share of the frame: it stands 0.9 of this tall
)
TILT = 0.4  # a figure with lean 1 is turned by this many radians
MIDDLE = (
    0.14  # height of a figure's middle above its hip, in figure heights: it turns over about this
)
CHILD = 0.9  # a boy's height as a share of a man's
VEHICLE, EATER = 0.68, 0.8  # local units of these, as HEIGHT is a figure's


@dataclass(frozen=True)
class Rig:
    """The named points of a subject in its own frame, and where that frame lies in the picture."""

    local: dict[str, Point]
    root: Point  # the local origin, shares of the frame
    unit: float  # local unit of length, as a share of the frame
    angle: float = 0.0  # radians
    flip: float = 1.0
    nod: float = 0.0  # angle of the head in the local frame, radians


def leg_height(crouch: float) -> float:
    """Height of the hip above the feet, in figure heights."""
    return 0.31 * (1 - 0.40 * crouch)


def stand(x: float, ground: float, scale: float, crouch: float, lean: float, **rest) -> Pose:
    """A figure standing on the ground, which is at the given height of the frame."""
    tall = HEIGHT * scale * leg_height(crouch)
    hip_x, hip_y = x + sin(TILT * lean) * tall, ground - cos(TILT * lean) * tall
    return Pose(hip_x, hip_y, scale, crouch, lean, **rest)


def launched(pose: Pose, lift: float, turn: float, spread: float = 0.0) -> Pose:
    """The standing pose raised by `lift`, and turned over about its middle by `turn`."""
    arm, before = HEIGHT * pose.scale * MIDDLE, TILT * pose.lean
    middle_x, middle_y = pose.x + sin(before) * arm, pose.y - cos(before) * arm - lift
    after = before + turn
    x, y = middle_x - sin(after) * arm, middle_y + cos(after) * arm
    return replace(pose, x=x, y=y, lift=lift, turn=turn, spread=spread)


def rig(scene: Scene) -> Rig:
    """The skeleton of the scene's subject; everything is drawn from it."""
    p, z = scene.pose, scene.camera.zoom
    root, unit = (0.5 + (p.x - 0.5) * z, 0.5 + (p.y - 0.5) * z), p.scale * z
    side = -1.0 if p.facing < 0 else 1.0
    if scene.action == "moving":
        local = {"centre": (0.0, 0.0), "roof": (-0.1, -0.34), "lamp": (0.5, -0.02)}
        local |= {"front_wheel": (0.32, 0.17), "back_wheel": (-0.32, 0.17)}
        return Rig(local, root, VEHICLE * unit, 0.25 * TILT * p.lean + p.turn, side)
    if scene.action == "eating":
        return Rig(_eater(p, side), root, EATER * unit, nod=0.2 * p.lean + 0.12 * side * p.dip)
    angle = TILT * p.lean
    unit *= HEIGHT * (CHILD if scene.subject == "boy" else 1.0)
    local = _biped(p, scene.action == "surfing")
    return Rig(local, root, unit, angle + p.turn, nod=-0.5 * angle)


def _eater(p: Pose, side: float) -> dict[str, Point]:
    """Joints of an animal that sits behind a table, about its hip; side: where the food is."""
    dip, reach = p.dip, 0.05 * p.arms
    return {
        "hip": (0.0, 0.0),
        "neck": (0.06 * side * dip, -0.17 + 0.1 * dip),
        "head": (0.12 * side * dip + 0.04 * p.lean - 0.04 * side, -0.33 + 0.19 * dip),
        "food": (0.25 * side, 0.085),
        "left_hand": (-0.2 + 0.03 * side, 0.15 - max(reach, 0.0)),
        "right_hand": (0.2 + 0.03 * side, 0.15 - max(-reach, 0.0)),
    }


def _biped(p: Pose, wide: bool) -> dict[str, Point]:
    """Joints of a standing figure about its hip, in figure heights; wide: balancing on a board."""
    neck, leg = (0.07 * p.crouch * p.facing, -0.24 + 0.02 * p.crouch), leg_height(p.crouch)
    local = {"hip": (0.0, 0.0), "neck": neck, "head": (neck[0] + 0.025 * p.facing, neck[1] - 0.165)}
    stance = (0.16 if wide else 0.095 + 0.03 * p.crouch) + 0.09 * p.spread
    for name, side in (("left", -1), ("right", 1)):
        step = p.stride * side * -0.05
        foot = (side * stance + step * p.facing * 1.3, leg - 0.4 * step - 0.03 * p.spread)
        bulge = sqrt(max(0.175**2 - (leg / 2) ** 2, 0.0004))
        knee = (foot[0] * 0.55 + bulge * (0.45 * side + 0.8 * p.facing), foot[1] * 0.5)
        lift, reach = (0.1, 0.27) if wide else (0.75 - 0.1 * p.crouch, 0.23)
        lift += (0.75 if wide else 0.6) * p.arms * -side
        lift += (-0.7 - lift) * p.spread  # both arms up and out
        shoulder = (neck[0] + side * 0.115, neck[1] + 0.045)
        hand = (shoulder[0] + side * reach * cos(lift), shoulder[1] + reach * sin(lift))
        hand = hand if wide else (hand[0] + 0.05 * p.facing * (1 - p.spread), hand[1])
        elbow = ((shoulder[0] + hand[0]) / 2 + side * 0.015, (shoulder[1] + hand[1]) / 2 + 0.04)
        joints = {"foot": foot, "knee": knee, "shoulder": shoulder, "elbow": elbow, "hand": hand}
        local |= {f"{name}_{joint}": point for joint, point in joints.items()}
    return local


def joints(scene: Scene) -> dict[str, Point]:
    """Named points of the subject as (x, y) shares of the frame, exactly where `draw` puts them."""
    r = rig(scene)
    c, s, u, (x0, y0) = cos(r.angle), sin(r.angle), r.unit, r.root
    turned = {name: (x * r.flip, y) for name, (x, y) in r.local.items()}
    return {
        name: (x0 + u * (x * c - y * s), y0 + u * (x * s + y * c))
        for name, (x, y) in turned.items()
    }
