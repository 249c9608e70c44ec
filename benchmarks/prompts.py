"""The prompts of the measurements. They were fixed before the first drawing of them was seen."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class ScenePrompt:
    """A prompt of a character that feels or does something, with the concepts and the emotion that must be seen.

    ``verb`` is that of ``lora.pretrain.acts.act.Act``, by which the judge's composites are made.
    """

    prompt: str
    who: str
    what: str = ""
    emotion: str = ""
    verb: str = "feeling"


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _pairs(*rows: tuple[str, str, str, str]) -> tuple[ScenePrompt, ...]:
    return tuple(
        ScenePrompt(verb=verb, prompt=prompt, who=who, what=what) for verb, prompt, who, what in rows
    )


# 60 scenes, the help text's example first. Ten of each: drinking and eating, holding, wearing, riding and sitting,
# beside and in love, an emotion. "face" is no part of a prompt: people do not write it.
SCENES = (
    *_pairs(  # drinking or eating
        ("drinking", "a fox drinking coffee", "fox", "hot beverage"),
        ("drinking", "a cat drinking tea", "cat face", "teacup without handle"),
        ("drinking", "a bear drinking beer", "bear", "beer mug"),
        ("drinking", "a panda drinking bubble tea", "panda", "bubble tea"),
        ("eating", "a rabbit eating a carrot", "rabbit face", "carrot"),
        ("eating", "a monkey eating a banana", "monkey face", "banana"),
        ("eating", "a dog eating a hamburger", "dog face", "hamburger"),
        ("eating", "a panda eating pizza", "panda", "pizza"),
        ("eating", "a mouse eating cheese", "mouse face", "cheese wedge"),
        ("eating", "a pig eating a cupcake", "pig face", "cupcake"),
    ),
    *_pairs(  # holding, reading or playing
        ("holding", "a ghost holding a lantern", "ghost", "red paper lantern"),
        ("holding", "a bear holding a balloon", "bear", "balloon"),
        ("holding", "a fox holding a rose", "fox", "rose"),
        ("holding", "a penguin holding an umbrella", "penguin", "umbrella"),
        ("holding", "a koala holding a gift", "koala", "wrapped gift"),
        ("holding", "a tiger holding a trophy", "tiger face", "trophy"),
        ("reading", "an owl reading a book", "owl", "open book"),
        ("playing", "a cat playing the guitar", "cat face", "guitar"),
        ("holding", "a banana holding a key", "banana", "key"),
        ("holding", "a frog with a magnifying glass", "frog", "magnifying glass tilted left"),
    ),
    *_pairs(  # wearing
        ("wearing", "a cat wearing sunglasses", "cat face", "sunglasses"),
        ("wearing", "a dog in a top hat", "dog face", "top hat"),
        ("wearing", "a frog wearing a crown", "frog", "crown"),
        ("wearing", "a koala wearing glasses", "koala", "glasses"),
        ("wearing", "a fox wearing a scarf", "fox", "scarf"),
        ("wearing", "a bear wearing headphones", "bear", "headphone"),
        ("wearing", "a lion wearing a medal", "lion", "sports medal"),
        ("wearing", "a ghost wearing a crown", "ghost", "crown"),
        ("wearing", "a strawberry wearing sunglasses", "strawberry", "sunglasses"),
        ("wearing", "an avocado in a top hat", "avocado", "top hat"),
    ),
    *_pairs(  # riding, in or on
        ("riding", "a cat riding a skateboard", "cat", "skateboard"),
        ("in", "a dog in a car", "dog face", "automobile"),
        ("riding", "a bear riding a bicycle", "bear", "bicycle"),
        ("riding", "a fox riding a scooter", "fox", "motor scooter"),
        ("riding", "a monkey on a rocket", "monkey face", "rocket"),
        ("on", "a duck on a cloud", "duck", "cloud"),
        ("riding", "a turtle on a skateboard", "turtle", "skateboard"),
        ("in", "a panda in a canoe", "panda", "canoe"),
        ("on", "a frog sitting on a mushroom", "frog", "mushroom"),
        ("on", "a rabbit on the moon", "rabbit face", "crescent moon"),
    ),
    *_pairs(  # beside or in love
        ("beside", "a cat and a dog", "cat face", "dog face"),
        ("beside", "a snail and a house", "snail", "house"),
        ("beside", "a penguin and a snowman", "penguin", "snowman without snow"),
        ("beside", "a bee and a flower", "honeybee", "sunflower"),
        ("beside", "a strawberry and a banana", "strawberry", "banana"),
        ("beside", "a dragon beside a castle", "dragon", "castle"),
        ("loving", "a cat in love with a fish", "cat face", "fish"),
        ("loving", "a dog in love with a bone", "dog face", "bone"),
        ("loving", "a panda in love with a cake", "panda", "birthday cake"),
        ("breathing fire", "a dragon breathing fire", "dragon face", "fire"),
    ),
    ScenePrompt(prompt="a crying banana", who="banana", emotion="crying"),
    ScenePrompt(prompt="an angry pizza", who="pizza", emotion="angry"),
    ScenePrompt(prompt="a happy sun", who="sun", emotion="happy"),
    ScenePrompt(prompt="a sad cloud", who="cloud", emotion="sad"),
    ScenePrompt(prompt="a sleepy moon", who="crescent moon", emotion="sleepy"),
    ScenePrompt(prompt="a cool avocado", who="avocado", emotion="cool"),
    ScenePrompt(prompt="a surprised egg", who="egg", emotion="surprised"),
    ScenePrompt(
        prompt="an angry cat holding a knife and fork",
        who="cat face",
        what="fork and knife",
        emotion="angry",
        verb="holding",
    ),
    ScenePrompt(
        prompt="a sad fox with a broken heart", who="fox", what="broken heart", emotion="sad", verb="holding"
    ),
    ScenePrompt(
        prompt="a happy dog with a soccer ball",
        who="dog face",
        what="soccer ball",
        emotion="happy",
        verb="holding",
    ),
)

# 8 emotions on 12 characters: six heads, four foods, two things.
EMOTIONS = ("angry", "sad", "happy", "crying", "in love", "sleepy", "surprised", "cool")
FEELING = {
    "cat": "cat face", "dog": "dog face", "fox": "fox", "bear": "bear", "frog": "frog", "rabbit": "rabbit face",
    "pizza": "pizza", "banana": "banana", "avocado": "avocado", "strawberry": "strawberry", "cloud": "cloud",
    "heart": "red heart",
}  # fmt: skip
EMOTION_PROMPTS = tuple(
    ScenePrompt(
        prompt=_with_article(f"{name} in love" if emotion == "in love" else f"{emotion} {name}"),
        who=concept,
        emotion=emotion,
    )
    for name, concept in FEELING.items()
    for emotion in EMOTIONS
)
