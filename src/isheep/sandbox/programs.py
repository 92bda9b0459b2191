"""From what a model wrote to a program with its tests at its end. Text in, text out: nothing is parsed or run here.

Even compiling a text can exhaust the interpreter, so the text is only cut, by its lines; what the cut leaves is for the
sandbox to judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: A fenced block of Markdown; one that the token limit cut off ends with the text.
_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+.-]*)[^\n]*\n"
    r"(?P<code>.*?)(?:(?P<end>^[ \t]*(?P=fence)[ \t\r]*$)|\Z)",
    re.MULTILINE | re.DOTALL,
)
#: A fence that ends a block which the prompt has opened.
_END = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t\r]*$", re.MULTILINE)
_TAGS = frozenset({"", "py", "py3", "python", "python3"})
#: Where code without a fence begins, behind words of explanation.
_CODE = re.compile(r"^(?:from|import|class|def|async def|@)\b|^@", re.MULTILINE)
_QUOTES = re.compile(r'"""|\'\'\'')
_INDENT = "    "


def extract_code(text: str, entry_point: str = "") -> str:
    """The code in an answer: its fenced block if it has one, else the text up to a lone fence, else the text.

    Of several blocks, of those tagged as Python or not at all: the first that defines `entry_point`, else the first. A
    text without a block that defines `entry_point` begins at its first import, class, decorator or function.
    """
    found = [m for m in _BLOCK.finditer(text) if m["tag"].lower() in _TAGS and (m["tag"] or m["end"])]
    blocks = [block["code"] for block in found]
    if blocks:
        return next((code for code in blocks if _defines(code, entry_point)), blocks[0])
    text = _END.split(text, maxsplit=1)[0]
    if _defines(text, entry_point) and (start := _CODE.search(text)):
        return text[start.start() :]
    return text


def humaneval_program(prompt: str, completion: str, test: str, entry_point: str) -> str:
    """A HumanEval task as one program: the prompt, the answer to it, the tests, and the call that runs them.

    An answer that defines `entry_point` itself stands behind the whole prompt (whose helpers and imports it may use)
    and replaces its open function. Any other goes on where the prompt ends, and is cut before its next statement at the
    top level, as the benchmark's usual stop texts do.
    """
    code = extract_code(completion, entry_point)
    itself = _defines(code, entry_point)
    solution = f"{_line(prompt)}{_INDENT}pass\n{code}" if itself else prompt + _body(prompt, code)
    return f"{_line(solution)}\n{_line(test)}\ncheck({entry_point})\n"


def mbpp_program(code: str, tests: Sequence[str], setup: str = "") -> str:
    """An MBPP task as one program: the answer's code, what its tests need (`test_setup_code`), the assertions."""
    return "\n".join([extract_code(code), setup, *tests]) + "\n"


def _defines(code: str, name: str) -> bool:
    return bool(name) and re.search(rf"^(?:async )?def {re.escape(name)}\b", code, re.MULTILINE) is not None


def _body(prompt: str, code: str) -> str:
    """The lines of a continuation up to the next statement at the top level."""
    if prompt.endswith("\n"):
        code = code.lstrip("\n")
        if code[:1] not in ("", " ", "\t"):
            code = _INDENT + code  # answers often lose the space they begin with
    kept: list[str] = []
    quote = ""
    for line in code.split("\n"):
        if kept and not quote and line[:1] not in ("", " ", "\t", "#", ")", "]", "}", "\r"):
            break
        kept.append(line)
        for found in _QUOTES.findall(line):
            quote = "" if quote == found else quote or found
    return "\n".join(kept)


def _line(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
