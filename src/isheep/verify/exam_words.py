"""What probes and planted responses are made of: everyday tasks, topics, and words to demand. Data, our own, no logic.

The sentences of FILLER and the words beside them are chosen so that a check can only be met on purpose: no commas, no
words all in capitals, none of the letters in LETTERS, and none of the words in KEYWORDS, AVOIDED and OPENINGS.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Open tasks; {topic} is one of TOPICS.
TASKS = (
    "Write a short note to a neighbour about {topic}.",
    "Explain to a child what makes {topic} special.",
    "Write an advertisement for a small shop that has to do with {topic}.",
    "Describe a photograph that shows {topic}.",
    "Tell a short story in which {topic} plays a part.",
    "Write a letter to an old friend and mention {topic}.",
    "Give advice to someone who knows nothing about {topic}.",
    "Write a poem about {topic}.",
    "Plan an afternoon around {topic}.",
    "Write a speech for a village festival devoted to {topic}.",
    "Compare {topic} with something of your choice.",
    "Write a diary entry on a day that began with {topic}.",
    "Summarise what a beginner should know about {topic}.",
    "Write a dialogue between two travellers about {topic}.",
    "Suggest a name for a club of people who like {topic}, and say why.",
    "Write a review of a book about {topic}.",
    "Explain how {topic} might look in a hundred years.",
    "Write a riddle whose solution is {topic}.",
    "Describe the sounds and smells that go with {topic}.",
    "Write an invitation to an evening about {topic}.",
    "Write an apology to someone who was disturbed by {topic}.",
    "Propose a small experiment that has to do with {topic}.",
    "Write a news report about {topic} from a town where nothing ever happens.",
    "Describe {topic} from the point of view of a cat.",
    "Write a set of house rules that take {topic} into account.",
)

#: Questions that can be answered by yes, no or maybe.
QUESTIONS = (
    "Would you recommend {topic} to someone who is tired?",
    "Can {topic} be explained to a five-year-old?",
    "Is {topic} a fit subject for a painting?",
    "Does {topic} deserve a holiday of its own?",
    "Is {topic} more pleasant in summer than in any other season?",
    "Could {topic} bring two strangers into conversation?",
)

TOPICS = (
    "a walk in the woods",
    "baking bread",
    "a rainy Sunday",
    "an old bicycle",
    "learning to swim",
    "the night train",
    "growing tomatoes",
    "a lost umbrella",
    "repairing a clock",
    "a brass band",
    "the first snow",
    "a crowded kitchen",
    "writing by hand",
    "a broken lift",
    "moving house",
    "a game of chess",
)

#: Words to be used, or to be used so often.
KEYWORDS = (
    "river", "lantern", "harvest", "market", "winter", "copper", "mirror", "pepper", "thunder", "ribbon", "saddle",
    "castle", "meadow", "anchor", "island",
)  # fmt: skip
#: Words to be avoided.
AVOIDED = ("very", "good", "also", "really", "because", "people", "nice", "many", "always", "important")
#: Letters to be counted: rare ones, so that a response has none by chance.
LETTERS = ("q", "z", "x", "j")
#: First words of paragraphs.
OPENINGS = ("yesterday", "perhaps", "indeed", "meanwhile", "finally", "imagine")
MARKERS = ("P.S.", "P.P.S")
SPLITTERS = ("Section", "Part", "Chapter", "Step")
ENDINGS = (
    "Is there anything else you would like to know?",
    "That is all there is to say.",
    "Let me know what you think of it.",
    "Thank you for reading.",
)
PLACES = ("name", "place", "date", "time", "colour", "street", "number", "animal")
SHOUTS = ("YES", "NOW", "STOP", "LOOK", "HERE", "FAST", "LOUD", "COME", "WAIT", "THERE")

FILLER = (
    "The morning was calm and the light came slowly over the hills.",
    "Some things are best done with patience and a little care.",
    "We sat down near the window and talked about the old days.",
    "There is no need to hurry when the work is pleasant.",
    "The children ran home before the rain could reach them.",
    "You can start with something small and build on it later.",
    "Nobody knew who had left the door open that night.",
    "The smell of fresh coffee filled the whole house.",
    "My neighbour likes to sing while he waters the flowers.",
    "They walked along the path until the sun went down.",
    "What matters most is that everyone feels at home.",
    "She wrote the answer on a piece of paper and smiled.",
)

#: A text of two sentences and more, without commas, by language: what can be planted, and so what is demanded.
FOREIGN: Mapping[str, str] = {
    "de": "Am Morgen schien die Sonne über den Hügeln. Wir saßen am Fenster und sprachen über alte Zeiten. Die Kinder "
    "liefen nach Hause und lachten.",
    "fr": "Le matin était calme et la lumière venait lentement. Nous étions assis près de la fenêtre et nous parlions "
    "du passé. Les enfants sont rentrés à la maison.",
    "es": "La mañana era tranquila y la luz llegaba despacio. Estábamos sentados junto a la ventana y hablábamos de "
    "los viejos tiempos. Los niños volvieron a casa.",
    "it": "La mattina era tranquilla e la luce arrivava piano. Eravamo seduti vicino alla finestra e parlavamo dei "
    "vecchi tempi. I bambini sono tornati a casa.",
    "pl": "Poranek był spokojny i światło powoli wschodziło nad wzgórzami. Siedzieliśmy przy oknie i rozmawialiśmy o "
    "dawnych czasach. Dzieci wróciły do domu.",
    "ru": "Утро было тихим и свет медленно поднимался над холмами. Мы сидели у окна и говорили о старых временах. Дети "
    "вернулись домой.",
    "fi": "Aamu oli tyyni ja valo nousi hitaasti kukkuloiden yli. Istuimme ikkunan ääressä ja puhuimme vanhoista "
    "ajoista. Lapset juoksivat kotiin.",
    "tr": "Sabah sakindi ve ışık yavaşça tepelerin üzerinden geliyordu. Pencerenin yanında oturduk ve eski günlerden "
    "konuştuk. Çocuklar eve döndü.",
}
