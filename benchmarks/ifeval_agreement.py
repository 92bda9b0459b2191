"""Our instruction checks against the reference checkers lm-evaluation-harness carries, on the same responses.

    python benchmarks/ifeval_agreement.py                           # 3,000 texts for each of the 25 types
    python benchmarks/ifeval_agreement.py --texts 300 --seed 1
    python benchmarks/ifeval_agreement.py --prompts ifeval_input_data.jsonl   # the published prompts as well

The texts are put together by a seeded generator from fragments that matter to some check (stars, dividers, brackets,
abbreviations, contractions, other scripts ...), mixed with fragments made for the type and arguments at hand, so that
about as many follow as do not. The reference is made repeatable first: langdetect's seed is pinned, and so is Python's
random. Its sentence tokenizer needs punkt's trained data from the network; in its place stands the same tokenizer
WITHOUT trained data (NLTK's PunktSentenceTokenizer as it is made), which knows no abbreviations. That concerns the two
types that split sentences: number_sentences and capital_word_frequency.

A text is "plain" when nothing in it (or in the arguments) calls for a difference docs/verify.md tells of. On plain
texts the two must agree, or this program fails. A kind named in the last column is what stands in the text, looked for
in a fixed order: a sign of the cause, not a proof.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from isheep.verify import CHECKS, METRICS, check, loose_variants, prompt_scores
from isheep.verify.checks import NEED_LANGUAGE
from isheep.verify.form import ANSWERS
from isheep.verify.ifeval import grade, read_ifeval
from isheep.verify.language import detect

Args = dict[str, Any]

WORDS = (
    "river", "garden", "the", "a", "I", "cat", "Cat", "catalogue", "concatenate", "and", "window",
    "bread", "It", "it's",
    "don't", "we'll", "WE'RE", "NASA", "CO2", "U.S.", "e.g.", "I'M", "CAN'T", "CANNOT", "GONNA",
    "RIVER", "3.5", "1,000",
    "State-of-the-art", "12", "x_y", "naïve", "Straße", "quick", "quiz", "zone", "P.S.", "p. s.",
    "etc.", "cannot",
)  # fmt: skip
SENTENCES = (
    "The river is wide.", "Is this the garden?", "Look at that!", "Dr. Smith met J. Doe at 5 p.m. on Monday.",
    'She said "no." Then she left.', "Wait... what? It goes on.", "We left at noon. then we slept.", "NO WAY!",
    "Der Fluss ist breit und das Wasser ist kalt.", "Le jardin est grand et la rivière est froide.",
    "यह एक छोटा सा वाक्य है। यह दूसरा है।", "这是一条河。那是花园!", "هذا نهر طويل. وهذه حديقة؟", "Это широкая река.",
    "(A remark.) Another one follows.", "Really?! Yes.", "A list, with commas, of things.",
    "i write in small letters.",
)  # fmt: skip
MARKS = (
    "*", "**", "***", "****", "******", "* one", "- two", " -three", "---", "*star*", "**bold**", "* *",
    "** **",
    "[name]", "[]", "[a", "b]", "<<a title>>", "<< >>", "<<>>", "<<<x>>>", "Section 1", "SECTION 2",
    "Section1", "section 3",
    "Day 4", "P.S. more", "p. s. more", "P.P.S last", "p.p. s", "```json",
    "```", '{"a": 1}', "[1, 2]", '"', "'", ",",
    "，", "…", "1. first", "2) second", "# Heading", "\t", "", "My answer is no.", "my answer is yes.",
    "My answer is maybe",
    "--", "—", "#", "!", "The end.", "THE END.", "NaN", "😀", "1. One. 2. Two.",
)  # fmt: skip
JOINS = (" ", " ", " ", "\n", "\n", "\n\n", "\n\n", "\n\n\n\n", "", " \n")
FOREIGN = ("de", "fr", "hi", "ru", "ar", "en", "ur")


def text(rng: random.Random, hot: tuple[str, ...]) -> str:
    """A random response; `hot` are the fragments that matter to the check it is for."""
    if rng.random() < 0.02:
        return rng.choice(["", " ", "\n\n", "12345", "...", "?!", "42 + 17 = 59", "[" * 5000])
    pieces: list[str] = []
    kinds: tuple[tuple[str, ...], ...] = (WORDS, SENTENCES, SENTENCES, MARKS, hot or WORDS, hot or SENTENCES)
    for _ in range(rng.choice((1, 2, 3, 4, 6, 10, 25))):
        pieces += [rng.choice(rng.choice(kinds)), rng.choice(JOINS)]
    if hot and rng.random() < 0.25:
        pieces.insert(0, hot[0])
    if hot and rng.random() < 0.25:
        pieces.append(hot[-1])
    made = "".join(pieces)
    shape = rng.random()
    if shape < 0.06:
        made = f'"{made.strip()}"'
    elif shape < 0.14:
        made = made.upper()
    elif shape < 0.2:
        made = made.lower()
    return made


def _relation(rng: random.Random) -> str:
    return rng.choice(("less than", "at least"))


def _word(rng: random.Random) -> str:
    return rng.choice(("river", "cat", "garden", "the", "NASA", "c++", "a.b", "bread", "naïve"))


def arguments(id: str, rng: random.Random) -> tuple[Args, tuple[str, ...]]:
    """Random arguments of a check, and fragments that make it hang in the balance."""
    name = id.partition(":")[2]
    small = rng.randint(1, 6)
    word = _word(rng)
    request = rng.choice(("Name a river.", "What is a [cat]?\nSay it.", "Écris une phrase (courte)."))
    phrase = rng.choice(("The end.", "Any questions?", "so it goes"))
    letter = rng.choice("etqzxEQ#!é")
    marker = rng.choice(("P.S.", "P.P.S", "P.S.", "P.P.S", "PS:", "N.B."))
    table: Mapping[str, tuple[Args, tuple[str, ...]]] = {
        "existence": ({"keywords": [word, _word(rng)]}, (word, word.upper(), f"un{word}ed", "river", "cat")),
        "frequency": (
            {"keyword": word, "frequency": small, "relation": _relation(rng)},
            (word, word.upper(), f"un{word}ed"),
        ),
        "forbidden_words": ({"forbidden_words": [word, _word(rng)]}, (word.upper(), f"un{word}ed", "window")),
        "letter_frequency": (
            {"letter": letter, "let_frequency": rng.randint(1, 20), "let_relation": _relation(rng)},
            (letter * 3, letter.upper()),
        ),
        "response_language": ({"language": rng.choice(FOREIGN)}, (rng.choice(SENTENCES),)),
        "number_sentences": ({"num_sentences": small, "relation": _relation(rng)}, ()),
        "number_paragraphs": ({"num_paragraphs": rng.randint(1, 4)}, ("\n***\n", "a", "***")),
        "number_words": ({"num_words": rng.randint(1, 60), "relation": _relation(rng)}, ()),
        "nth_paragraph_first_word": (
            {
                "num_paragraphs": (n := rng.randint(1, 4)),
                "nth_paragraph": rng.randint(1, n),
                "first_word": word.replace(".", ""),
            },
            (word, f"\n\n{word}, then", f"\n\n'\"{word.upper()}'s", "\n\n"),
        ),
        "number_placeholders": ({"num_placeholders": small}, ("[x]", "[a b]", "[\n]")),
        "postscript": ({"postscript_marker": marker}, (marker, marker.lower(), marker.replace(".", ". "))),
        "number_bullet_lists": ({"num_bullets": small}, ("\n* x\n", "\n- y\n", "\n*\n", "\n**z\n")),
        "constrained_response": ({}, ANSWERS),
        "number_highlighted_sections": ({"num_highlights": small}, ("*x*", "**y z**", "* *", "*a\nb*")),
        "multiple_sections": (
            {
                "section_spliter": (s := rng.choice(("Section", "SECTION", "Day", "Part (x)"))),
                "num_sections": rng.randint(1, 3),
            },
            (f"{s} 1", f"{s} 2", f"{s}3", s),
        ),
        "json_format": ({}, ('{"a": [1, 2]}', "```json\n{}\n```", "```\n[]")),
        "title": ({}, ("<<x>>", "<< <> >>", "<<\n>>")),
        "two_responses": ({}, ("yes", "\n******\n", "no")),
        "repeat_prompt": ({"prompt_to_repeat": request}, (request, request.upper(), request[:-1])),
        "end_checker": ({"end_phrase": phrase}, (phrase.upper(), f'{phrase}"', phrase)),
        "capital_word_frequency": (
            {"capital_frequency": small, "capital_relation": _relation(rng)},
            ("NASA", "A-B/C", "WELL,DONE", "A:B", "OK.", "X.Y.", "(UN)", "A—B", "A--B", "AB1"),
        ),
    }
    return table.get(name, ({}, ()))


def shaped(name: str, given: Args, response: str, rng: random.Random) -> str:
    """Half of the time, for a type random text seldom follows: the response brought near what is asked."""
    if rng.random() < 0.5:
        return response
    short = [rng.choice(SENTENCES) for _ in range(6)]
    if name == "nth_paragraph_first_word":
        parts = short[: max(1, given["num_paragraphs"] + rng.choice((0, 0, 0, -1, 1)))]
        parts[min(given["nth_paragraph"], len(parts)) - 1] = (
            rng.choice(("", '"', "'", "*"))
            + given["first_word"].title()
            + rng.choice(("", ",", "'s", "-", "!"))
            + " is"
        )
        return rng.choice(("\n\n", "\n\n", "\n\n", "\n\n\n", "\n\n\n\n")).join(parts)
    if name == "number_paragraphs":
        return rng.choice(("***", "\n***\n", "* * *")).join(
            short[: given["num_paragraphs"] + rng.choice((0, 0, 1))]
        )
    if name == "two_responses":
        return "\n******\n".join(short[: rng.choice((2, 2, 2, 3))])
    if name == "json_format":
        made = json.dumps({"a": response[:50], "b": [1, None]})
        return rng.choice(
            (made, f"```json\n{made}\n```", f"```JSON {made}```", f"JSON: {made}", made[:-1], "12")
        )
    if name == "number_bullet_lists":
        return "\n".join(
            f"{rng.choice(('*', '-', '  *', '+', '**'))} {part}" for part in short[: rng.randint(1, 6)]
        )
    if name == "quotation":
        return f'{rng.choice(" “")}"{response}"{rng.choice(" .")}'
    if name == "response_language":
        return rng.choice(FOREIGN_TEXTS.get(given["language"], SENTENCES))
    if name in ("english_capital", "english_lowercase"):
        made = " ".join(rng.choice(ENGLISH) for _ in range(3))
        return rng.choice((made, made.upper(), made.lower()))
    return response


ENGLISH = tuple(s for s in SENTENCES if s.isascii() and not s.startswith("Der"))
FOREIGN_TEXTS = {
    "de": [s for s in SENTENCES if s.startswith("Der ")],
    "fr": [s for s in SENTENCES if s.startswith("Le ")],
    "hi": [s for s in SENTENCES if "।" in s],
    "ru": [s for s in SENTENCES if s.startswith("Это")],
    "ar": [s for s in SENTENCES if "؟" in s],
    "en": ENGLISH,
}


# ---------------------------------------------------------------- the reference, made repeatable


def reference() -> Callable[[str, str, Args], bool | None]:
    """(id, response, arguments) -> followed, by the harness's checkers as the harness calls them; None: it crashed."""
    import nltk

    nltk.download = lambda *args, **kwargs: (
        False
    )  # importing the checkers would otherwise look for the network
    import langdetect
    from lm_eval.tasks.ifeval import instructions_registry, instructions_util
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    punkt, treebank = PunktSentenceTokenizer(), NLTKWordTokenizer()
    instructions_util._get_sentence_tokenizer = lambda: punkt
    instructions_util.nltk = SimpleNamespace(
        tokenize=nltk.tokenize,
        word_tokenize=lambda text: [word for s in punkt.tokenize(text) for word in treebank.tokenize(s)],
    )
    langdetect.DetectorFactory.seed = 0
    logging.getLogger("lm_eval.tasks.ifeval.instructions").setLevel(logging.CRITICAL)

    def checked(id: str, response: str, given: Args) -> bool | None:
        random.seed(0)
        checker = instructions_registry.INSTRUCTION_DICT[id](id)
        try:
            checker.build_description(**given)
            return bool(response.strip()) and bool(checker.check_following(response))
        except (re.error, RecursionError):
            return None

    return checked


# ---------------------------------------------------------------- why they differ

LETTER, PATTERN, LANGUAGE, CAPITALS, DEEP, CONTRACTION = (
    "not a letter from a to z",
    "a word with marks, read as a regular expression",
    "no language to be told",
    "capitals, whose language langdetect does not see",
    "JSON nested too deep: the reference crashes",
    "contraction",
)
#: What in a text our splitter and punkt see differently.
SENTENCE_KINDS = {
    "list number": r"(?m)^[ \t>*_#-]*\(?\d{1,3}\.\s",
    "number before a small letter": r"\d\.\s+[^\W\d_A-Z]",
    "abbreviation or initial": r"(?i)\b(?:dr|e\.g|i\.e|p\.m|a\.m|etc|u\.s|u\.k|inc|no|st|mr|mrs|vs|p)\.\W|\b[A-Z]\.\s",
    "dots": r"\.\.|…",
    "marks of another script": r"[。！？।॥؟۔]",
    "mark with another mark behind it": r"[.!?][^\w\s.!?]",
    "piece without a letter": r"(?:^|\s)[^\w\s]+(?:\s|$)",
}
_CONTRACTIONS = re.compile(r"'|CANNOT|GONNA|GIMME|LEMME|GOTTA|WANNA")
_MARKED = re.compile(r"[^\w\s]")
PATTERNS = frozenset(
    {
        "keywords:existence",
        "keywords:frequency",
        "keywords:forbidden_words",
        "detectable_format:multiple_sections",
        "detectable_content:postscript",
    }
)


def why(id: str, response: str, given: Args) -> str:
    """The documented kind a disagreement is of; "" when it is of none."""
    if id == "length_constraints:number_sentences":
        return next((kind for kind, sign in SENTENCE_KINDS.items() if re.search(sign, response)), "")
    if id == "change_case:capital_word_frequency":
        return CONTRACTION if _CONTRACTIONS.search(response) else ""
    if id in PATTERNS:
        words = [w for v in given.values() for w in (v if isinstance(v, list) else [v]) if isinstance(w, str)]
        marked = [w for w in words if _MARKED.search(w) and w not in ("P.S.", "P.P.S")]
        return PATTERN if marked else ""
    if id == "keywords:letter_frequency":
        return "" if re.fullmatch("[a-zA-Z]", given["letter"]) else LETTER
    if id in NEED_LANGUAGE:
        seen = detect(response)
        if seen and id == "change_case:english_capital":
            return CAPITALS if (seen == "en") != (detect(response.lower()) == "en") else ""
        return "" if seen else LANGUAGE
    if id == "detectable_format:json_format":
        return DEEP if response.count("[") + response.count("{") > 500 else ""
    return ""


# ---------------------------------------------------------------- counting


@dataclass
class Row:
    """What came of one type."""

    texts: int = 0
    followed: int = 0
    agree: int = 0
    #: Texts in which nothing calls for a documented difference: on these the two must agree.
    plain: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    #: Disagreements of no documented kind: (response, arguments, ours, theirs).
    unexplained: list[tuple[str, Args, bool, bool | None]] = field(default_factory=list)

    def add(self, id: str, response: str, given: Args, ours: bool, theirs: bool | None) -> None:
        self.texts += 1
        self.followed += ours
        kind = why(id, response, given)
        self.plain += not kind
        if ours == theirs:
            self.agree += 1
        elif kind:
            self.kinds[kind] += 1
        else:
            self.unexplained.append((response, given, ours, theirs))


def measure(id: str, count: int, seed: int, checked: Callable[[str, str, Args], bool | None]) -> Row:
    """Both checkers on `count` random texts with random arguments."""
    rng = random.Random(f"{seed}/{id}")
    row = Row()
    for _ in range(count):
        given, hot = arguments(id, rng)
        response = shaped(id.partition(":")[2], given, text(rng, hot), rng)
        row.add(id, response, given, check(id, response, **given), checked(id, response, given))
    return row


def published(path: Path, seed: int, checked: Callable[[str, str, Args], bool | None]) -> dict[str, Row]:
    """Both on the published prompts: each answered by itself, by its words shuffled, by another prompt, by a short
    remark, by random text and by something near what each instruction asks; strictly and in the variants of loose."""
    prompts = read_ifeval(path)
    rng = random.Random(seed)
    rows = {id: Row() for id in CHECKS}
    for prompt in prompts:
        asked = [
            (wanted, {k: list(v) if isinstance(v, tuple) else v for k, v in wanted.values})
            for wanted in prompt.checks
        ]
        words = prompt.prompt.split()
        rng.shuffle(words)
        made = [prompt.prompt, " ".join(words), rng.choice(prompts).prompt, "I do not know.", text(rng, ())]
        made += [
            shaped(wanted.check.id.partition(":")[2], args, text(rng, ()), rng) for wanted, args in asked
        ]
        for response in made:
            if grade(prompt, response) != grade(prompt, response):
                raise SystemExit(f"prompt {prompt.key}: two grades of one response")
            for wanted, args in asked:
                for variant in dict.fromkeys(loose_variants(response)):
                    theirs = checked(wanted.id, variant, args)
                    rows[wanted.id].add(wanted.id, variant, args, wanted.met(variant), theirs)
    return rows


def accuracies(path: Path, seed: int) -> str:
    """The four accuracies of whole answer sets, ours and by the harness's own `process_results`, in %."""
    from lm_eval.tasks.ifeval import utils

    prompts = read_ifeval(path)
    docs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rng = random.Random(seed)
    texts = [prompt.prompt for prompt in prompts]
    sets = {
        "the prompts themselves": texts,
        "the prompts' words shuffled": [" ".join(rng.sample(t.split(), len(t.split()))) for t in texts],
        '"I do not know."': ["I do not know."] * len(texts),
        "random text": [text(rng, ()) for _ in texts],
    }
    lines = ["| answers | ours | harness |", "|---|---|---|"]
    for name, said in sets.items():
        ours = prompt_scores(map(grade, prompts, said))
        random.seed(0)
        results = [utils.process_results(doc, [response]) for doc, response in zip(docs, said, strict=True)]
        theirs = {}
        for metric in METRICS:
            values = [result[metric] for result in results]
            whole = metric.startswith("prompt")
            theirs[metric] = sum(values) / len(values) if whole else utils.agg_inst_level_acc(values)
        both = (", ".join(f"{100 * found[metric]:.1f}" for metric in METRICS) for found in (ours, theirs))
        lines.append(f"| {name} | {' | '.join(both)} |")
    return "\n".join(lines)


def table(rows: Mapping[str, Row]) -> str:
    lines = [
        "| type | texts | plain | followed | agreement | where they differ |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for id, row in rows.items():
        kinds = "; ".join(f"{kind}: {n}" for kind, n in row.kinds.most_common())
        if row.unexplained:
            kinds = f"{kinds}; UNEXPLAINED: {len(row.unexplained)}".lstrip("; ")
        share = f"{row.agree / row.texts:.2%}" if row.texts else "-"
        lines.append(
            f"| `{id}` | {row.texts} | {row.plain} | {row.followed / max(row.texts, 1):.0%} | {share} | {kinds} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompts", type=Path, help="ifeval_input_data.jsonl")
    given = parser.parse_args()
    checked = reference()
    tables = [{id: measure(id, given.texts, given.seed, checked) for id in CHECKS}]
    if given.prompts:
        tables.append(published(given.prompts, given.seed, checked))
    bad = 0
    if given.prompts:
        print(accuracies(given.prompts, given.seed), end="\n\n")
    for rows in tables:
        print(table(rows), end="\n\n")
        total = sum(row.texts for row in rows.values())
        print(f"{sum(row.agree for row in rows.values())} of {total} grades agree", end="\n\n")
        for id, row in rows.items():
            for response, args, ours, theirs in row.unexplained[:3]:
                print(
                    f"{id} {json.dumps(args)}: ours {ours}, theirs {theirs}: {response[:300]!r}",
                    file=sys.stderr,
                )
            bad += len(row.unexplained)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
