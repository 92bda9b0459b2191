"""The fixed benchmarks of the paper: what each is called, where its data are, what a row holds, how it is scored.

Knows: names and shapes. Does not know: how a model is asked (the examiner does), where local copies lie (local.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isheep.benchmarks.subjects import SUBJECTS
from isheep.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One fixed benchmark. Paths of data and tasks are those of lm-evaluation-harness 0.4.13 and of the hub."""

    name: str
    #: The harness's own task file, below its tasks folder; "" where ours, benchmarks/tasks/NAME.yaml, is used.
    include: str
    hub: str
    #: Name of the hub's configuration, "" when there is only one.
    config: str
    #: The split that is asked, and the one examples are shown from ("" where the harness has examples of its own).
    split: str
    shots_split: str
    #: Metrics that are reported; the first is the headline.
    metrics: tuple[str, ...]
    #: Fields a row must have.
    fields: tuple[str, ...]
    #: The model writes an answer; else the probability of each choice is read.
    writes: bool = False
    #: What the model wrote is executed.
    runs_code: bool = False
    #: The field that items of one cluster share: questions about one passage are not independent.
    passage: str = ""
    #: Published file names accepted beside NAME.jsonl.
    files: tuple[str, ...] = ()
    #: Parts with data files of their own.
    subjects: tuple[str, ...] = ()
    #: The harness shows the same fixed number of examples whatever is asked for.
    fixed_shots: bool = False

    @property
    def headline(self) -> str:
        return self.metrics[0]


_CHOICE = ("acc",)
_NORMED = ("acc_norm", "acc")
_ARC = ("question", "choices", "answerKey")

#: name -> benchmark, in the order of the paper's tables. `ifeval` itself is a stage of our own; here are the harness's
#: checkers, as `ifeval_harness`.
BENCHMARKS: Mapping[str, Benchmark] = {
    b.name: b
    for b in (
        Benchmark(
            "ifeval_harness", "ifeval/ifeval.yaml", "google/IFEval", "", "train", "",
            ("prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"),
            ("key", "prompt", "instruction_id_list", "kwargs"),
            writes=True, files=("ifeval_input_data",), fixed_shots=True,
        ),
        Benchmark(
            "boolq", "super_glue/boolq/default.yaml", "aps/super_glue", "boolq", "validation", "train",
            _CHOICE, ("passage", "question", "label"), passage="passage",
        ),
        Benchmark(
            "piqa", "piqa/piqa.yaml", "baber/piqa", "", "validation", "train",
            ("acc", "acc_norm"), ("goal", "sol1", "sol2", "label"),
        ),
        Benchmark(
            "social_iqa", "siqa/siqa.yaml", "lighteval/siqa", "", "validation", "train",
            _CHOICE, ("context", "question", "answerA", "answerB", "answerC", "label"),
        ),
        Benchmark(
            "gpqa_diamond", "gpqa/zeroshot/gpqa_diamond_zeroshot.yaml", "Idavidrein/gpqa", "gpqa_diamond", "train", "",
            _CHOICE,
            ("Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
            fixed_shots=True,
        ),
        Benchmark(
            "hellaswag", "hellaswag/hellaswag.yaml", "Rowan/hellaswag", "", "validation", "train",
            _NORMED, ("activity_label", "ctx_a", "ctx_b", "endings", "label"),
        ),
        Benchmark(
            "winogrande", "winogrande/default.yaml", "allenai/winogrande", "winogrande_xl", "validation", "train",
            _CHOICE, ("sentence", "option1", "option2", "answer"),
        ),
        Benchmark(
            "arc_easy", "arc/arc_easy.yaml", "allenai/ai2_arc", "ARC-Easy", "test", "train", ("acc", "acc_norm"), _ARC,
        ),
        Benchmark(
            "arc_challenge", "arc/arc_challenge.yaml", "allenai/ai2_arc", "ARC-Challenge", "test", "train",
            _NORMED, _ARC,
        ),
        Benchmark(
            "openbookqa_fact", "", "allenai/openbookqa", "additional", "test", "train",
            _NORMED, ("question_stem", "choices", "answerKey", "fact1"),
        ),
        Benchmark(
            "commonsense_qa", "commonsense_qa/default.yaml", "tau/commonsense_qa", "", "validation", "train",
            _CHOICE, _ARC,
        ),
        Benchmark(
            "mmlu", "mmlu/default/mmlu_{subject}.yaml", "cais/mmlu", "", "test", "dev",
            _CHOICE, ("question", "choices", "answer"), subjects=SUBJECTS,
        ),
        Benchmark(
            "humaneval", "humaneval/humaneval.yaml", "openai/openai_humaneval", "", "test", "",
            ("pass@1",), ("task_id", "prompt", "test", "entry_point"),
            writes=True, runs_code=True, files=("HumanEval",), fixed_shots=True,
        ),
        Benchmark(
            "humaneval_plus", "humaneval/humaneval_plus.yaml", "evalplus/humanevalplus", "", "test", "",
            ("pass@1",), ("task_id", "prompt", "test", "entry_point"),
            writes=True, runs_code=True, files=("HumanEvalPlus",), fixed_shots=True,
        ),
        Benchmark(
            "mbpp", "mbpp/mbpp.yaml", "google-research-datasets/mbpp", "full", "test", "",
            ("pass@1",), ("task_id", "text", "test_list"), writes=True, runs_code=True,
        ),
        Benchmark(
            "nq_open", "nq_open/nq_open.yaml", "google-research-datasets/nq_open", "nq_open", "validation", "train",
            ("exact_match",), ("question", "answer"), writes=True,
        ),
        Benchmark(
            "triviaqa", "triviaqa/default.yaml", "mandarjoshi/trivia_qa", "rc.nocontext", "validation", "train",
            ("exact_match",), ("question", "answer"), writes=True,
        ),
        Benchmark(
            "squadv2", "", "lighteval/squad_v2", "squad_v2", "validation", "train",
            ("exact", "f1"), ("context", "question", "answers"), writes=True, passage="context",
        ),
    )
}  # fmt: skip

#: The paper's chat benchmarks: run by stages of their own, not by an examiner.
CHAT = ("alpaca_eval", "mt_bench", "ifeval")

#: group -> members, as the paper's tables have them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "paper_chat": CHAT,
    "paper_standard": (
        "boolq", "piqa", "social_iqa", "gpqa_diamond", "hellaswag", "winogrande", "arc_easy", "arc_challenge",
        "openbookqa_fact", "commonsense_qa", "mmlu",
    ),
    "paper_code": ("humaneval", "humaneval_plus", "mbpp"),
    "paper_knowledge": ("nq_open", "triviaqa", "squadv2"),
}  # fmt: skip

#: Other names in use for the same thing.
ALIASES: Mapping[str, str] = {
    "siqa": "social_iqa",
    "gpqa": "gpqa_diamond",
    "arc_e": "arc_easy",
    "arc_c": "arc_challenge",
    "openbookqa": "openbookqa_fact",
    "obqa_fact": "openbookqa_fact",
    "csqa": "commonsense_qa",
    "squad_v2": "squadv2",
    "nq": "nq_open",
}


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """Benchmarks by name: groups expanded, aliases settled, each once, in the order given.

    Raises RecipeError naming every name that is none, with the nearest that is one. The chat benchmarks are no fixed
    benchmarks: `paper_chat` and its members are refused with the word where they are run.
    """
    found: dict[str, None] = {}
    wrong = []
    for name in names:
        members = GROUPS.get(name, (ALIASES.get(name, name),))
        if any(member in CHAT for member in members):
            wrong.append(f"{name!r} is run by a stage of its own, not by the examiner")
        elif all(member in BENCHMARKS for member in members):
            found.update(dict.fromkeys(members))
        else:
            wrong.append(_unknown(name))
    if wrong:
        raise RecipeError("; ".join(wrong), f"known: {', '.join([*GROUPS, *BENCHMARKS])}")
    return tuple(found)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*GROUPS, *BENCHMARKS, *ALIASES], 1, 0.5)
    return f"unknown benchmark {name!r}" + (f", did you mean {near[0]!r}?" if near else "")


def refuse_code(tasks: Iterable[str], allowed: bool) -> None:
    """Raises RecipeError when a task runs what the model wrote and nobody allowed it."""
    running = [name for name in tasks if BENCHMARKS[name].runs_code]
    if running and not allowed:
        raise RecipeError(
            f"{', '.join(running)} would run code that the model wrote, which nobody has allowed",
            "give --allow-code-execution once you know what it does and does not protect from (docs/sandbox.md), "
            "or leave these tasks out",
        )
