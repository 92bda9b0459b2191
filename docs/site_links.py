"""A hook of the documentation site: links out of docs/ become code, as the site holds nothing but docs/.

In the repository such a link leads to the file; on the site its words stay, with the file's path behind them.
"""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#\s]+)[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page as it is shown on the site (a hook of mkdocs)."""
    return _OUTSIDE.sub(_named, markdown)


def _named(link: re.Match[str]) -> str:
    words, path = link.groups()
    return f"`{path}`" if words.strip("`") in path else f"{words} (`{path}`)"
