"""Scenes in words, and words read back. The wordings are those of the Tune-A-Video demos."""

import re
from functools import lru_cache

from .scenes import (
    ACTIONS,
    ATTRIBUTES,
    COLORS,
    FOODS,
    NAMES,
    STYLES,
    SUBJECTS,
    VEHICLES,
    Scene,
    check,
)

PLACES = {
    "plain": "",
    "snow": " on the snow",
    "beach": " on the beach",
    "desert": " in the desert",
    "grass": " on the grass",
    "city": " in the city",
    "sunset": " at sunset",
    "night": " at night",
}
ARTLESS = (*NAMES, "sunglasses", "pink clothes", "pixel art")  # these take no article


def with_article(noun: str) -> str:
    """The noun with its indefinite article, where it takes one."""
    if noun in ARTLESS:
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def pick(rng, options):
    """One of the options, at random; rng is a `random.Random` or a numpy `Generator`."""
    return options[int(rng.random() * len(options))]


def caption(scene: Scene, rng=None) -> str:
    """The scene in words; with rng one of several wordings, all of which `parse` understands."""

    def some(*wordings):
        """One of the wordings; the first is the canonical one."""
        return wordings[0] if rng is None else pick(rng, wordings)

    who = scene.subject
    if scene.color and who in VEHICLES:
        who = f"{scene.color} {who}"
    if who not in NAMES:
        who = some(with_article(who), with_article(who), f"the {who}")
    if scene.color and scene.subject not in VEHICLES:
        who += some(f" in {with_article(scene.color)} jacket", f" in the {scene.color} jacket")

    style_first = scene.style != "plain" and some(False, False, True)
    verb = "" if style_first else some(" is", " is", "")
    if scene.attribute != "none":
        worn = with_article(scene.attribute)
        verb = some(f", wearing {worn},{verb}", f" wearing {worn}{verb}", f" with {worn}{verb}")
    verb += " " + (some("moving", "driving") if scene.action == "moving" else scene.action)
    what = f" {with_article(scene.food)} on the table" if scene.food else ""
    what += " on the road" if scene.action == "moving" else ""
    text = f"{who}{verb}{what}{PLACES[scene.background]}"

    if scene.style == "plain":
        return text
    if style_first:
        return f"{with_article(scene.style)} of {text}"
    end = f", {scene.style} style"
    return text + some(
        end, end, f", in {scene.style} style", f", in the style of {with_article(scene.style)}"
    )


@lru_cache(maxsize=1)
def _grammar() -> re.Pattern:
    def one(words) -> str:
        return "|".join(sorted(map(re.escape, words), key=len, reverse=True))

    styles, colors = one(STYLES[1:]), one(COLORS)
    return re.compile(
        rf"(?:(?:an? )?(?P<front>{styles}) of )?(?:(?:an?|the) )?(?:(?P<paint>{colors}) )?"
        rf"(?P<subject>{one(SUBJECTS)})(?: in (?:an?|the) (?P<jacket>{colors}) jacket)?"
        rf"(?:,? (?:wearing|with) (?:an? )?(?P<attribute>{one(ATTRIBUTES[1:])}),?)?"
        rf"(?: is)? (?P<action>{one(ACTIONS + ('driving',))})"
        rf"(?: (?:an? |the )?(?P<food>{one(FOODS)})(?: on the table)?)?(?P<road> on the road)?"
        rf"(?P<place>{one(p for p in PLACES.values() if p)})?"
        rf"(?:,? (?:in )?(?P<style>{styles}) style|,? in the style of (?:an? )?(?P<late>{styles}))?"
    )


def parse(text: str) -> dict[str, str]:
    """What a caption says: subject, action, color, food, attribute, background, style; or
    ValueError.
    """
    found = _grammar().fullmatch(" ".join(text.lower().strip(" .").split()))
    said = found.groupdict() if found else {}
    styles = [said[key] for key in ("front", "style", "late") if said.get(key)]
    if not found or len(styles) > 1 or (said["paint"] and said["subject"] not in VEHICLES):
        raise ValueError(f"cannot read {text!r}")
    if said["road"] and said["action"] not in ("moving", "driving"):
        raise ValueError(f"cannot read {text!r}: only vehicles are on the road")
    if said["jacket"] and said["subject"] in VEHICLES:
        raise ValueError(f"cannot read {text!r}: a {said['subject']} wears no jacket")
    parts = {
        "subject": said["subject"],
        "action": said["action"].replace("driving", "moving"),
        "color": said["paint"] or said["jacket"] or "",
        "food": said["food"] or "",
        "attribute": said["attribute"] or "none",
        "background": next(
            name for name, phrase in PLACES.items() if phrase == (said["place"] or "")
        ),
        "style": (styles or ["plain"])[0],
    }
    check(Scene(**parts))
    return parts
