"""How a prompt of token ids is handed in."""

from typing import Any


def tokens_input(prompt_token_ids: list[int], *, cache_salt: str) -> dict[str, Any]:
    return {"type": "token", "prompt_token_ids": prompt_token_ids, "cache_salt": cache_salt}
