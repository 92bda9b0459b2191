"""followups: the model writes what the person would say next to its own answer, for conversations of several turns.

The paper trains on single turns and its second-turn chat quality falls after iteration 3 (finding 7); these turns are
the cure on offer. Nothing but the layout is shown: the text is open where the next request begins.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator

from isheep.backends.base import Request, Sampling
from isheep.records import FOLLOWS, Completion, Instruction, Pair, Record
from isheep.stages.stage import Context, Settings, Stage, known_names
from isheep.text.prompts import Layout, request
from isheep.text.released import ALL_INSTRUCTION_RULES, DEFAULT_INSTRUCTION_RULES, RULE_SETS, named_rules
from isheep.text.rules import instruction_reason


class FollowupsSettings(Settings):
    turns: int = Field(1, ge=1, le=8)
    """Turns of a conversation; 1 is the paper's single exchange, and nothing here is used."""
    temperature: float = Field(1.0, ge=0)
    """Sampling temperature of the follow-up requests."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus sampling."""
    max_tokens: int = Field(200, ge=1)
    """Longest follow-up in tokens."""
    rules: tuple[str, ...] = DEFAULT_INSTRUCTION_RULES
    """Heuristic rules a follow-up must pass, by name or set (`ours`, `released`)."""
    min_words: int = Field(2, ge=1)
    """Fewest words of a follow-up ("Why not?")."""
    max_words: int = Field(150, ge=1)
    """Most words of a follow-up."""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(named_rules(rules, "instruction"), ALL_INSTRUCTION_RULES, RULE_SETS["instruction"])


def history(pair: Pair) -> tuple[str, ...]:
    """Everything said up to and including this pair: request, answer, request, answer ..."""
    return (*pair.history, request(pair.instruction, pair.input), pair.response)


def drop_reason(settings: FollowupsSettings, text: str, said: tuple[str, ...], finish: str) -> str | None:
    """Why a follow-up is dropped, or None."""
    if finish in ("length", "too_long"):
        return "unfinished" if finish == "length" else "too_long"
    if " ".join(text.casefold().split()) in {" ".join(t.casefold().split()) for t in said}:
        return "repeats"
    return instruction_reason(text, "", settings.rules, settings.min_words, settings.max_words)


def run(ctx: Context[FollowupsSettings]) -> Iterator[Record]:
    pairs = [p for p in ctx.read("responses", Pair) if p.response and p.finish == "stop"]
    engine = ctx.generator()
    layout = engine.layout(ctx.layout)
    requests = _requests(ctx, pairs, layout)
    texts, read = ctx.written(Completion), ctx.written(Instruction)
    ctx.report(len(texts), len(requests), "follow-ups")
    for count, text in enumerate(engine.generate(requests, skip=texts.keys()), len(texts) + 1):
        texts[text.id] = text
        yield text
        ctx.report(count, len(requests), "follow-ups")
    for pair in pairs:
        id = pair.id + FOLLOWS
        if id not in read:
            said = history(pair)
            asked = texts[id].text.strip()
            reason = drop_reason(ctx.settings, asked, said, texts[id].finish)
            yield Instruction(id, asked, "", (), id, reason, said)


def _requests(ctx: Context[FollowupsSettings], pairs: list[Pair], layout: Layout) -> list[Request]:
    s = ctx.settings
    sampling = Sampling(s.max_tokens, s.temperature, s.top_p, stops=layout.request_stops)
    return [
        Request(p.id + FOLLOWS, layout.open_request(history(p)), sampling, ctx.seed(p.id, "followup"))
        for p in pairs
    ]


STAGE = Stage("followups", 1, FollowupsSettings, run, (Instruction, Completion), needs="engine")
