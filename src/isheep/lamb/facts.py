"""What is true in lamb's small world: tables, and nothing else.

Every answer that lamb's corpus, its held-out questions and its seed tasks call right follows from these tables (or from
arithmetic). The tables are short on purpose: a model of one million parameters can know all of them.
"""

from __future__ import annotations

#: Known things in order of size, smallest first, each with its kind. Size and kind make the questions about pairs.
THINGS: tuple[tuple[str, str], ...] = (
    ("ant", "animal"),
    ("fly", "animal"),
    ("grape", "fruit"),
    ("bee", "animal"),
    ("cherry", "fruit"),
    ("spider", "animal"),
    ("nail", "tool"),
    ("plum", "fruit"),
    ("fork", "tool"),
    ("spoon", "tool"),
    ("frog", "animal"),
    ("lemon", "fruit"),
    ("mouse", "animal"),
    ("apple", "fruit"),
    ("pear", "fruit"),
    ("sock", "clothes"),
    ("glove", "clothes"),
    ("knife", "tool"),
    ("robin", "animal"),
    ("mango", "fruit"),
    ("hammer", "tool"),
    ("hat", "clothes"),
    ("saw", "tool"),
    ("shoe", "clothes"),
    ("rat", "animal"),
    ("flute", "instrument"),
    ("duck", "animal"),
    ("melon", "fruit"),
    ("boot", "clothes"),
    ("hen", "animal"),
    ("shirt", "clothes"),
    ("rabbit", "animal"),
    ("violin", "instrument"),
    ("cat", "animal"),
    ("skirt", "clothes"),
    ("goose", "animal"),
    ("fox", "animal"),
    ("guitar", "instrument"),
    ("spade", "tool"),
    ("coat", "clothes"),
    ("drum", "instrument"),
    ("lamb", "animal"),
    ("stool", "furniture"),
    ("dog", "animal"),
    ("chair", "furniture"),
    ("goat", "animal"),
    ("sheep", "animal"),
    ("wolf", "animal"),
    ("harp", "instrument"),
    ("desk", "furniture"),
    ("pig", "animal"),
    ("table", "furniture"),
    ("bike", "vehicle"),
    ("deer", "animal"),
    ("bed", "furniture"),
    ("sofa", "furniture"),
    ("lion", "animal"),
    ("piano", "instrument"),
    ("bear", "animal"),
    ("cow", "animal"),
    ("horse", "animal"),
    ("camel", "animal"),
    ("cart", "vehicle"),
    ("car", "vehicle"),
    ("van", "vehicle"),
    ("tractor", "vehicle"),
    ("elephant", "animal"),
    ("truck", "vehicle"),
    ("bus", "vehicle"),
    ("tram", "vehicle"),
    ("whale", "animal"),
    ("plane", "vehicle"),
    ("train", "vehicle"),
    ("ship", "vehicle"),
)

#: Read both ways: the opposite of the opposite is the word itself.
OPPOSITES: tuple[tuple[str, str], ...] = (
    ("hot", "cold"),
    ("big", "small"),
    ("fast", "slow"),
    ("old", "young"),
    ("high", "low"),
    ("day", "night"),
    ("open", "closed"),
    ("wet", "dry"),
    ("full", "empty"),
    ("hard", "soft"),
    ("light", "dark"),
    ("rich", "poor"),
    ("happy", "sad"),
    ("strong", "weak"),
    ("long", "short"),
    ("clean", "dirty"),
    ("loud", "quiet"),
    ("early", "late"),
    ("thick", "thin"),
    ("wide", "narrow"),
    ("near", "far"),
    ("up", "down"),
    ("in", "out"),
    ("left", "right"),
)

IRREGULAR_PLURALS: dict[str, str] = {
    "mouse": "mice",
    "goose": "geese",
    "sheep": "sheep",
    "deer": "deer",
    "wolf": "wolves",
    "knife": "knives",
    "man": "men",
    "woman": "women",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "leaf": "leaves",
    "loaf": "loaves",
    "shelf": "shelves",
    "half": "halves",
    "wife": "wives",
}
REGULAR_PLURALS: tuple[str, ...] = (
    "ant", "bee", "grape", "spider", "frog", "lemon", "apple", "pear", "hat", "shoe", "duck", "hen", "cat", "dog",
    "chair", "table", "lion", "bear", "cow", "car",
)  # fmt: skip

IRREGULAR_PASTS: dict[str, str] = {
    "go": "went",
    "eat": "ate",
    "see": "saw",
    "run": "ran",
    "give": "gave",
    "take": "took",
    "come": "came",
    "write": "wrote",
    "drink": "drank",
    "sing": "sang",
    "swim": "swam",
    "fly": "flew",
    "know": "knew",
    "sleep": "slept",
    "buy": "bought",
    "think": "thought",
    "find": "found",
    "break": "broke",
    "speak": "spoke",
    "make": "made",
}
REGULAR_PASTS: tuple[str, ...] = (
    "walk", "talk", "play", "jump", "look", "help", "open", "ask", "call", "wash", "cook", "paint", "rain", "work",
)  # fmt: skip

CAPITALS: dict[str, str] = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Germany": "Berlin",
    "England": "London",
    "Greece": "Athens",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Portugal": "Lisbon",
    "Ireland": "Dublin",
    "Russia": "Moscow",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Chile": "Santiago",
    "Canada": "Ottawa",
    "Turkey": "Ankara",
    "India": "Delhi",
}

SOUNDS: dict[str, str] = {
    "dog": "woof",
    "cat": "meow",
    "cow": "moo",
    "duck": "quack",
    "sheep": "baa",
    "pig": "oink",
    "lion": "roar",
    "horse": "neigh",
    "bee": "buzz",
    "frog": "croak",
    "hen": "cluck",
    "wolf": "howl",
    "mouse": "squeak",
    "robin": "tweet",
    "goose": "honk",
    "bear": "growl",
}

YOUNG: dict[str, str] = {
    "dog": "puppy",
    "cat": "kitten",
    "cow": "calf",
    "sheep": "lamb",
    "horse": "foal",
    "pig": "piglet",
    "goat": "kid",
    "duck": "duckling",
    "hen": "chick",
    "bear": "cub",
    "deer": "fawn",
    "goose": "gosling",
    "frog": "tadpole",
    "wolf": "pup",
    "rabbit": "bunny",
}

HOMES: dict[str, str] = {
    "bee": "hive",
    "robin": "nest",
    "dog": "kennel",
    "horse": "stable",
    "pig": "sty",
    "spider": "web",
    "lion": "den",
    "cow": "barn",
    "hen": "coop",
    "rabbit": "burrow",
    "frog": "pond",
    "whale": "sea",
    "sheep": "pen",
    "mouse": "hole",
    "ant": "hill",
    "camel": "desert",
}

COLOURS: dict[str, str] = {
    "grass": "green",
    "snow": "white",
    "coal": "black",
    "blood": "red",
    "the sky": "blue",
    "the sun": "yellow",
    "milk": "white",
    "a lemon": "yellow",
    "a cherry": "red",
    "a frog": "green",
    "the sea": "blue",
    "chocolate": "brown",
    "a carrot": "orange",
    "a plum": "purple",
    "an elephant": "grey",
    "a leaf": "green",
    "a crow": "black",
    "a tomato": "red",
    "a banana": "yellow",
    "a pig": "pink",
}

LEGS: dict[str, str] = {
    "ant": "6", "fly": "6", "bee": "6", "spider": "8", "robin": "2", "duck": "2", "hen": "2", "goose": "2",
    "whale": "0", "cat": "4", "dog": "4", "cow": "4", "horse": "4", "goat": "4", "pig": "4", "mouse": "4",
}  # fmt: skip

DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: tuple[str, ...] = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int) -> str:
    """A number from 0 to 99 in words, without hyphens: "forty two"."""
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
