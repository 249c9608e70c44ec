"""The prompts of the measurements. They were fixed before the first drawing of them was seen."""

from __future__ import annotations

from benchmarks.colours import ASKED

COLOURED = (
    "car", "cat", "dog", "elephant", "fish", "house", "t-shirt", "umbrella", "bird", "butterfly",
)  # fmt: skip
COLOUR_PROMPTS = tuple((colour, f"{colour} {subject}") for subject in COLOURED for colour in ASKED)

# Prompts of two parts. No measurement exists for them: people look at the sheet.
TWO_PARTS = (
    "cat with sunglasses", "sad pizza", "dog with a hat", "happy sun", "angry cloud", "cat and dog",
    "bear with a balloon", "fox with a scarf", "heart with a face", "sleeping cat", "crying egg",
    "robot with a flower", "ghost with a crown", "cactus with a hat", "strawberry and banana",
    "penguin with an umbrella", "smiling star", "two hearts", "three apples", "dog in a car",
    "rabbit with a carrot", "owl with glasses", "winking banana", "fish and chips", "snail with a house",
    "panda eating pizza", "unicorn and rainbow", "cup of coffee with a heart", "moon with a hat", "angry tomato",
)  # fmt: skip
