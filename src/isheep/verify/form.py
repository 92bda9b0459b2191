"""The checks on form: format, marks, beginnings and ends. Each docstring says what counts, and where it differs from
the reference: the checkers that lm-evaluation-harness 0.4.13 carries on from the paper's authors."""

from __future__ import annotations

import json
import re

#: The three answers of constrained_response, as IFEval words them.
ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

#: Six asterisks part the two responses of two_responses.
DIVIDER = "*" * 6

#: A line with one star and something behind it, and a line with a dash. A star alone takes the next line with it.
_BULLETS = (re.compile(r"^\s*\*[^*].*$", re.MULTILINE), re.compile(r"^\s*-.*$", re.MULTILINE))
_HIGHLIGHTS = (re.compile(r"\*([^\n*]*)\*"), re.compile(r"\*\*([^\n*]*)\*\*"))
_FENCES = ("```json", "```Json", "```JSON", "```")


def number_placeholders(text: str, num_placeholders: int) -> bool:
    """At least so many placeholders in square brackets, each within one line."""
    return len(re.findall(r"\[.*?\]", text)) >= num_placeholders


def postscript(text: str, postscript_marker: str) -> bool:
    """The marker stands somewhere, in any case; a space may follow each of its inner full stops.

    As in the reference, it need not be at the end. Differs: the reference reads markers other than "P.S." and "P.P.S"
    as regular expressions, without the spaces.
    """
    marker = re.escape(postscript_marker.strip().lower())
    return re.search(re.sub(r"\\\.(?=\w)", r"\\.\\s?", marker), text.lower()) is not None


def number_bullet_lists(text: str, num_bullets: int) -> bool:
    """Exactly so many bullet points: lines that begin with "-" (a dashed rule too) or with one "*"."""
    return sum(len(bullet.findall(text)) for bullet in _BULLETS) == num_bullets


def constrained_response(text: str) -> bool:
    """One of the three answers stands in the response, word for word."""
    return any(answer in text for answer in ANSWERS)


def number_highlighted_sections(text: str, num_highlights: int) -> bool:
    """At least so many passages *between stars* or **between two stars**, each within one line and not blank."""
    found = [inner for pattern in _HIGHLIGHTS for inner in pattern.findall(text)]
    return sum(bool(inner.strip()) for inner in found) >= num_highlights


def multiple_sections(text: str, section_spliter: str, num_sections: int) -> bool:
    """At least so many sections, each opened by the word and a number, in exactly the word's case.

    Differs: the reference reads the word as a regular expression; here it is itself.
    """
    return len(re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", text)) >= num_sections


def json_format(text: str) -> bool:
    """The whole response is one JSON value (a number or a quoted text too), in a Markdown fence or not.

    Differs: JSON nested thousands deep fails here; the reference crashes on it.
    """
    text = text.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str) -> bool:
    """A title in double angular brackets, within one line and not blank."""
    return any(inner.lstrip("<").rstrip(">").strip() for inner in re.findall(r"<<([^\n]+)>>", text))


def two_responses(text: str) -> bool:
    """Two different responses with six asterisks between them; they may also stand first or last."""
    first, *rest = (part.strip() for part in text.split(DIVIDER))
    if not rest:
        return False
    *inner, last = rest
    given = [part for part in (first, *inner, last) if part]
    return all(inner) and len(given) == 2 and given[0] != given[1]


def repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    """The response begins with the request, word for word, in any case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(text: str, end_phrase: str) -> bool:
    """The response ends with the phrase, in any case; double quotes around the whole do not count."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """The first and the last character are straight double quotes."""
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def no_comma(text: str) -> bool:
    """No comma; the commas of other scripts ("，", "、", "،") do not count."""
    return "," not in text
