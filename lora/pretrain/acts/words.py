"""Captions of scenes with a verb, in ordinary words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from lora.pretrain.acts import table
from lora.pretrain.acts.act import Act

# emojibase's labels that nobody says; the first word is the commonest
SAID = {
    "automobile": ("car",), "baguette bread": ("baguette",), "beer mug": ("beer", "mug of beer"),
    "beverage box": ("juice",),
    "billed cap": ("cap", "baseball cap"), "bubble tea": ("bubble tea",), "cheese wedge": ("cheese",),
    "couch and lamp": ("couch",), "crescent moon": ("moon", "crescent moon"),
    "cup with straw": ("soda", "drink"),
    "ear of corn": ("corn",), "front-facing baby chick": ("chick",), "full moon": ("moon", "full moon"),
    "glass of milk": ("milk", "glass of milk"), "headphone": ("headphones",),
    "hot beverage": ("coffee", "cup of coffee", "tea"),
    "kick scooter": ("scooter",), "magnifying glass tilted left": ("magnifying glass",),
    "meat on bone": ("meat",),
    "military medal": ("medal",), "motor scooter": ("scooter",), "poultry leg": ("chicken leg",),
    "red apple": ("apple",),
    "red heart": ("heart",), "red paper lantern": ("lantern", "paper lantern"),
    "rescue worker’s helmet": ("helmet",),
    "snowman without snow": ("snowman",), "soft ice cream": ("ice cream",), "sports medal": ("medal",),
    "t-rex": ("dinosaur", "t-rex"), "sauropod": ("dinosaur",), "teacup without handle": ("tea", "cup of tea"),
    "tropical drink": ("cocktail", "drink"), "two-hump camel": ("camel",), "video game": ("gamepad",),
    "woman’s hat": ("hat", "sun hat"), "wrapped gift": ("gift",), "roll of paper": ("toilet paper",),
    "sun": ("sun",),
    "deciduous tree": ("tree",), "four leaf clover": ("clover",),
    "ribbon": ("bow",),
    "pile of poo": ("poop",), "polar bear": ("polar bear",), "musical notes": ("music",),
}  # fmt: skip
BARE = frozenset({  # no article
    "coffee", "tea", "beer", "milk", "juice", "soda", "bubble tea", "cheese", "bread", "corn", "meat",
    "popcorn",
    "spaghetti", "sushi", "glasses", "sunglasses", "goggles", "headphones", "french fries", "pancakes",
    "cherries",
    "grapes", "books", "toilet paper", "peanuts", "bacon",
})  # fmt: skip
FORMS = {
    "feeling": ("{mood}",),
    "holding": ("{who} holding {what}", "{who} with {what}", "{who} is holding {what}"),
    "playing": ("{who} playing {what}", "{who} playing the {bare}", "{who} with {what}"),
    "drinking": ("{who} drinking {what}", "{who} drinking {bare}", "{who} with {what}"),
    "eating": ("{who} eating {what}", "{who} is eating {what}", "{who} eats {what}"),
    "reading": ("{who} reading {what}", "{who} reads {what}"),
    "wearing": ("{who} wearing {what}", "{who} in {what}", "{who} with {what}"),
    "riding": ("{who} riding {what}", "{who} on {what}", "{who} rides {what}"),
    "in": ("{who} in {what}", "{who} sitting in {what}"),
    "on": ("{who} on {what}", "{who} sitting on {what}", "{who} on top of {what}"),
    "loving": ("{plain} in love with {what}", "{plain} loves {what}", "{plain} and {what}, in love"),
    "beside": ("{who} and {what}", "{who} beside {what}", "{who} next to {what}"),
    "breathing fire": ("{who} breathing fire", "{who} spitting fire"),
}
MOODS = {
    "angry": ("angry {0}", "angry {0}", "mad {0}"),
    "sad": ("sad {0}", "sad {0}", "unhappy {0}"),
    "happy": ("happy {0}", "happy {0}", "smiling {0}"),
    "crying": ("crying {0}", "crying {0}", "weeping {0}"),
    "in love": ("{0} in love", "{0} in love", "loving {0}", "{0} with heart eyes"),
    "sleepy": ("sleepy {0}", "sleeping {0}", "tired {0}"),
    "surprised": ("surprised {0}", "surprised {0}", "shocked {0}"),
    "cool": ("cool {0}", "cool {0} with sunglasses", "{0} wearing sunglasses"),
}


def said(concept: str, rng: Random) -> str:
    """How people call a concept: ``cat face`` -> ``cat``."""
    words = SAID.get(concept)
    if words:
        return rng.choice(words)
    return concept.removesuffix(" face")


def with_article(words: str) -> str:
    """With "a" or "an", where people say one."""
    if words in BARE:
        return words
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def act_words(act: Act, drawings: Sequence[dict[str, object]], rng: Random) -> str:
    """The caption of a scene, without style and background."""
    plain = said(str(drawings[act.actor]["concept"]), rng)
    mood = rng.choice(MOODS[act.emotion]).format(plain) if act.emotion else plain
    what = str(drawings[act.other]["concept"]) if act.other >= 0 else ""
    bare = said(what, rng)
    thing = table.READ[what] if act.verb == "reading" else with_article(bare)
    article = rng.random() < 0.6
    return rng.choice(FORMS[act.verb]).format(
        who=with_article(mood) if article else mood,
        mood=with_article(mood) if article else mood,
        plain=with_article(plain) if article else plain,
        what=thing,
        bare=bare,
    )


def all_act_words() -> set[str]:
    """Every text that captions of scenes have beside the drawings' own names."""
    forms = {form for group in (FORMS, MOODS) for words in group.values() for form in words}
    bare = {re.sub(r"\{\w+\}", "", form) for form in forms}
    return bare | {word for words in SAID.values() for word in words} | set(table.READ.values()) | {"a an"}
