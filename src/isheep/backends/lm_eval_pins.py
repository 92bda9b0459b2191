"""What lm-evaluation-harness leaves to chance or to the network, pinned; and the functions our task files name.

Imported only in the examiner's own process. `apply` must run before any task is loaded.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from isheep.benchmarks.scoring import gpqa_order, squad_scores

#: MBPP's test problems by task id (Austin et al. 2021; the rest is for prompts, validation and fine-tuning).
MBPP_TEST = range(11, 511)


def apply() -> None:
    """Pin language detection and sentence splitting; keep `code_eval` from being fetched and run."""
    _pin_code_eval()
    _pin_ifeval()


class _NoCodeEval:
    """In place of the hub's module `code_eval`, which task files load and try out as soon as they are imported.

    Nothing is executed here: programs are run by isheep.sandbox, and only by the user's word.
    """

    def compute(self, **_: Any) -> tuple[dict[str, float], dict[str, Any]]:
        return {"pass@1": 0.0}, {}


def _pin_code_eval() -> None:
    import evaluate  # type: ignore[import-untyped]

    fetch = evaluate.load

    def load(path: str, *args: Any, **kwargs: Any) -> Any:
        return _NoCodeEval() if path == "code_eval" else fetch(path, *args, **kwargs)

    evaluate.load = load


def _pin_ifeval() -> None:
    """langdetect draws from its own unseeded generator; nltk would download its model of sentences.

    Sentences are counted by the harness's own rules (`split_into_sentences`) instead of that model, and words are told
    apart without cutting the text into sentences first.
    """
    import langdetect
    import nltk  # type: ignore[import-untyped]

    langdetect.DetectorFactory.seed = 0
    fetch, split_words = nltk.download, nltk.word_tokenize
    nltk.download = lambda *args, **kwargs: False
    from lm_eval.tasks.ifeval import instructions_util

    nltk.download = fetch
    instructions_util.count_sentences = lambda text: len(instructions_util.split_into_sentences(text))
    nltk.word_tokenize = lambda text: split_words(text, preserve_line=True)


class _Zero(int):
    """A nought that counts as given: the checkers drop every argument that is false and draw another at random."""

    def __bool__(self) -> bool:
        return True


def ifeval_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """The harness's own check of one response, with zero arguments kept and its random draws, if any, repeatable."""
    from lm_eval.tasks.ifeval import utils

    arguments = [{k: _Zero() if _is_zero(v) else v for k, v in given.items()} for given in doc["kwargs"]]
    state = random.getstate()
    try:
        random.seed(hashlib.sha256(str(doc["prompt"]).encode()).hexdigest())
        found: dict[str, Any] = utils.process_results({**doc, "kwargs": arguments}, results)
    finally:
        random.setstate(state)
    return found


def _is_zero(value: object) -> bool:
    return value == 0 and isinstance(value, int | float) and not isinstance(value, bool)


def gpqa_docs(dataset: Any) -> Any:
    """GPQA's rows with their four options in an order told by the row alone, whatever was drawn or cached before."""
    from lm_eval.tasks.gpqa.zeroshot.utils import preprocess

    wrong = [f"Incorrect Answer {n}" for n in (1, 2, 3)]

    def arrange(row: dict[str, Any]) -> dict[str, str]:
        texts = [preprocess(row[name]) for name in ("Correct Answer", *wrong)]
        order = gpqa_order(str(row["Question"]), texts)
        shown = {f"choice{place}": texts[n] for place, n in enumerate(order, 1)}
        return {**shown, "answer": f"({'ABCD'[order.index(0)]})"}

    return dataset.map(arrange, load_from_cache_file=False)


def mbpp_docs(dataset: Any) -> Any:
    """MBPP's test problems, also where the one published file with all of them was given."""
    return dataset.filter(lambda row: int(row["task_id"]) in MBPP_TEST, load_from_cache_file=False)


def squad_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Exact match and F1 of one response; doc["answers"]["text"] is empty where the passage holds no answer."""
    exact, f1 = squad_scores(results[0], doc["answers"]["text"])
    return {"exact": exact, "f1": f1}


def unscored(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """For code: a program is not judged where the model is loaded, but afterwards, in the sandbox."""
    return {"pass@1": 0.0}
