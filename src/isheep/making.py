"""Makes steps: gives each stage, settings and inputs the key that is the digest of all that can change its result.

Knows: what identifies the model, the files and the inputs of a step. Does not know: which steps there are (plan.py,
plan_evaluation.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from isheep.backends import ENGINES
from isheep.backends.base import ModelSpec, ServerSpec
from isheep.backends.outside import JudgeSpec
from isheep.files import is_folder, model_path
from isheep.recipe import Loaded
from isheep.stages import STAGE_BY_NAME
from isheep.stages.stage import Settings, outside_files
from isheep.steps import Step, StepRef, distinct
from isheep.store.key import digest, file_digest

#: Steps of these stages stand once in a run, so their names need no number.
ONCE = frozenset({"seeds", "probes", "exam", "questions"})


class Made(Protocol):
    """A step that is planned, or already in a run: its key names its result."""

    @property
    def key(self) -> str: ...

    @property
    def ref(self) -> StepRef: ...


class Maker:
    """Makes the steps of one recipe; equal ones are made once. `steps` holds them in the order they run."""

    def __init__(self, loaded: Loaded) -> None:
        self.recipe = loaded.recipe
        self.files = loaded.files
        self.steps: list[Step] = []
        #: The base model, and what identifies it: its files where they are at hand, else its hub id and revision.
        self.spec, self.model_key = self._model(self.recipe.model.base, self.recipe.model.revision)

    def _model(self, base: str, revision: str | None) -> tuple[ModelSpec, dict[str, Any]]:
        model = self.recipe.model
        path = model_path(base)
        local = Path(path).expanduser() if is_folder(path) else None
        spec = ModelSpec(
            str(local or path),
            revision,
            dtype=model.dtype,
            trust_remote_code=model.trust_remote_code,
            name=base,
            load_in=model.load_in or "",
            context=model.context,
        )
        key = {"base": file_digest(local) if local else base, "revision": revision, "dtype": model.dtype}
        # What is not asked for stands in no key, so older keys stay what they are.
        return spec, key | {
            name: value for name in ("load_in", "context") if (value := getattr(model, name)) is not None
        }

    def _served(self) -> tuple[ModelSpec, dict[str, Any]]:
        """The base model behind a server, and what of the server changes a result."""
        server = ServerSpec(**self.recipe.server.model_dump())
        return replace(self.spec, server=server), {"server": {"model": server.model, "api": server.api}}

    def step(
        self,
        name: str,
        stage_name: str,
        iteration: int,
        settings: Settings,
        inputs: Mapping[str, Iterable[Made]],
        adapter: Made | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> Step:
        """A step of the recipe. `adapter`: the step that made the model it loads; None is the base model."""
        stage = STAGE_BY_NAME[stage_name]
        if files is None:
            named = {name: f"{stage_name}.{name}" for name, _ in outside_files(type(settings))}
            files = {name: self.files[full] for name, full in named.items() if full in self.files}
        refs = {role: tuple(step.ref for step in steps) for role, steps in inputs.items()}
        refs = {role: steps for role, steps in refs.items() if steps}
        backend = self._backend(stage.needs, settings)
        identity: dict[str, Any] = {
            "stage": stage.name,
            "version": stage.version,
            "settings": distinct(settings, files),
            "iteration": iteration,
            "seed": self.recipe.seed,
            "inputs": {role: [ref.key for ref in steps] for role, steps in refs.items()},
        }
        loads = bool(stage.needs) and stage.needs != "judge"
        spec = self.spec
        if loads:
            adapter_key = adapter.key if adapter else None
            identity["model"] = {**self.model_key, "backend": backend, "adapter": adapter_key}
            if backend == "openai":
                spec, served = self._served()
                identity["model"] |= served
            if stage.lays_out:
                identity["model"]["layout"] = self.recipe.model.layout
        judge = self._judge(settings.model_dump(), identity) if stage.needs == "judge" else None
        step = Step(
            name if stage_name in ONCE else f"{name}.{iteration}",
            stage.name,
            iteration,
            digest(identity),
            settings,
            refs,
            files,
            spec if loads else None,
            adapter.ref if adapter and loads else None,
            self.recipe.model.layout,
            backend,
            judge,
        )
        if step not in self.steps:
            self.steps.append(step)
        return step

    def _judge(self, settings: Mapping[str, Any], identity: dict[str, Any]) -> JudgeSpec:
        """Whom to ask. A judge that is a model on this machine is identified like the base model."""
        spec = None
        # A server's model is the base; another model is loaded here.
        engine = "hf" if self.recipe.backend.engine == "openai" else self.recipe.backend.engine
        if settings["kind"] == "engine":
            own = settings["model"] == "base"
            base, revision = (
                (self.recipe.model.base, self.recipe.model.revision) if own else (settings["model"], None)
            )
            spec, identity["judge"] = self._model(base, revision)
            identity["judge"] |= {"backend": engine}
        if Path(settings["script"]).is_file():
            identity["settings"]["script"] = file_digest(Path(settings["script"]))
        asked = self.recipe.judge
        return JudgeSpec(settings["model"], asked.url, asked.key_env, spec, engine, settings["script"])

    def _backend(self, needs: str, settings: Settings) -> str:
        """Which library does a stage's heavy work."""
        chosen = self.recipe.backend
        if needs == "judge":
            return str(getattr(settings, "kind", ""))
        if needs == "hidden" and "hidden" not in ENGINES[chosen.engine].can:
            return "hf"
        examiner = EXAMINER_OF.get(chosen.engine, "lm_eval") if chosen.examiner == "auto" else chosen.examiner
        match needs:
            case "engine" | "hidden":
                return chosen.engine
            case "train":
                return chosen.trainer
            case "examiner" | "questions":
                return examiner
        return ""


#: Engine -> who examines with it; for any other the files of the base are loaded by transformers.
EXAMINER_OF = {"fake": "fake", "vllm": "lm_eval_vllm"}
