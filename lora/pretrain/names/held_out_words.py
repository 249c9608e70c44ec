"""60 synonyms that are no drawing's name in training: they measure whether the base knows words or only labels.

Each is a good single name for a concept that all six sets draw, but the concept's label is another word. It may be one
of several words of a caption (``puppy`` beside ``pet``).
"""

from __future__ import annotations

from collections.abc import Iterable

from lora.pretrain.drawings import SETS, Drawing, held_out, shared_concepts

# word -> its concept. All but "joyful face" are emojibase tags. They were chosen by hand, before the second edition was
# trained, one word for each concept.
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
    """The sorted (word, concept) pairs. Raises ValueError if a pair does not fit the drawings.

    All six sets must draw the concept, it must be trained on, and the word must not be a concept's own name.
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
