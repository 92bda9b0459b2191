"""Which language a text is in, the same answer every time. The only place that knows langdetect (extra `eval`)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from isheep.errors import MissingExtraError

#: langdetect draws at random; any fixed seed makes it repeatable. With none, the same text may get two answers.
SEED = 0


@functools.cache
def _factory() -> Any:
    """A detector factory of our own: what others do with the package's global one cannot change an answer."""
    try:
        from langdetect import detector_factory
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "checking the language of a response needs the package 'langdetect', which is not installed",
            "pip install 'isheep[eval]'",
        ) from error
    factory = detector_factory.DetectorFactory()
    # Sorted: the package lists its folder in whatever order the file system has, and probabilities are summed in it.
    profiles = sorted(Path(detector_factory.PROFILES_DIRECTORY).iterdir())
    factory.load_json_profile([p.read_text(encoding="utf-8") for p in profiles if not p.name.startswith(".")])
    factory.set_seed(SEED)
    return factory


def require() -> None:
    """Raise MissingExtraError, with the way out, where languages cannot be told."""
    _factory()


def detect(text: str) -> str:
    """langdetect's code of the most probable language; "" where the text has nothing to tell it by (digits, dots).

    Each call starts from the same seed, so the answer depends on the text alone. Raises MissingExtraError.
    """
    factory = _factory()
    from langdetect.lang_detect_exception import LangDetectException

    detector = factory.create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return ""


def is_in(text: str, language: str) -> bool:
    """Whether a text is in the language; "zh" accepts both ways of writing Chinese."""
    found = detect(text)
    return found == language or (language == "zh" and found.startswith("zh-"))
