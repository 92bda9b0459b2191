"""Responses written to follow a probe's instructions, or all but one of them: by construction, without a model and
without asking the checks.

Layer by layer: sentences that carry what single instructions ask for, the shape they stand in, what is put before and
behind, and last what holds for the whole (quotes, case).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from isheep.verify.arguments import LESS_THAN
from isheep.verify.checks import Demand
from isheep.verify.exam_words import FILLER, FOREIGN, PLACES, SHOUTS
from isheep.verify.form import ANSWERS, DIVIDER

Given = dict[str, dict[str, Any]]


def plant(checks: Sequence[Demand], broken: str, rng: random.Random) -> str:
    """A response that follows every check but the one whose id is `broken` ("": every one)."""
    given: Given = {wanted.id.partition(":")[2]: wanted.arguments for wanted in checks}
    broken = broken.partition(":")[2]
    filler = rng.sample(FILLER, len(FILLER))
    if "constrained_response" in given:
        return filler[0] if broken else rng.choice(ANSWERS)
    if "response_language" in given and broken != "response_language":
        filler = [FOREIGN[given["response_language"]["language"]], ""]
    extras = [said for name, args in given.items() if (said := _sentence(name, args, name != broken, rng))]
    body = _shape(given, broken, extras, filler)
    return _whole(given, broken, _around(given, broken, body))


def _times(threshold: int, relation: str, follow: bool) -> int:
    """How often to do what is asked for less than, or at least, `threshold` times; one more or less breaks it."""
    return threshold - ((relation == LESS_THAN) == follow)


def _sentence(name: str, args: dict[str, Any], follow: bool, rng: random.Random) -> str:
    """One sentence that meets an instruction, or that breaks it; "" where nothing need be said."""
    if name == "existence":
        words = list(args["keywords"])[: None if follow else -1]
        return f"Think of the {' and the '.join(words)}." if words else ""
    if name == "forbidden_words":
        return "" if follow else f"This is what they call {rng.choice(args['forbidden_words'])}."
    if name == "no_comma":
        return "" if follow else "Look around, then begin."
    said, items = "", []
    if name == "frequency":
        count = _times(args["frequency"], args["relation"], follow)
        said, items = "Say", [args["keyword"]] * count
    elif name == "letter_frequency":
        count = _times(args["let_frequency"], args["let_relation"], follow)
        said, items = "Note", [args["letter"]] * count
    elif name == "capital_word_frequency":
        threshold, relation = args["capital_frequency"], args["capital_relation"]
        said, items = "Shout", list(SHOUTS[: _times(threshold, relation, follow)])
    elif name == "number_placeholders":
        said, items = "Ask", [f"[{place}]" for place in PLACES[: args["num_placeholders"] - (not follow)]]
    elif name == "number_highlighted_sections":
        said, items = "See", [f"*{place}*" for place in PLACES[: args["num_highlights"] - (not follow)]]
    return f"{said} {' '.join(items)}." if items else ""


def _shape(given: Given, broken: str, extras: list[str], filler: list[str]) -> str:
    """The sentences in the shape that is asked for: counted, parted, listed."""
    for name, args in given.items():
        off = name == broken
        if name == "number_sentences":
            return " ".join([*extras, *filler][: _times(args["num_sentences"], args["relation"], not off)])
        if name == "number_words":
            return _long(extras, filler, args["num_words"], (args["relation"] == LESS_THAN) == off)
        first, rest = " ".join([*extras, filler[0]]), filler[1:]
        if name == "number_paragraphs":
            return "\n***\n".join([first, *rest[: args["num_paragraphs"] - 1 + off]])
        if name == "nth_paragraph_first_word":
            parts = filler[: args["num_paragraphs"]]
            if not off:
                nth = args["nth_paragraph"] - 1
                parts[nth] = f"{args['first_word'].capitalize()} {parts[nth][0].lower()}{parts[nth][1:]}"
            parts[-1] = " ".join([parts[-1], *extras])
            return "\n\n".join(parts)
        if name == "number_bullet_lists":
            return "\n".join([first, *(f"* {said}" for said in rest[: args["num_bullets"] + off])])
        if name == "multiple_sections":
            parts = [first, *rest][: args["num_sections"] - off]
            return "\n".join(f"{args['section_spliter']} {i}\n{said}" for i, said in enumerate(parts, 1))
        if name == "two_responses":
            return first if off else f"{first}\n{DIVIDER}\n{rest[0]}"
    body = " ".join([*extras, *filler[:2]]).strip()
    if "json_format" in given and broken != "json_format":
        return json.dumps({"answer": body})
    return body


def _long(extras: list[str], filler: list[str], words: int, long: bool) -> str:
    """At least so many words, or clearly fewer: two sentences have no 60 words, the least that is ever asked for."""
    said = [*extras, *filler[:2]]
    while long and len(" ".join(said).split()) < words:
        said.append(filler[len(said) % len(filler)])
    return " ".join(said)


def _around(given: Given, broken: str, body: str) -> str:
    """What stands before and behind."""
    for name, args in given.items():
        if name == broken:
            continue
        if name == "title":
            body = f"<<Fine days>>\n{body}"
        elif name == "postscript":
            body = f"{body}\n{args['postscript_marker']} Take care."
        elif name == "end_checker":
            body = f"{body} {args['end_phrase']}"
    if "repeat_prompt" in given and broken != "repeat_prompt":
        body = f"{given['repeat_prompt']['prompt_to_repeat']}\n\n{body}"
    return body


def _whole(given: Given, broken: str, body: str) -> str:
    """What holds for every character, the quotes around all of it last."""
    for name in given:
        if name == "english_capital" and name != broken:
            body = body.upper()
        elif name == "english_lowercase" and name != broken:
            body = body.lower()
    return f'"{body}"' if "quotation" in given and broken != "quotation" else body
