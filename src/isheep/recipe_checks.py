"""What a recipe asks for that cannot be, though every single setting is valid: found before any work starts.

Knows: how the sections of a recipe depend on one another. Each sentence names the setting and the way out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from isheep.benchmarks import BENCHMARKS
from isheep.chat.questions import task_name

if TYPE_CHECKING:
    from isheep.recipe import Recipe


def impossible(recipe: Recipe) -> list[str]:
    """Every contradiction in a recipe, a sentence each."""
    return [
        *_scores(recipe),
        *_counts(recipe),
        *_turns(recipe),
        *_review(recipe),
        *_names(recipe),
        *_judged(recipe),
        *_code(recipe),
    ]


def _scores(recipe: Recipe) -> Iterator[str]:
    """What needs a score where none is given."""
    chosen = recipe.filter
    if recipe.assessment.level != "none":
        return
    ranks = chosen.keep_fraction is not None or chosen.match is not None
    if ranks and chosen.by == "score":
        yield (
            "filter.by: there is no score to keep the best by, as assessment.level is 'none'; set it to 'random'"
        )
    if chosen.threshold is not None and chosen.threshold > 0:
        yield (
            f"filter.threshold: there is no score to be above {chosen.threshold:g}, as assessment.level is 'none'; "
            "set it to 0 (rules only) or null"
        )
    if recipe.preferences.samples:
        yield "preferences.samples: best and worst answers need scores; set assessment.level to 'both'"


def _counts(recipe: Recipe) -> Iterator[str]:
    """Counts that can never be reached."""
    chosen, count = recipe.filter, recipe.instructions.count
    share = chosen.keep_fraction
    answers = count * recipe.responses.samples * recipe.followups.turns
    most = answers if share is None else round(share * answers)
    if recipe.iterations and most < chosen.min_kept:
        kept = f"{most} of {answers}" if share is None else f"{share:g} of {answers}, which is {most},"
        yield (
            f"filter.min_kept: {chosen.min_kept} pairs can never be kept, as at most {kept} are; "
            "raise instructions.count or lower filter.min_kept"
        )
    if isinstance(chosen.match, int) and chosen.match > answers:
        yield f"filter.match: {chosen.match} pairs cannot be kept of {answers}; raise instructions.count"
    if recipe.responses.samples > 1 and recipe.responses.temperature == 0:
        yield "responses.samples: at responses.temperature 0 all answers are the same; raise it or draw 1"
    if recipe.followups.min_words > recipe.followups.max_words:
        words = f"{recipe.followups.min_words} is above followups.max_words ({recipe.followups.max_words})"
        yield f"followups.min_words: {words}; no follow-up could pass"
    if recipe.preferences.samples == 1:
        yield "preferences.samples: one answer cannot be best and worst; draw 2 or more"
    if recipe.preferences.samples and recipe.responses.temperature == 0:
        yield "preferences.samples: at responses.temperature 0 all answers are the same; raise it"


def _turns(recipe: Recipe) -> Iterator[str]:
    if recipe.followups.turns > 1 and recipe.responses.samples > 1:
        yield "followups.turns: a conversation goes on from one answer; set responses.samples to 1"
    if recipe.followups.turns > 1 and recipe.backend.engine == "openai" and recipe.server.api == "chat":
        yield (
            "followups.turns: the chat API cannot write a person's message, only answers; set server.api to "
            "'completions', or followups.turns to 1"
        )


def _review(recipe: Recipe) -> Iterator[str]:
    """A stop rule or a choice of the best that has nothing to go by."""
    review, tasks = recipe.review, [Path(task).stem for task in recipe.evaluate.tasks]
    if review.until == "fixed" and review.keep == "last":
        return
    setting = "until" if review.until != "fixed" else "keep"
    if not tasks:
        yield (
            f"review.{setting}: {getattr(review, setting)!r} needs a held-out evaluation; name one in evaluate.tasks"
        )
    elif review.on is not None and review.on not in tasks:
        yield f"review.on: no evaluation {review.on!r}; declared in evaluate.tasks: {', '.join(tasks)}"
    if review.decoding not in recipe.evaluate.decodings:
        yield f"review.decoding: {review.decoding!r} is not among evaluate.decodings"


#: Names under which the questions of all tests, and of all benchmarks, are gathered.
_TAKEN = ("tests", "benchmarks", "ifeval")


def _names(recipe: Recipe) -> Iterator[str]:
    """Results go by the names of evaluations, and those of files are their users' choice."""
    tests = [Path(task).stem for task in (*recipe.evaluate.tasks, *recipe.evaluate.also)]
    chat = [task_name(Path(name)) for name in (*recipe.chat.pairwise, *recipe.chat.graded)]
    names = [*tests, *chat, *recipe.benchmarks.tasks, *(["ifeval"] if recipe.ifeval.file else [])]
    for name in dict.fromkeys((*tests, *chat)):
        if names.count(name) > 1:
            yield f"two evaluations are called {name!r}, and results go by it; rename a file"
        elif name in chat and name in _TAKEN:
            yield f"chat: a question file cannot be called {name!r}, as something else is; rename it"


def _judged(recipe: Recipe) -> Iterator[str]:
    """Chat that nobody judges, or a judge nobody can find."""
    judge, chat = recipe.judge, recipe.chat
    names = [*chat.pairwise, *chat.graded]
    if not names:
        return
    if judge.kind is None:
        yield (
            f"judge.kind: nobody judges {', '.join(names)}; set it to 'openai' (a server, with judge.url and "
            "judge.model), 'engine' (a model on this machine) or 'scripted'"
        )
    if judge.kind in ("openai", "engine") and not judge.model:
        yield f"judge.model: the judge {judge.kind!r} needs a model's name"
    if judge.kind == "scripted" and judge.script is None:
        yield "judge.script: the judge 'scripted' needs a policy ('longer', 'first') or a file"


def _code(recipe: Recipe) -> Iterator[str]:
    """Benchmarks that run what the model wrote, where nobody has allowed it."""
    asked = [name for name in recipe.benchmarks.tasks if name in BENCHMARKS and BENCHMARKS[name].runs_code]
    if asked and not recipe.runtime.allow_code_execution:
        yield (
            f"benchmarks.tasks: {', '.join(asked)} run code that the model wrote; read docs/sandbox.md, then set "
            "runtime.allow_code_execution to true (`--allow-code-execution`)"
        )
