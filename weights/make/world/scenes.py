"""What a picture of the drawn world shows: scenes, the looks that captions leave open, what is held
out.

A `Scene` says who does what, where, in which style, in which pose and seen by which camera. Pose
and camera are plain numbers, so a film is a list of scenes, and the same film with another hero is
the same list with one field replaced (`edit`). What a caption does not say is in `Looks`: it
changes the picture, not the words.

Coordinates are shares of the frame: (0, 0) is the top left corner, (1, 1) the bottom right one.
"""

import hashlib
from dataclasses import dataclass, field, replace

NAMES = ("spider man", "wonder woman", "iron man", "mickey mouse")  # proper names take no article
FOLK = ("man", "woman", "boy")  # people in plain clothes, whose looks are open
PEOPLE = (*FOLK, *NAMES, "robot", "astronaut")
ANIMALS = ("panda", "raccoon", "rabbit", "tiger", "puppy", "cat")
VEHICLES = ("jeep", "sports car")
EATERS = ("rabbit", "cat", "puppy", "tiger")
SUBJECTS = PEOPLE + ANIMALS + VEHICLES
ACTIONS = ("skiing", "surfing", "moving", "eating")
FOODS = ("watermelon", "orange", "pizza")
BACKGROUNDS = ("plain", "snow", "beach", "desert", "grass", "city", "sunset", "night")
ATTRIBUTES = ("none", "cowboy hat", "birthday hat", "sunglasses", "pink clothes")
STYLES = ("plain", "cartoon", "comic", "sketch", "watercolor", "pixel art")
DOERS = {
    "skiing": PEOPLE + ANIMALS,
    "surfing": PEOPLE + ANIMALS,
    "moving": VEHICLES,
    "eating": EATERS,
}
MOVES = {  # what may happen in the middle of a clip
    "skiing": ("long jump", "backflip", "cartwheel"),
    "surfing": ("long jump", "backflip", "cartwheel"),
    "moving": ("long jump",),
    "eating": (),
}
WHOLE_TURNS = ("backflip", "cartwheel")  # moves that training never shows
TILTED = 0.5  # radians: how far training turns a figure over, besides its lean

# ---- looks that captions leave open

Color = tuple[int, int, int]
DYES: dict[str, Color] = {  # of clothes and cars
    "red": (222, 38, 46),
    "orange": (248, 134, 28),
    "yellow": (252, 208, 44),
    "green": (38, 156, 76),
    "blue": (40, 92, 222),
    "purple": (138, 58, 190),
    "white": (240, 240, 244),
    "black": (40, 38, 50),
    "teal": (24, 170, 172),
    "lime": (166, 212, 56),
    "brown": (128, 80, 48),
    "gray": (136, 144, 158),
}
COLORS = (
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "white",
    "black",
)  # captions name these
TROUSERS = ("blue", "black", "brown", "gray", "green", "red", "orange", "white")
SHOES = ("black", "brown", "red", "white")
TRIMS = ("white", "black", "yellow", "gray")  # of cars
GEAR = ("orange", "red", "blue", "yellow", "purple", "teal")  # skis and surfboards
HAIRS: dict[str, Color] = {
    "brown": (104, 58, 26),
    "black": (38, 32, 40),
    "blond": (244, 200, 84),
    "red": (206, 86, 30),
    "gray": (172, 172, 180),
    "auburn": (130, 44, 40),
}
SKINS: dict[str, Color] = {
    "light": (252, 214, 180),
    "tan": (244, 194, 150),
    "olive": (214, 164, 112),
    "brown": (164, 108, 70),
    "dark": (112, 72, 50),
}
PATTERNS = ("plain", "striped", "halves")
FURS = 4  # of each kind of animal; the last is held out


@dataclass(frozen=True)
class Looks:
    """What one sees and no caption says. Named heroes, robots and astronauts keep their costume."""

    jacket: str = "blue"  # of DYES
    second: str = "white"  # of DYES: the jacket's other colour, where it has a pattern
    pattern: str = "plain"
    sleeves: str = "long"  # or "short"
    trousers: str = "brown"
    shoes: str = "black"
    hair: str = "brown"
    skin: str = "tan"
    fur: int = 0  # of an animal
    paint: str = "red"  # of a car
    trim: str = "white"  # of a car
    gear: str = "orange"  # skis, surfboard


@dataclass(frozen=True)
class Pose:
    """Where the subject is and how it holds itself.  Lengths are shares of the frame."""

    x: float = 0.5  # hip of a figure, centre of a vehicle's body, chest of an eater
    y: float = 0.65
    scale: float = 1.0  # 1 is the usual size; about 0.9 .. 1.06
    crouch: float = 0.3  # 0 stands upright, 1 squats low
    lean: float = (
        0.0  # -1 .. 1, tilt to the left .. right (see skeletons.TILT; a vehicle's is a quarter)
    )
    stride: float = 0.0  # -1 .. 1, right foot ahead .. left foot ahead
    arms: float = 0.0  # -1 .. 1, left arm up and right arm down .. the other way round
    facing: float = 1.0  # -1 looks and travels to the left, 0 to the viewer, 1 to the right
    ears: float = 0.0  # -1 .. 1, bobbing of ears, hair and tail
    dip: float = 0.0  # 0 .. 1, an eater's head from upright down to the food
    bite: float = 0.0  # 0 .. 1, share of the food already eaten
    wheel: float = 0.0  # turns made by the wheels of a vehicle
    lift: float = 0.0  # height above the ground
    turn: float = 0.0  # radians clockwise, besides the lean; at most TILTED in training
    spread: float = 0.0  # 0 .. 1, arms and legs stretched wide


@dataclass(frozen=True)
class Camera:
    """The camera follows the subject: panning scrolls the backdrop, zooming enlarges everything."""

    pan: float = 0.0  # frame widths travelled to the right; far things scroll less than near ones
    zoom: float = 1.0  # magnification about the middle of the frame; about 0.93 .. 1.06


@dataclass(frozen=True)
class Scene:
    """Everything there is to know about one picture."""

    subject: str = "man"
    action: str = "skiing"
    color: str = ""  # of the jacket or the car, where the caption names it; of COLORS
    food: str = ""
    attribute: str = "none"
    background: str = "plain"
    style: str = "plain"
    looks: Looks = field(default_factory=Looks)
    pose: Pose = field(default_factory=Pose)
    camera: Camera = field(default_factory=Camera)
    seed: int = 0  # arranges and tints the backdrop

    @property
    def jacket(self) -> str:
        """The colour of the jacket, whether named or not."""
        return self.color or self.looks.jacket

    @property
    def paint(self) -> str:
        """The colour of a car, whether named or not."""
        return self.color or self.looks.paint

    @property
    def dye(self) -> str:
        """The colour that a caption could name, as one sees it; "" where there is none."""
        if self.subject in VEHICLES:
            return self.paint
        plain_clothes = self.subject in FOLK and self.attribute != "pink clothes"
        return self.jacket if plain_clothes else ""


def check(scene: Scene) -> Scene:
    """The scene itself if its parts go together; ValueError if not."""
    known = (
        (scene.action, ACTIONS),
        (scene.subject, DOERS.get(scene.action, ())),
        (scene.color, ("", *COLORS) if scene.dye else ("",)),
        (scene.food, FOODS if scene.action == "eating" else ("",)),
        (scene.attribute, ("none",) if scene.action == "moving" else ATTRIBUTES),
        (scene.background, BACKGROUNDS),
        (scene.style, STYLES),
    )
    for value, allowed in known:
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {allowed} (action {scene.action!r})")
    return scene


def edit(scenes: list[Scene], **changes) -> list[Scene]:
    """The same motion with another subject, background, style ...; ValueError if it is not
    possible.
    """
    return [check(replace(scene, **changes)) for scene in scenes]


# ---- what training never shows


def one_in(count: int, *words: str) -> bool:
    """True for one in `count` of all combinations of words, always the same ones."""
    digest = hashlib.sha256("|".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") % count == 0


def new_words(scene: Scene) -> bool:
    """Whether training never shows this subject, background and style together: one in ten."""
    return one_in(10, scene.subject, scene.background, scene.style)


def new_looks(scene: Scene) -> bool:
    """Whether training never shows these looks: one pattern, one fur of each animal, one pair of
    colours in six (jacket and trousers, paint and trim).
    """
    looks = scene.looks
    if scene.subject in FOLK:
        worn = scene.attribute != "pink clothes"
        return worn and (looks.pattern == "halves" or one_in(6, scene.jacket, looks.trousers))
    if scene.subject in ANIMALS:
        return looks.fur == FURS - 1
    return scene.subject in VEHICLES and one_in(6, scene.paint, looks.trim)


def new_motion(scene: Scene) -> bool:
    """Whether training never shows such a pose: turned over."""
    return abs(scene.pose.turn) > TILTED


def held_out(scene: Scene) -> bool:
    """Whether training never shows such a scene, for whatever reason."""
    return new_words(scene) or new_looks(scene) or new_motion(scene)
