"""Words that no training caption may consist of: 60 synonyms, to see whether the base knows words or labels.

Each is a good single name for a concept that all six sets draw, but the concept's label is another word. Training
may use it among other words (``puppy`` beside ``pet``), never as the whole name of a drawing.
"""

from __future__ import annotations

from collections.abc import Iterable

from lora.pretrain.drawings import SETS, Drawing, held_out, shared_concepts

# word -> the concept whose picture answers it. All but "joyful face" are emojibase tags; chosen by hand before
# the second edition was trained, one word a concept.
SYNONYMS = {
    "applause": "clapping hands",
    "aubergine": "eggplant",
    "boo": "ghost",
    "bumblebee": "honeybee",
    "bunny": "rabbit face",
    "burger": "hamburger",
    "cab": "taxi",
    "camcorder": "video camera",
    "champion": "trophy",
    "cheers": "clinking beer mugs",
    "chemistry": "alembic",
    "cog": "gear",
    "conch": "spiral shell",
    "controller": "video game",
    "copter": "helicopter",
    "dice": "game die",
    "donut": "doughnut",
    "dromedary": "camel",
    "eyeglasses": "glasses",
    "furious": "face with steam from nose",
    "grandpa": "old man",
    "granny": "old woman",
    "hello": "waving hand",
    "hurricane": "cyclone",
    "icecream": "soft ice cream",
    "imp": "angry face with horns",
    "jewel": "gem stone",
    "joyful face": "face with tears of joy",
    "karaoke": "microphone",
    "kitty": "cat face",
    "ladybug": "lady beetle",
    "lamb": "ewe",
    "lick": "tongue",
    "martini": "cocktail glass",
    "muscle": "flexed biceps",
    "parcel": "package",
    "pasta": "spaghetti",
    "piano": "musical keyboard",
    "prawn": "fried shrimp",
    "present": "wrapped gift",
    "pumpkin": "jack-o-lantern",
    "puppy": "dog face",
    "ramen": "steaming bowl",
    "reptile": "lizard",
    "ride": "bicycle",
    "rucksack": "backpack",
    "sausage": "hot dog",
    "sax": "saxophone",
    "serpent": "snake",
    "slug": "snail",
    "sneaker": "running shoe",
    "sob": "loudly crying face",
    "sprout": "seedling",
    "stew": "pot of food",
    "stiletto": "high-heeled shoe",
    "subway": "metro",
    "sunshine": "sun with face",
    "toadstool": "mushroom",
    "trash": "wastebasket",
    "whiskey": "tumbler glass",
}


def held_out_synonyms(drawings: Iterable[Drawing]) -> list[tuple[str, str]]:
    """The (word, concept) pairs, sorted. Raises ValueError if these drawings do not fit the table.

    Every concept must be drawn by all six sets and be trained on, and no word may be a concept's own name.
    """
    known = list(drawings)
    usable = set(shared_concepts(known)) - held_out(known)
    names = {drawing.concept for drawing in known if drawing.style in SETS}
    for word, concept in SYNONYMS.items():
        if concept not in usable:
            raise ValueError(f"{word!r}: {concept!r} is no concept that all sets draw and training sees")
        if word in names:
            raise ValueError(f"{word!r} is a concept's own name")
    return sorted(SYNONYMS.items())
