"""Which drawings can be what in a scene, by their concepts. Concepts are emojibase's labels."""

from __future__ import annotations

# Heads in front view. The eyes are found by a program; where it finds none, the head is not used.
HEADS = frozenset({
    "bear", "cat face", "chicken", "cow face", "dog face", "dragon face", "fox", "frog", "hamster", "koala",
    "lion",
    "monkey face", "mouse face", "panda", "pig face", "polar bear", "rabbit face", "raccoon", "tiger face",
    "wolf",
    "alien", "robot", "moose", "tiger", "wolf face",
})  # fmt: skip
# Eyes that no program finds, because they are no dark discs: from the middle of the visible box, in its widths: x, y,
# half the distance, radius.
EYES = {"panda": (0.0, 0.0, 0.19, 0.09), "alien": (0.0, 0.06, 0.2, 0.13), "robot": (0.0, 0.0, 0.19, 0.08)}
# All of a living thing, in front view, with a face of its own.
WHOLE = frozenset({
    "front-facing baby chick", "ghost", "owl", "penguin", "snowman without snow", "teddy bear",
})  # fmt: skip
# Animals from the side, which stand on things as they are.
SIDEWAYS = frozenset({
    "bird", "cat", "cow", "crocodile", "dog", "dragon", "duck", "elephant", "goat", "hedgehog", "monkey",
    "pig",
    "rabbit", "rat", "mouse", "rooster", "sauropod", "snail", "t-rex", "turtle", "turkey", "kangaroo",
    "llama", "ewe",
    "giraffe", "zebra", "horse", "leopard", "chipmunk", "flamingo", "swan", "peacock",
})  # fmt: skip
# Things that get a face, and arms and legs if they do something.
THINGS = frozenset({
    "avocado", "bagel", "balloon", "banana", "basketball", "bell pepper", "birthday cake", "bomb", "bread",
    "broccoli",
    "cactus", "candy", "carrot", "cheese wedge", "cherries", "chestnut", "chocolate bar", "cloud", "coconut",
    "cookie",
    "crescent moon", "cup with straw", "cupcake", "custard", "deciduous tree", "droplet",
    "dumpling", "egg",
    "eggplant", "fire", "french fries", "full moon", "gem stone", "green apple", "hamburger", "honey pot",
    "hot beverage", "hot pepper", "ice cream", "kiwi fruit", "lemon", "light bulb", "mango", "melon",
    "mushroom",
    "onion", "pancakes", "peach", "peanuts", "pear", "pineapple", "pizza", "popcorn", "potato", "red apple",
    "red heart", "rice ball", "soccer ball", "soft ice cream", "star", "strawberry", "sun", "sushi", "taco",
    "tangerine", "teapot", "television", "tomato", "watermelon", "wrapped gift", "blue heart", "yellow heart",
    "green heart", "purple heart", "baseball", "volleyball", "pile of poo", "money bag",
    "mobile phone",
    "closed book", "backpack", "beer mug", "glass of milk", "toilet", "sock", "ringed planet",
    "roll of paper", "moon cake",
    "evergreen tree", "maple leaf", "cooked rice", "croissant", "hot dog", "burrito", "teacup without handle",
})  # fmt: skip

HATS = {  # concept -> its width in widths of the head, and how far it sinks into the head, in its heights
    "top hat": (1.05, 0.2), "crown": (0.95, 0.2), "billed cap": (1.3, 0.32), "graduation cap": (1.2, 0.34),
    "woman’s hat": (1.35, 0.4), "rescue worker’s helmet": (1.35, 0.4), "military helmet": (1.35, 0.42),
}  # fmt: skip
EYEWEAR = frozenset({"glasses", "sunglasses", "goggles"})
NECKWEAR = {"scarf": (0.66, 0.1), "necktie": (0.42, 0.46), "ribbon": (0.4, 0.3), "sports medal": (0.34, 0.48),
            "military medal": (0.26, 0.5), "bikini": (0.5, 0.6)}  # fmt: skip
DRINKS = frozenset({
    "baby bottle", "beer mug", "bubble tea", "cocktail glass", "cup with straw", "glass of milk",
    "hot beverage",
    "mate", "teacup without handle", "tropical drink", "tumbler glass", "wine glass", "beverage box",
})  # fmt: skip
FOODS = frozenset({
    "bacon", "bagel", "baguette bread", "banana", "birthday cake", "bread", "burrito", "candy", "carrot",
    "cheese wedge",
    "cherries", "chocolate bar", "cookie", "croissant", "cucumber", "cupcake", "dango", "doughnut",
    "ear of corn",
    "french fries", "fried shrimp", "grapes", "green apple", "hamburger", "hot dog", "ice cream",
    "kiwi fruit", "lemon",
    "lollipop", "mango", "meat on bone", "melon", "mushroom", "peach", "pear", "pie", "pineapple", "pizza",
    "popcorn",
    "poultry leg", "pretzel", "red apple", "rice ball", "sandwich", "shortcake", "soft ice cream",
    "strawberry", "sushi",
    "taco", "tangerine", "tomato", "waffle", "watermelon", "spaghetti", "steaming bowl", "bowl with spoon",
})  # fmt: skip
READ = {"open book": "a book", "newspaper": "a newspaper", "closed book": "a book", "books": "books",
        "love letter": "a love letter", "scroll": "a scroll", "world map": "a map"}  # fmt: skip
PLAYED = frozenset(
    {"guitar", "violin", "trumpet", "saxophone", "drum", "video game", "banjo", "accordion", "flute"}
)
# Held at their lower end, upright.
UPRIGHT = frozenset({
    "axe", "balloon", "bell", "bouquet", "broom", "candle", "closed umbrella", "ice cream", "key", "lollipop",
    "magic wand", "microphone", "paintbrush", "party popper", "pencil", "red paper lantern", "rose",
    "seedling",
    "soft ice cream", "sparkler", "sunflower", "trophy", "tulip", "umbrella", "wine glass",
    "umbrella with rain drops",
    "light bulb", "fishing pole", "dagger", "hammer", "wrench", "four leaf clover", "hot pepper",
    "crystal ball",
    "wilted flower", "hibiscus", "plunger", "toothbrush", "fork and knife", "carrot",
    "magnifying glass tilted left",
})  # fmt: skip
IN_FRONT = frozenset({
    "alarm clock", "basketball", "bomb", "books", "briefcase", "broken heart", "camera", "gem stone",
    "game die",
    "laptop", "money bag", "mobile phone", "package", "pizza", "red heart", "shield", "soccer ball",
    "sparkling heart",
    "star", "teddy bear", "volleyball", "wrapped gift", "stop sign", "house", "potted plant", "handbag",
    "television",
    "watermelon", "hundred points", "heart with ribbon", "love letter", "envelope", "birthday cake", "fish",
    "egg",
    "globe showing europe-africa", "rocket", "jack-o-lantern", "basket", "cactus", "honey pot",
    "rolled-up newspaper",
})  # fmt: skip
# What is ridden: (x of the seat in widths of the visible box, y in its heights; None: on its upper edge there).
ASTRIDE: dict[str, tuple[float, float | None]] = {
    "bicycle": (0.5, 0.34), "motor scooter": (0.56, 0.42), "motorcycle": (0.52, 0.4),
    "kick scooter": (0.5, 0.8),
    "skateboard": (0.5, None), "sled": (0.5, 0.55), "rocket": (0.5, 0.42), "horse": (0.5, None),
    "elephant": (0.5, None),
    "turtle": (0.55, None), "dolphin": (0.5, None), "whale": (0.55, None), "t-rex": (0.5, None),
    "sauropod": (0.5, None),
    "pig": (0.5, None), "cow": (0.5, None), "snail": (0.5, None), "goat": (0.5, None),
    "two-hump camel": (0.5, None),
    "unicycle": (0.5, None), "flying saucer": (0.5, 0.3), "roller skate": (0.5, 0.2),
}  # fmt: skip
INSIDE = {  # what hides the lower part of who sits in it: x of the seat, and the y of its rim
    "canoe": (0.5, 0.45), "racing car": (0.5, 0.4), "automobile": (0.5, 0.3), "taxi": (0.5, 0.35),
    "tractor": (0.5, 0.35),
    "speedboat": (0.5, 0.4), "bathtub": (0.5, 0.45), "shopping cart": (0.6, 0.35), "basket": (0.5, 0.45),
    "sport utility vehicle": (0.5, 0.35), "pickup truck": (0.65, 0.45), "motor boat": (0.5, 0.5),
    "wastebasket": (0.5, 0.25),
    "wrapped gift": (0.5, 0.3), "package": (0.5, 0.3), "pot of food": (0.5, 0.4),
    "rowboat": (0.5, 0.45), "bowl with spoon": (0.5, 0.4),
}  # fmt: skip
UPON = frozenset({
    "bed", "birthday cake", "books", "cloud", "couch and lamp", "crescent moon", "doughnut", "hamburger",
    "house",
    "pancakes", "pizza", "red heart", "rainbow", "soccer ball", "star", "toilet", "mushroom", "moon cake",
    "watermelon",
    "cheese wedge", "mountain", "money bag", "full moon", "pile of poo", "gem stone", "cookie",
    "wrapped gift", "chair",
    "jack-o-lantern", "full moon face", "flying disc", "desert island", "hundred points", "sushi", "bread",
    "waffle",
})  # fmt: skip

# emotion -> the emoji faces whose features show it
EMOTIONS = {
    "angry": ("angry face", "pouting face"),
    "sad": ("frowning face", "slightly frowning face", "pensive face", "disappointed face", "worried face"),
    "happy": ("grinning face", "smiling face with smiling eyes", "beaming face with smiling eyes",
              "grinning face with big eyes", "grinning face with smiling eyes"),
    "crying": ("loudly crying face", "crying face"),
    "in love": ("smiling face with heart-eyes",),
    "sleepy": ("sleeping face", "relieved face", "sleepy face"),
    "surprised": ("astonished face", "face with open mouth", "hushed face"),
    "cool": ("smiling face with sunglasses",),
}  # fmt: skip
# Of a head only the eyes and brows are taken, so these must tell the emotion alone.
EYES_TELL = {
    "crying": ("loudly crying face",),
    "sad": ("pensive face", "disappointed face", "worried face", "sad but relieved face"),
    "happy": (
        "smiling face with smiling eyes",
        "beaming face with smiling eyes",
        "grinning face with smiling eyes",
    ),
    "surprised": ("astonished face", "hushed face", "flushed face"),
}
COVERED = ("in love", "cool")  # emotions that hide the eyes of EYES, which no program can paint over
CALM = (
    "slightly smiling face",
    "grinning face",
    "smiling face with smiling eyes",
)  # of things that do something
MARKS = {"angry": "anger symbol", "in love": "two hearts", "sleepy": "zzz", "surprised": "collision",
         "happy": "sparkles", "crying": "sweat droplets"}  # fmt: skip
NEUTRAL = "slightly smiling face"  # tells where a set's faces have their eyes
HEART = "red heart"
FIRE = "fire"
