"""What vLLM's own source takes and gives: names and arguments read from it, without importing it.

    python tests/backends/vllm_signatures.py FOLDER...

records them, for each unpacked wheel of vLLM, in vllm_signatures.json, which the tests use where there is no vLLM.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_suffix(".json")

#: What our engine touches -> the file it stands in.
CLASSES = {
    "LLM": "entrypoints/llm.py",
    "EngineArgs": "engine/arg_utils.py",
    "SamplingParams": "sampling_params.py",
    "RequestOutputKind": "sampling_params.py",
    "LoRARequest": "lora/request.py",
    "LLMEngine": "v1/engine/llm_engine.py",
    "EngineCoreClient": "v1/engine/core_client.py",
    "ModelConfig": "config/model.py",
    "RequestOutput": "outputs.py",
    "CompletionOutput": "outputs.py",
    "Logprob": "logprobs.py",
}
FUNCTIONS = {
    "tokens_input": "inputs/engine.py",
    "cleanup_dist_env_and_memory": "distributed/parallel_state.py",
}
CONSTANTS = {
    "MAX_LOGPROB_TOKEN_IDS": "sampling_params.py",
    "MaxLoRARanks": "config/lora.py",
    "QuantizationMethods": "model_executor/layers/quantization/__init__.py",
}
#: Environment variables worth keeping.
VARIABLES = {
    "VLLM_NO_USAGE_STATS",
    "VLLM_DO_NOT_TRACK",
    "VLLM_LOGGING_LEVEL",
    "VLLM_ENABLE_V1_MULTIPROCESSING",
    "VLLM_WORKER_MULTIPROC_METHOD",
    "VLLM_BATCH_INVARIANT",
}
#: Methods worth keeping.
METHODS = {"__init__", "add_request", "abort_request", "step", "add_lora", "apply_model", "shutdown"}


def extract(source: Path) -> dict[str, Any]:
    """`source` is the folder of the package, the one that holds sampling_params.py."""
    return {
        "classes": {name: _class(_find(source / file, name)) for name, file in CLASSES.items()},
        "functions": {name: _arguments(_find(source / file, name)) for name, file in FUNCTIONS.items()},
        "constants": {name: _constant(source / file, name) for name, file in CONSTANTS.items()},
        "environment": _environment(source / "envs.py"),
    }


def version(source: Path) -> str:
    return str(_constant(source / "_version.py", "__version__"))


def _find(file: Path, name: str) -> Any:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return next(node for node in tree.body if getattr(node, "name", None) == name)


def _class(node: ast.ClassDef) -> dict[str, Any]:
    """Fields (of the class's body), attributes (set on self anywhere), and methods."""
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    fields = [
        n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    ]
    fields += [
        t.id for n in node.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
    ]
    attributes = {
        n.attr
        for function in functions
        for n in ast.walk(function)
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and isinstance(n.value, ast.Name)
        and n.value.id == "self"
    }
    return {
        "fields": fields,
        "attributes": sorted(attributes),
        "methods": {f.name: _arguments(f)[1:] for f in functions if f.name in METHODS},
    }


def _arguments(node: ast.FunctionDef) -> list[str]:
    """Names in order; those that must be given by name have a star before them, `**` stands for any other."""
    found = node.args
    names = [a.arg for a in (*found.posonlyargs, *found.args)] + [f"*{a.arg}" for a in found.kwonlyargs]
    return names + ["**"] * (found.kwarg is not None)


def _constant(file: Path, name: str) -> Any:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == name for t in targets) and getattr(node, "value", None):
            value: Any = node.value  # type: ignore[attr-defined]
            inside = value.slice if isinstance(value, ast.Subscript) else value  # Literal[...] -> its values
            return ast.literal_eval(inside)
    raise LookupError(f"{file} sets no {name}")


def _environment(file: Path) -> list[str]:
    """Which of the environment variables it reads."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return sorted(found & VARIABLES)


def _package(folder: Path) -> Path:
    return folder if (folder / "sampling_params.py").is_file() else folder / "vllm"


def main(folders: list[str]) -> None:
    sources = [_package(Path(folder)) for folder in folders]
    record = {version(source): extract(source) for source in sources}
    text = json.dumps(dict(sorted(record.items())), indent=1, sort_keys=True)
    lists = re.sub(r"\[[^\[\]]*\]", lambda found: " ".join(found[0].split()), text)  # one line each
    RECORD.write_text(lists + "\n", encoding="utf-8")
    print(f"{RECORD}: {', '.join(sorted(record))}")


if __name__ == "__main__":
    main(sys.argv[1:])
