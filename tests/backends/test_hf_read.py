"""Reading against transformers' own loss and hidden states, passage by passage, without padding."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isheep.backends import hf_read
from isheep.backends.base import ModelSpec, Passage, Runtime
from isheep.backends.hf import HFEngine
from isheep.backends.hf_decode import Runner
from isheep.errors import BackendError
from isheep.records import Likelihood
from tiny_models import make_model

LAMB = Path(str(files("isheep") / "lamb" / "model"))
PASSAGES = [
    Passage("a", "Question: What is the opposite of hot?\nAnswer:", " cold"),
    Passage("b", "Question: Tell me a story\nAnswer:", " Once upon a time, a sheep lived by the sea. " * 3),
    Passage("c", "Rate the answer.", " 10"),
    Passage("d", "", "no prompt at all"),
    Passage("e", "The score (1 to 10): 1", "0"),
    Passage("f", "x", "y"),
    Passage("g", "é\n", "日本 \U0001f411"),
]


def _engine(base: Path, batch_size: int = 3, **spec: Any) -> HFEngine:
    return HFEngine(ModelSpec(str(base), **spec), Runtime(batch_size=batch_size, device="cpu", threads=1))


def _remake(folder: Path, config: Any) -> Path:
    """The model folder with another architecture in it."""
    from transformers import AutoModelForCausalLM

    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    torch.random.set_rng_state(state)
    return folder


def _build(name: str, folder: Path) -> Path:
    """Architectures that differ in what matters here: begin token, grouped heads, cache, scaled logits, norm's name."""
    from transformers import Gemma2Config, GPT2Config

    if name == "lamb":
        return LAMB
    if name == "llama":
        return make_model(folder, bos=True)
    make_model(folder, "qwen2", tied=False, pad=None)
    size: dict[str, Any] = {"vocab_size": 420, "initializer_range": 0.3, "pad_token_id": None}
    if name == "gemma2":  # capped logits, and windows that slide over 8 tokens
        config: Any = Gemma2Config(
            **size, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=12, sliding_window=8, final_logit_softcapping=5.0,
            max_position_embeddings=256,
        )  # fmt: skip
        _remake(folder, config)
    elif name == "gpt2":
        _remake(folder, GPT2Config(**size, n_embd=48, n_layer=2, n_head=4, n_positions=256))
    return folder


@pytest.fixture(scope="module", params=["lamb", "llama", "qwen2", "gemma2", "gpt2"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HFEngine]:
    engine = _engine(_build(request.param, tmp_path_factory.mktemp(request.param)))
    yield engine
    engine.close()


def _ids(engine: HFEngine, passage: Passage) -> tuple[list[int], list[int]]:
    """Prompt and text as training joins them."""
    (row,) = hf_read.tokenise(engine.tokenizer, [passage])
    return row.ids[: row.border], row.ids[row.border :]


def _loglik(engine: HFEngine, before: Sequence[int], counted: Sequence[int]) -> float:
    """Minus transformers' mean loss over the tokens counted, times their number."""
    ids = torch.tensor([[*before, *counted]])
    labels = torch.tensor([[-100] * len(before) + list(counted)])
    with torch.no_grad():
        return -float(engine.model(ids, labels=labels).loss) * len(counted)


def _read(engine: HFEngine, passages: Sequence[Passage], **more: Any) -> dict[str, Likelihood]:
    found = list(engine.likelihood(passages, **more))
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


def _same(one: Likelihood, other: Likelihood) -> bool:
    close = [
        math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-3)
        for a, b in ((one.prompt_loglik, other.prompt_loglik), (one.text_loglik, other.text_loglik))
    ]
    counts = (one.prompt_tokens, one.text_tokens) == (other.prompt_tokens, other.text_tokens)
    return one.id == other.id and counts and all(close)


def test_likelihood_is_what_the_loss_says(engine: HFEngine) -> None:
    found = _read(engine, PASSAGES)
    assert set(found) == {p.id for p in PASSAGES}
    for passage in PASSAGES:
        one = found[passage.id]
        prompt, text = _ids(engine, passage)
        assert (one.prompt_tokens, one.text_tokens) == (len(prompt) - 1, len(text))
        assert one.text_loglik == pytest.approx(_loglik(engine, prompt, text), rel=1e-4, abs=1e-4)
        wanted = _loglik(engine, prompt[:1], prompt[1:]) if len(prompt) > 1 else 0.0
        assert one.prompt_loglik == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_the_border_is_where_training_puts_it(engine: HFEngine) -> None:
    for passage in PASSAGES[:3]:
        prompt, text = _ids(engine, passage)
        assert prompt == engine.tokenizer(passage.prompt)["input_ids"]
        assert prompt + text == engine.tokenizer(passage.prompt + passage.text)["input_ids"]


def test_a_begin_token_lets_the_first_token_count(tmp_path: Path) -> None:
    plain, begun = _engine(make_model(tmp_path / "a")), _engine(make_model(tmp_path / "b", bos=True))
    passage = Passage("p", "a sheep", " is white")
    counts = [_read(e, [passage])["p"].prompt_tokens for e in (plain, begun)]
    assert counts == [len(plain.tokenizer("a sheep")["input_ids"]) - 1, counts[0] + 1]


def test_embedding_is_the_normed_last_hidden_state(engine: HFEngine) -> None:
    for pooling in ("mean", "last"):
        for one in engine.embed(PASSAGES, pooling):
            prompt, text = _ids(engine, next(p for p in PASSAGES if p.id == one.id))
            with torch.no_grad():
                out = engine.model(torch.tensor([prompt + text]), output_hidden_states=True)
            states = out.hidden_states[-1][0].double().numpy()
            vector = states.mean(0) if pooling == "mean" else states[-1]
            assert one.values.dtype == np.float32
            assert np.linalg.norm(one.values) == pytest.approx(1, abs=1e-5)
            assert one.values == pytest.approx(vector / np.linalg.norm(vector), abs=1e-4)


def test_the_last_hidden_state_is_the_one_the_head_reads(engine: HFEngine) -> None:
    """It stands behind the final norm: what the output layer makes of it ranks the tokens as the logits do."""
    vectors = {e.id: torch.tensor(e.values) for e in engine.embed(PASSAGES, "last")}
    with torch.no_grad():
        for passage in PASSAGES:
            prompt, text = _ids(engine, passage)
            logits = engine.model(torch.tensor([prompt + text])).logits[0, -1]
            scores = engine.model.get_output_embeddings()(vectors[passage.id])
            assert scores.topk(5).indices.tolist() == logits.topk(5).indices.tolist()


_TEXTS = st.text(max_size=25)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=7), st.integers(1, 5))
def test_the_batch_changes_nothing(engine: HFEngine, texts: list[tuple[str, str]], size: int) -> None:
    passages = [Passage(str(n), prompt, text) for n, (prompt, text) in enumerate(texts)]
    engine._batch_size = 1
    alone = _read(engine, passages)
    vectors = {e.id: e.values for e in engine.embed(passages, "mean")}
    engine._batch_size = size
    together = _read(engine, passages[::-1])
    assert set(alone) == set(together) == set(vectors) == {p.id for p in passages}
    for passage in passages:
        one = alone[passage.id]
        assert _same(one, together[passage.id])
        assert (one.text_tokens == 0) == (passage.text == "")
        assert math.isfinite(one.text_loglik + one.prompt_loglik)
        assert (one.text_loglik < 0) == (one.text_tokens > 0)
    for other in engine.embed(passages[::-1], "mean"):
        assert other.values == pytest.approx(vectors[other.id], abs=1e-4)


def test_what_is_skipped_changes_no_bit(engine: HFEngine) -> None:
    whole = _read(engine, PASSAGES)
    assert _read(engine, PASSAGES, skip=("a", "d", "g")) == {k: whole[k] for k in "bcef"}
    assert {e.id for e in engine.embed(PASSAGES, "last", skip=("a", "b"))} == set("cdefg")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    engine = _engine(make_model(tmp_path, context=32))
    fits, over = "x y z x y z x y z x y z x y z x", "x y z x y z x y z x y z x y z x y"
    assert engine.count([fits, over]) == [31, 33]
    passages = [Passage("fits", "x", fits), Passage("over", "x", over), Passage("empty", "x", "")]
    found = _read(engine, passages)
    assert found["fits"].text_tokens == 31
    assert found["over"] == Likelihood("over", 0.0, 0, 0.0, 0)
    assert found["empty"] == Likelihood("empty", 0.0, 0, 0.0, 0)
    vectors = {e.id: e.values for e in engine.embed(passages, "mean")}
    assert {id for id, values in vectors.items() if values.any()} == {"fits"}
    assert {values.shape for values in vectors.values()} == {(48,)}
    assert {values.dtype for values in vectors.values()} == {np.dtype(np.float32)}
    assert _read(engine, passages, skip=("over", "empty")).keys() == {"fits"}


@pytest.mark.parametrize("positions", [1, 5, 7])
def test_a_large_vocabulary_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positions: int
) -> None:
    engine = _engine(make_model(tmp_path, "qwen2"), batch_size=4)
    whole = _read(engine, PASSAGES)
    budget = 4 * engine._runner.vocabulary * positions
    monkeypatch.setattr(hf_read, "_LOGITS", budget)
    sizes: list[int] = []
    forward = Runner._forward

    def watched(self: Runner, *args: Any) -> torch.Tensor:
        logits = forward(self, *args)
        sizes.append(logits.numel())
        return logits

    monkeypatch.setattr(Runner, "_forward", watched)
    for id, one in _read(engine, PASSAGES).items():
        assert _same(one, whole[id])
    assert max(sizes) <= budget
    assert len(sizes) > 2, "otherwise nothing was cut into parts"


def test_windows_that_slide_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _engine(_build("gemma2", tmp_path))
    whole = _read(engine, PASSAGES)
    monkeypatch.setattr(hf_read, "_LOGITS", 3 * engine._runner.vocabulary * 5)
    assert _read(engine, PASSAGES) == whole


def _adapter(base: Path, folder: Path) -> Path:
    """An adapter that matters: its second matrix is not zero."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(5)
    config = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, lora_alpha=32, task_type="CAUSAL_LM"
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-3), ("bfloat16", 0.02)])
def test_the_adapter_is_read_too(tmp_path: Path, dtype: str, error: float) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = make_model(tmp_path / "base", scale=0.2)
    adapter = _adapter(base, tmp_path / "adapter")
    bare, adapted = _engine(base, dtype=dtype), _engine(base, adapter=str(adapter), dtype=dtype)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    prompt, text = _ids(bare, PASSAGES[1])
    with torch.no_grad():
        out = plain(torch.tensor([prompt + text]), output_hidden_states=True)
        logs = out.logits[0].log_softmax(-1)
    wanted = sum(float(logs[len(prompt) - 1 + n, token]) for n, token in enumerate(text))
    one, other = (_read(e, PASSAGES)["b"].text_loglik for e in (adapted, bare))
    assert one == pytest.approx(wanted, rel=error)
    assert abs(other - wanted) > 5 * abs(one - wanted)
    state = out.hidden_states[-1][0].mean(0).numpy()
    vector, bare_vector = (
        next(v.values for v in e.embed(PASSAGES, "mean") if v.id == "b") for e in (adapted, bare)
    )
    assert vector @ state / np.linalg.norm(state) > 0.999
    assert bare_vector @ state / np.linalg.norm(state) < 0.95


def test_parameters(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", tied=True)
    untied = make_model(tmp_path / "untied", tied=False)
    adapter = _adapter(base, tmp_path / "adapter")
    tied = _engine(base).parameters
    table = 48 * _engine(base)._runner.vocabulary
    assert tied is not None
    assert _engine(untied).parameters == tied + table, "a shared matrix counts once"
    assert _engine(base, adapter=str(adapter)).parameters == tied, "merged in memory"
    kept = _engine(base, adapter=str(adapter), dtype="bfloat16").parameters
    assert kept is not None
    # per layer: four 48 x 48 matrices, and three between 48 and 96; rank 4 on each
    assert kept == tied + 2 * 4 * (4 * (48 + 48) + 3 * (48 + 96))
    assert _engine(LAMB).parameters == 1_016_960


def test_numbers_that_are_none_are_an_error(tmp_path: Path) -> None:
    engine = _engine(make_model(tmp_path))
    with torch.no_grad():
        engine.model.get_input_embeddings().weight[:] = math.nan
    with pytest.raises(BackendError, match="float32"):
        _read(engine, PASSAGES)
    with pytest.raises(BackendError, match="float32"):
        list(engine.embed(PASSAGES, "mean"))


def test_a_model_that_does_not_show_its_hidden_states(tmp_path: Path) -> None:
    engine = _engine(make_model(tmp_path))
    engine._runner._body = engine.model
    with pytest.raises(BackendError, match="LlamaForCausalLM"):
        list(engine.embed(PASSAGES, "mean"))


def test_two_hundred_passages_take_lamb_about_a_second() -> None:
    lines = files("isheep").joinpath("lamb", "held_out.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [json.loads(line) for line in lines[:200]]
    passages = [
        Passage(t["id"], f"Question: {t['instruction']} {t['input']}\nAnswer:", f" {t['answers'][0]}")
        for t in tasks
    ]
    engine = _engine(LAMB, batch_size=64)
    start = time.process_time()
    found = _read(engine, passages)
    assert time.process_time() - start < 5, "0.2 s of CPU time where nothing else runs"
    assert len(found) == 200
    perplexities = [math.exp(-one.text_loglik / one.text_tokens) for one in found.values()]
    assert 1 < sorted(perplexities)[100] < 100
