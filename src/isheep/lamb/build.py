"""Pre-trains lamb from nothing: corpus, tokenizer, a Llama of one million parameters, one pass over the tokens.

The only file of lamb that knows torch; packing.py turns the corpus into rows of tokens. A build is a function of
(seed, tokens); it writes a checkpoint every so many steps by rename, so a killed build goes on where it was and, on
the same machine, ends with the same weights.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isheep.lamb import tokenizer as lamb_tokenizer
from isheep.lamb.corpus import documents
from isheep.lamb.packing import CONTEXT, LOUD, Progress, packed_rows, write_aside

if TYPE_CHECKING:
    import numpy as np
    import torch

BATCH = 16
RATE, WARM_UP, COOL_DOWN, DECAY, CLIP = 6e-3, 100, 0.35, 0.1, 1.0
TOKENS = 8_000_000
#: The weight of all other tokens.
QUIET = 0.3
_TOKENIZER_DOCUMENTS = 20_000
#: Steps between two words to `progress`.
TELL_EVERY = 20


def build(
    out: Path,
    *,
    seed: int = 0,
    tokens: int = TOKENS,
    threads: int = 1,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    device: str = "cpu",
    checkpoint_every: int = 200,
) -> Path:
    """Pre-train lamb into the folder `out`, in plain Hugging Face form; returns `out`.

    Unfinished work stands in `out`/.build and is taken up again unless `resume` is false. Raising from `progress`
    (Ctrl-C, say) leaves a build that can be resumed.
    """
    import torch

    if threads == 1:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    torch.set_num_threads(threads)
    tell = progress or (lambda _: None)
    work = out / ".build"
    identity = {"seed": seed, "tokens": tokens}
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(work, seed)
    count = max(BATCH, tokens // CONTEXT // BATCH * BATCH)
    rows = packed_rows(
        work / f"rows-{seed}-{count}.npy", count, _tokenizer_file(work, seed), seed, threads, tell
    )
    torch.manual_seed(seed)
    model = new_model(tokenizer.eos_token_id, tokenizer.pad_token_id).to(device)
    _train(model, rows, work / "checkpoint.pt", identity, device, checkpoint_every, tell)
    _save(out, model, tokenizer, seed, tokens)
    shutil.rmtree(work)
    return out


def new_model(eos: int, pad: int) -> Any:
    """An untrained lamb: a Llama of about one million parameters with tied embeddings."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=lamb_tokenizer.VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos,
        pad_token_id=pad,
    )
    return LlamaForCausalLM(config)


def _tokenizer_file(work: Path, seed: int) -> Path:
    return work / f"tokenizer-{seed}.json"


def _tokenizer(work: Path, seed: int) -> Any:
    from tokenizers import Tokenizer

    path = _tokenizer_file(work, seed)
    if not path.exists():
        learnt = lamb_tokenizer.train(documents(seed, 0, _TOKENIZER_DOCUMENTS))
        write_aside(path, lambda aside: learnt.save(str(aside)))
    return lamb_tokenizer.as_pretrained(Tokenizer.from_file(str(path)), CONTEXT)


def _train(
    model: Any,
    rows: np.ndarray,
    checkpoint: Path,
    identity: dict[str, int],
    device: str,
    checkpoint_every: int,
    tell: Callable[[Progress], None],
) -> None:
    import torch

    steps = len(rows) // BATCH
    optimizers = _optimizers(model, device)
    first = _restore(checkpoint, identity, model, optimizers)
    model.train()
    half = _has_fast_bf16(device)
    began = time.monotonic()
    for step in range(first, steps):
        for group in (g for o in optimizers for g in o.param_groups):
            group["lr"] = RATE * _schedule(step, steps)
        batch = torch.from_numpy(rows[step * BATCH : (step + 1) * BATCH].astype("int64")).to(device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=half):
            loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = step + 1
        if done % checkpoint_every == 0 and done < steps:
            state = {
                "identity": identity,
                "step": done,
                "model": model.state_dict(),
                "optimizers": [o.state_dict() for o in optimizers],
            }
            write_aside(checkpoint, lambda aside, state=state: torch.save(state, aside))  # type: ignore[misc]
        if done % TELL_EVERY == 0 or done == steps:
            rate = (done - first) * BATCH * CONTEXT / max(time.monotonic() - began, 1e-9)
            left = (steps - done) * BATCH * CONTEXT / rate
            tell(Progress("training", done * BATCH * CONTEXT, rows.size, rate, left, float(loss.detach())))


def _loss(model: Any, batch: torch.Tensor) -> torch.Tensor:
    """Next-token loss, with less weight on what nobody can know: which words a request is about.

    Four tokens in five are such; at full weight their noise drowns the little that is to be learnt.
    """
    import torch

    ids = batch % LOUD
    logits = model(input_ids=ids).logits[:, :-1].float()
    weights = torch.where(batch[:, 1:] >= LOUD, 1.0, QUIET).flatten()
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights).sum() / weights.sum()


def _has_fast_bf16(device: str) -> bool:
    """Whether bf16 is done in hardware; emulated, it is three times slower than fp32."""
    import torch

    if device != "cpu":
        return bool(torch.cuda.is_bf16_supported())
    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, a plain, and a linear way down over the last third."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / max(1.0, steps * COOL_DOWN))


def _optimizers(model: Any, device: str) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest; Muon learnt this corpus in fewer tokens."""
    import torch

    inner = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if not (p.dim() == 2 and "embed" not in n)]
    return [
        torch.optim.Muon(inner, lr=RATE, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def _restore(
    path: Path, identity: dict[str, int], model: Any, optimizers: list[torch.optim.Optimizer]
) -> int:
    """Take up a checkpoint of this very build; anything else is left alone and training starts at step 0."""
    import torch

    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["identity"] != identity:
        return 0
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _save(out: Path, model: Any, tokenizer: Any, seed: int, tokens: int) -> None:
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.eval().float().cpu().save_pretrained(out)
    tokenizer.save_pretrained(out)
    card = (resources.files("isheep") / "lamb" / "card.md").read_text("utf-8")
    (out / "README.md").write_text(
        card.replace("{seed}", str(seed)).replace("{tokens}", f"{tokens:,}"), "utf-8"
    )
