"""instructions: the model writes new tasks from a few seed tasks (paper, Algorithm 1, P_t).

In rounds: draw shots -> lay out a numbered list -> let the model continue it -> read the items -> rules -> near-
duplicates against seeds, everything of this iteration and everything kept in earlier ones. Until `count` are kept.
Every candidate becomes a record, with the reason when it was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from isheep.backends.base import Generator, Request, Sampling
from isheep.errors import RecipeError, YieldError
from isheep.records import Completion, Instruction, Record, Task
from isheep.stages.stage import Context, OutsideFile, Settings, Stage, known_names
from isheep.text.draw import draw_shots
from isheep.text.parse import parse_task_list, stop_text
from isheep.text.prompts import list_item, request, task_list
from isheep.text.released import ALL_INSTRUCTION_RULES, DEFAULT_INSTRUCTION_RULES, RULE_SETS, named_rules
from isheep.text.rules import instruction_reason


class OverlapSettings(Settings):
    threshold: float = Field(0.7, gt=0, le=1)
    """Drop a task whose ROUGE-L F1 with any earlier one is above this (released code: 0.7)."""
    on: Literal["instruction", "pair"] = "instruction"
    """Compare the instruction alone, or instruction and input together (for worlds with few phrasings)."""
    seeds: bool = True
    """Also compare with the seed tasks."""
    across: bool = True
    """Also compare with the tasks kept in earlier iterations (released code: never)."""
    window: int | None = Field(None, ge=1)
    """Forget all but the seeds after so many kept tasks (released code: 100); null never forgets."""


class InstructionsSettings(Settings):
    count: int = Field(10_000, ge=1)
    """Tasks to keep per iteration (paper, Figure 2b: I from 10k to 50k makes little difference)."""
    author: Literal["current", "base"] = "current"
    """Who writes: the current model (Algorithm 1), or the base model at every iteration. A tiny tuned model forgets how
    to write lists; then `base`."""
    shots: int = Field(5, ge=1)
    """Seed tasks shown, drawn anew for every list (released code: 5, uniform)."""
    list_length: int = Field(16, ge=2)
    """Last number of a list, the shots included (released code stops at "17")."""
    prompt: Annotated[str, OutsideFile("prompts", "/instructions.txt")] = "general"
    """The text above the list: a shipped name or a path."""
    temperature: float = Field(1.0, ge=0)
    """Sampling temperature (released code: 1.0)."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus sampling (released code: 0.95)."""
    max_tokens: int = Field(1000, ge=1)
    """Longest list in tokens (released code: 1000)."""
    rules: tuple[str, ...] = DEFAULT_INSTRUCTION_RULES
    """Heuristic rules a task must pass, by name or set (`ours`, `released`)."""
    min_words: int = Field(4, ge=1)
    """Fewest words of an instruction, for the rule `length` (Self-Instruct: 4)."""
    max_words: int = Field(150, ge=1)
    """Most words of an instruction, for the rule `length` (Self-Instruct: 150)."""
    overlap: OverlapSettings = OverlapSettings()
    """Near-duplicate rejection."""
    lists_per_round: int = Field(128, ge=1)
    """Lists asked for at once; near-duplicates are rejected between rounds. Part of the result, unlike a batch size."""
    min_yield: float = Field(0.05, gt=0)
    """Stop with advice when `patience` rounds in a row keep fewer than this many tasks per list."""
    patience: int = Field(5, ge=1)
    """Rounds of too low a yield before stopping."""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(named_rules(rules, "instruction"), ALL_INSTRUCTION_RULES, RULE_SETS["instruction"])

    @model_validator(mode="after")
    def _possible(self) -> InstructionsSettings:
        if self.list_length <= self.shots:
            raise ValueError(
                f"list_length ({self.list_length}) must be above shots ({self.shots}): no number is left for a new task"
            )
        if self.min_words > self.max_words:
            raise ValueError(f"min_words ({self.min_words}) is above max_words ({self.max_words})")
        return self


def subject(instruction: str, input: str, on: str) -> str:
    """The text two tasks are compared by."""
    return request(instruction, input) if on == "pair" else instruction


class Sieve:
    """The pure core: completions in, Instructions out, in a fixed order. Remembers what it has kept."""

    def __init__(
        self, settings: InstructionsSettings, seeds: Sequence[Task], earlier: Sequence[Instruction]
    ) -> None:
        self.settings = settings
        self.seeds = seeds if settings.overlap.seeds else ()
        self.kept = 0
        self._forget()
        if settings.overlap.across:
            on = settings.overlap.on
            self.index.add_all(
                (i.id, subject(i.instruction, i.input, on)) for i in earlier if i.reason is None
            )

    def _forget(self) -> None:
        """Start over, knowing the seeds alone."""
        from isheep.text.overlap import OverlapIndex

        self.index = OverlapIndex(self.settings.overlap.threshold)
        on = self.settings.overlap.on
        self.index.add_all((s.id, subject(s.instruction, s.input, on)) for s in self.seeds)

    def read(self, completion: Completion, shots: tuple[str, ...]) -> Iterator[Instruction]:
        """Every item of one list as an Instruction, kept or dropped with its reason."""
        if completion.finish == "too_long":
            yield Instruction(f"{completion.id}.00", "", "", shots, completion.id, "too_long")
            return
        finished = completion.finish != "length"
        parsed = parse_task_list(
            completion.text, len(shots) + 1, self.settings.list_length, finished=finished
        )
        for position, item in enumerate(parsed):
            reason = item.problem or self._reason(item.instruction, item.input)
            id = f"{completion.id}.{position:02d}"
            if reason is None:
                self.kept += 1
                self.index.add(id, subject(item.instruction, item.input, self.settings.overlap.on))
                window = self.settings.overlap.window
                if window is not None and self.kept % window == 0:
                    self._forget()
            yield Instruction(id, item.instruction, item.input, shots, completion.id, reason)

    def _reason(self, instruction: str, input: str) -> str | None:
        s = self.settings
        reason = instruction_reason(instruction, input, s.rules, s.min_words, s.max_words)
        if reason is not None:
            return reason
        if self.kept >= s.count:
            return "over_count"
        return "near_duplicate" if self.index.nearest(subject(instruction, input, s.overlap.on)) else None


@dataclass(frozen=True, slots=True)
class Shots:
    """The seed tasks that can be shown, with their lengths, and the room a prompt has for them."""

    seeds: tuple[Task, ...]
    tokens: Mapping[str, int]
    room: int
    count: int

    @classmethod
    def fitting(
        cls, ctx: Context[InstructionsSettings], engine: Generator, seeds: Sequence[Task], header: str
    ) -> Shots:
        """Leave out seeds too long for this model's context, and say so. Raises YieldError when none is left."""
        s = ctx.settings
        items = [list_item(s.shots, seed.instruction, seed.input) + "\n" for seed in seeds]
        # What the model writes gets max_tokens, or half of a context too small for that.
        room = engine.context - min(s.max_tokens, engine.context // 2)
        room -= engine.count([task_list(header, [])])[0]
        tokens = {seed.id: n for seed, n in zip(seeds, engine.count(items), strict=True)}
        short = tuple(seed for seed in seeds if tokens[seed.id] <= room)
        if len(short) < len(seeds):
            ctx.note(
                f"{len(seeds) - len(short)} of {len(seeds)} seed tasks are too long to be shown to this model"
            )
        if not short:
            raise YieldError(
                f"no seed task fits into the model's context of {engine.context} tokens",
                "give shorter seed tasks or lower instructions.max_tokens",
            )
        return cls(short, tokens, room, min(s.shots, len(short)))

    def draw(self, seed: int) -> tuple[Task, ...]:
        """`count` tasks at random, or as many of them as fit together, in the order drawn."""
        shots: list[Task] = []
        room = self.room
        for task in draw_shots(self.seeds, len(self.seeds), seed):
            if len(shots) < self.count and self.tokens[task.id] <= room:
                room -= self.tokens[task.id]
                shots.append(task)
        return tuple(shots)


def run(ctx: Context[InstructionsSettings]) -> Iterator[Record]:
    settings = ctx.settings
    seeds = ctx.read("seeds", Task)
    if len(seeds) < settings.shots:
        raise RecipeError(
            f"instructions.shots is {settings.shots}, but there are only {len(seeds)} seed tasks",
            "lower instructions.shots or give more seed tasks",
        )
    header = ctx.files["prompt"].read_text(encoding="utf-8")
    sieve = Sieve(settings, seeds, ctx.read("earlier", Instruction))
    texts, read = ctx.written(Completion), ctx.written(Instruction)
    engine = ctx.generator()
    shots_of = Shots.fitting(ctx, engine, seeds, header)
    lean_rounds = round = 0
    ctx.report(0, settings.count, "tasks")
    while sieve.kept < settings.count:
        requests, shots = _round(ctx, round, shots_of, header)
        if any(asked.id not in texts for asked in requests):
            for completion in engine.generate(requests, skip=texts.keys()):
                texts[completion.id] = completion
                yield completion
                ctx.report(sieve.kept, settings.count, "tasks")
        before = sieve.kept
        for asked in requests:  # in the order asked, whatever order the backend answered in
            for instruction in sieve.read(texts[asked.id], shots[asked.id]):
                if instruction.id not in read:
                    yield instruction
        ctx.report(sieve.kept, settings.count, "tasks")
        lean = sieve.kept - before < settings.min_yield * len(requests)
        lean_rounds = lean_rounds + 1 if lean else 0
        round += 1
        if lean_rounds >= settings.patience and sieve.kept < settings.count:
            raise _collapsed(sieve, round, texts)


def _round(
    ctx: Context[InstructionsSettings], round: int, shots_of: Shots, header: str
) -> tuple[list[Request], dict[str, tuple[str, ...]]]:
    s = ctx.settings
    sampling = Sampling(s.max_tokens, s.temperature, s.top_p, stops=(stop_text(s.list_length), "\n\n\n"))
    requests: list[Request] = []
    shots: dict[str, tuple[str, ...]] = {}
    for number in range(round * s.lists_per_round, (round + 1) * s.lists_per_round):
        id = f"{ctx.iteration}.{number:06d}"
        drawn = shots_of.draw(ctx.seed(id, "shots"))
        prompt = task_list(header, [(task.instruction, task.input) for task in drawn])
        shots[id] = tuple(task.id for task in drawn)
        requests.append(Request(id, prompt, sampling, ctx.seed(id, "list")))
    return requests, shots


def _collapsed(sieve: Sieve, rounds: int, texts: dict[str, Completion]) -> YieldError:
    wanted = sieve.settings.count
    sample = next((t.text.strip() for t in reversed(texts.values()) if t.text.strip()), "")
    return YieldError(
        f"only {sieve.kept} of {wanted} new tasks after {rounds} rounds; the last "
        f"{sieve.settings.patience} rounds gave next to nothing. The model last wrote: {sample[:120]!r}",
        f"lower instructions.count (to {max(1, sieve.kept)} or less), raise instructions.overlap.threshold, "
        "raise instructions.temperature, or set instructions.author: base",
    )


STAGE = Stage(
    "instructions", 1, InstructionsSettings, run, (Instruction, Completion), needs="engine", lays_out=False
)
