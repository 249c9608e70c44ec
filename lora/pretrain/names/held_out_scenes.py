"""Who is never shown with what, and who never with which emotion: measurements ask for these scenes.

They are those of ``SCENES`` in ``benchmarks/prompts.py``; ``face`` is left out of concepts. They were fixed before a
base was trained on scenes with a verb.
"""

from __future__ import annotations

THINGS = frozenset({
    ("avocado", "top hat"), ("banana", "key"), ("bear", "balloon"), ("bear", "beer mug"),
    ("bear", "bicycle"), ("bear", "headphone"), ("cat", "dog"), ("cat", "fish"), ("cat", "fork and knife"),
    ("cat", "guitar"), ("cat", "skateboard"), ("cat", "sunglasses"), ("cat", "teacup without handle"),
    ("dog", "automobile"), ("dog", "bone"), ("dog", "hamburger"), ("dog", "soccer ball"),
    ("dog", "top hat"), ("dragon", "castle"), ("dragon", "fire"), ("duck", "cloud"),
    ("fox", "broken heart"), ("fox", "hot beverage"), ("fox", "motor scooter"), ("fox", "rose"),
    ("fox", "scarf"), ("frog", "crown"), ("frog", "magnifying glass tilted left"), ("frog", "mushroom"),
    ("ghost", "crown"), ("ghost", "red paper lantern"), ("honeybee", "sunflower"), ("koala", "glasses"),
    ("koala", "wrapped gift"), ("lion", "sports medal"), ("monkey", "banana"), ("monkey", "rocket"),
    ("mouse", "cheese wedge"), ("owl", "open book"), ("panda", "birthday cake"), ("panda", "bubble tea"),
    ("panda", "canoe"), ("panda", "pizza"), ("penguin", "snowman without snow"), ("penguin", "umbrella"),
    ("pig", "cupcake"), ("rabbit", "carrot"), ("rabbit", "crescent moon"), ("snail", "house"),
    ("strawberry", "banana"), ("strawberry", "sunglasses"), ("tiger", "trophy"), ("turtle", "skateboard"),
})  # fmt: skip
EMOTIONS = frozenset({
    ("avocado", "cool"), ("banana", "crying"), ("cloud", "sad"), ("crescent moon", "sleepy"),
    ("egg", "surprised"), ("pizza", "angry"), ("sun", "happy"),
})  # fmt: skip


def is_held_out(who: str, what: str, emotion: str) -> bool:
    """Whether a scene of these concepts, of which ``what`` may be empty, is in no training."""
    who, what = (concept.removesuffix(" face") for concept in (who, what))
    return (who, what) in THINGS or (who, emotion) in EMOTIONS
