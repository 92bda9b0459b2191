"""What a step read and wrote is counted from its records, whatever their type."""

from __future__ import annotations

from pathlib import Path

from isheep import load_recipe, run


def test_reading_likelihoods_and_vectors_is_counted(tmp_path: Path) -> None:
    recipe = load_recipe(
        "fake",
        [
            "iterations=1",
            "filter.ppl={limit: 1000}",
            "filter.density={clusters: null, share: 0.9}",
            "evaluate.tasks=[]",
        ],
    )
    done = run(recipe, tmp_path)
    used = {name: done.named(name)[0].manifest["usage"] for name in ("responses", "likelihood", "vectors")}
    answered = used["responses"]["prompt_tokens"] + used["responses"]["tokens"]
    for name in ("likelihood", "vectors"):
        assert 0.5 * answered < used[name]["prompt_tokens"] < 1.5 * answered
        assert used[name]["tokens"] == 0
