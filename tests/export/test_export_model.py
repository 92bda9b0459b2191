"""`isheep export model`: adapter, merged model, template, GGUF and Modelfile; and training on the export."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from isheep.backends import save_tokenizer
from isheep.backends.base import ModelSpec
from isheep.backends.hf_text import encode_completions, encode_prompt, end_ids
from isheep.backends.merging import Merged, lays_out, save_merged
from isheep.errors import BackendError, ExportError
from isheep.export import export_data, export_model
from isheep.export.gguf import convert, converter
from isheep.export.ollama import modelfile, template
from isheep.files import LAMB_MODEL
from isheep.records import Decision, Pair
from isheep.runs import Run
from isheep.text.prompts import LAYOUTS, Layout
from small_adapters import make_adapter
from tiny_models import CHATML, make_model

TALK = [{"role": "user", "content": "What is the opposite of hot?"}]
GO = shutil.which("go")


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits
    return found


def test_the_adapter_loads_by_itself_and_is_asked_as_it_was_trained(trained: Run, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    out = export_model(trained, tmp_path / "out", 1)
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(LAMB_MODEL.resolve())
    tokenizer = AutoTokenizer.from_pretrained(out)
    asked = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert asked == LAYOUTS["question"].prompt(TALK[0]["content"])
    found = logits(AutoPeftModelForCausalLM.from_pretrained(out), encode_prompt(tokenizer, asked))
    plain = logits(AutoModelForCausalLM.from_pretrained(LAMB_MODEL), encode_prompt(tokenizer, asked))
    assert not torch.allclose(found, plain, atol=1e-3)


def test_the_merged_model_is_base_and_adapter(trained: Run, merged: Path) -> None:
    from peft import PeftModel

    tokenizer = AutoTokenizer.from_pretrained(merged)
    ids = encode_prompt(tokenizer, LAYOUTS["question"].prompt("What comes after Monday?"))
    adapter = trained.artifacts("train")[0].path("adapter")
    whole = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(LAMB_MODEL), str(adapter))
    assert torch.allclose(
        logits(AutoModelForCausalLM.from_pretrained(merged), ids), logits(whole, ids), atol=1e-4
    )
    assert not list(merged.glob("adapter*"))
    assert json.loads((merged / "isheep.json").read_text())["format"] == "merged"


def test_the_card_has_scores_with_intervals_and_is_the_hubs(trained: Run, merged: Path) -> None:
    card = ModelCard.load(merged / "README.md", ignore_metadata_errors=False)
    told = card.data
    assert told.library_name == "transformers"
    assert told.license == "apache-2.0"
    assert told.base_model is None  # lamb is not on the hub
    (result,) = told.eval_results
    assert result.metric_type == "accuracy"
    assert {"n", "ci_low", "ci_high"} <= result.metric_args.keys()
    assert "95 % intervals" in card.text
    assert trained.artifacts("train")[0].key in card.text
    assert "rank 8" in card.text


def test_one_step_of_trl_on_the_export_learns_the_runs_own_texts(
    trained: Run, merged: Path, tmp_path: Path
) -> None:
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    out = export_data(trained, "messages", tmp_path / "data")
    data = load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    settings = SFTConfig(
        output_dir=str(tmp_path / "sft"), max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True,
        save_strategy="no", disable_tqdm=True, bf16=False,
    )  # fmt: skip
    trainer = SFTTrainer(model=str(merged), args=settings, train_dataset=data)
    assert trainer.train().global_step == 1
    layout, tokenizer = LAYOUTS["question"], AutoTokenizer.from_pretrained(merged)
    kept = {d.id for d in trained.artifacts("filter")[0].read(Decision) if d.kept}
    pairs = [p for p in trained.artifacts("responses")[0].read(Pair) if p.id in kept]
    wanted = [
        tokenizer(layout.prompt(p.instruction, p.input) + layout.completion(p.response))["input_ids"]
        + [tokenizer.eos_token_id]
        for p in pairs
    ]
    assert sorted(map(list, trainer.train_dataset["input_ids"])) == sorted(wanted)


def test_a_model_that_is_not_there_is_named_with_those_that_are(
    trained: Run, talked: Run, tmp_path: Path
) -> None:
    for number, words in ((0, "base model"), (5, "not there")):
        with pytest.raises(ExportError, match=words) as error:
            export_model(trained, tmp_path / "out", number)
        assert error.value.hint == "--iteration is one of 1"
    with pytest.raises(ExportError, match="makes no weights"):
        export_model(talked, tmp_path / "out", 1)
    with pytest.raises(ExportError, match="no dataset"):
        export_model(trained, tmp_path / "out", 1, datasets=["not a name"])
    with pytest.raises(ExportError, match="trained no model"):
        export_model(replace(trained, steps=trained.steps[:2]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


CASES = [
    ("question", {}),
    ("question", {"bos": True}),
    ("chatml", {"chat_tokens": True}),
    ("chat", {"template": True}),
    ("chat", {"template": True, "bos": True}),
    ("plain", {"template": True}),  # has a template, but was not trained in it
    ("qa", {"arch": "qwen2"}),
    ("user", {}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_template_gives_the_tokens_of_training(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    base = make_model(tmp_path / "base", **options)
    layout = save_tokenizer(ModelSpec(str(base)), name, tmp_path / "out")
    assert layout.name == name
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert lays_out(tokenizer, layout)
    for history in ((), ("Tell me a story.", "Once upon a time"), ("a", "b", "c", "d")):
        prompt = layout.prompt("Name three.", history=history)
        asked = encode_prompt(tokenizer, prompt)
        said = [*history, "Name three.", "one two"]
        talk = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)]
        assert tokenizer.apply_chat_template(talk[:-1], add_generation_prompt=True)["input_ids"] == asked
        (answer,) = encode_completions(tokenizer, [prompt], [layout.completion("one two")])
        whole = tokenizer.apply_chat_template(talk)["input_ids"]
        wanted = [*asked, *answer, *end_ids(tokenizer, layout)]
        assert whole[: len(wanted)] == wanted
    own = json.loads((base / "tokenizer_config.json").read_text()).get("eos_token")
    ends = json.loads((tmp_path / "out" / "generation_config.json").read_text())["eos_token_id"]
    assert set(end_ids(tokenizer, layout)) <= set(ends if isinstance(ends, list) else [ends])
    assert tokenizer.eos_token == own


def test_a_tokenizers_own_template_stays_where_it_is_the_layout(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", template=True)
    save_tokenizer(ModelSpec(str(base)), "chat", tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == CHATML


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_a_merge_is_compared_before_anybody_relies_on_it(
    tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = make_model(tmp_path / "base", tied=False)
    spec = ModelSpec(str(base), adapter=str(make_adapter(base, tmp_path / "adapter")))
    save_tokenizer(spec, "question", tmp_path / "out")
    texts = [("Question: Name a sheep.\nAnswer:", " Dolly"), ("Question: Hot?\nAnswer:", " cold")]
    found = save_merged(spec, texts, dtype, tmp_path / "out")
    assert found.dtype == ("float32" if dtype == "auto" else "bfloat16")
    assert found.error < found.tolerance < found.effect
    # What was written is what is compared: an adapter that was lost on the way is found out.
    monkeypatch.setattr("peft.tuners.lora.LoraModel.merge_and_unload", lambda self: self.unload())
    with pytest.raises(BackendError, match="not base and adapter"):
        save_merged(spec, texts, dtype, tmp_path / "out")


@pytest.mark.parametrize(
    ("error", "effect", "agrees"),
    [(1e-6, 0.2, True), (1e-3, 0.2, False), (5e-5, 6e-5, False), (1e-7, 0.0, True)],
)
def test_a_small_adapter_may_not_drown_in_the_tolerance(error: float, effect: float, agrees: bool) -> None:
    assert Merged("float32", 2, error, effect, 1e-4).agrees == agrees


def test_a_refused_merge_leaves_nothing(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peft.tuners.lora.LoraModel.merge_and_unload", lambda self: self.unload())
    with pytest.raises(BackendError, match="not base and adapter"):
        export_model(trained, tmp_path / "out", 1, merge=True)
    assert list(tmp_path.iterdir()) == []


CONVERTER = """
import sys
from pathlib import Path
folder, flag, out = sys.argv[1:]
assert flag == "--outfile"
assert (Path(folder) / "model.safetensors").exists() and (Path(folder) / "tokenizer.json").exists()
print("hf-to-gguf: Loading model")
{end}
"""


def test_gguf_is_llama_cpps_own_work(trained: Run, tmp_path: Path) -> None:
    script = tmp_path / "llama.cpp" / "convert_hf_to_gguf.py"
    script.parent.mkdir()
    script.write_text(CONVERTER.format(end='Path(out).write_bytes(b"GGUF")'))
    out = export_model(trained, tmp_path / "out", gguf=True, ollama=True, llama_cpp=script.parent)
    assert (out / "model.gguf").read_bytes() == b"GGUF"
    assert "FROM ./model.gguf\n" in (out / "Modelfile").read_text()


def test_a_converter_that_fails_is_quoted(merged: Path, tmp_path: Path) -> None:
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text(CONVERTER.format(end='sys.exit("Model FooForCausalLM is not supported")'))
    with pytest.raises(ExportError, match="FooForCausalLM is not supported"):
        convert(converter(tmp_path), merged)


def test_a_missing_converter_is_said_before_any_work(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("isheep.export.model.save_tokenizer", lambda *_: pytest.fail("work was done"))
    with pytest.raises(ExportError, match="not on PATH") as error:
        export_model(trained, tmp_path / "out", gguf=True)
    assert "git clone" in error.value.hint
    with pytest.raises(ExportError, match="is not there"):
        export_model(trained, tmp_path / "out", gguf=True, llama_cpp=tmp_path)


def test_the_modelfile_stops_where_the_layout_does(merged: Path) -> None:
    text = (merged / "Modelfile").read_text()
    assert "FROM .\n" in text
    assert 'PARAMETER stop """\nQuestion:"""' in text
    chat = modelfile(LAYOUTS["chatml"], ".")
    assert 'PARAMETER stop """<|im_end|>"""' in chat
    with pytest.raises(ExportError, match="cannot hold"):
        modelfile(replace(LAYOUTS["qa"], stops=('"',)), ".")


@pytest.mark.skipif(GO is None, reason="needs Go, whose templates Ollama fills in")
def test_ollamas_template_is_the_layout(tmp_path: Path) -> None:
    odd = Layout("odd", '<s>say "{{x}}" \\n `\t', "|\r\n", lead=" {{", end="<e>", again="\n-> ")
    cases, wanted = [], []
    for layout in (*LAYOUTS.values(), odd):
        for history in ((), ("a b", "c"), ("a", "b", "c", "d")):
            for system in ("", "Be kind.") if layout.name == "chatml" else ("",):
                said = [*history, "last {{ . }} one"]
                talk = [{"Role": "assistant" if n % 2 else "user", "Content": t} for n, t in enumerate(said)]
                talk = [{"Role": "system", "Content": system}, *talk] if system else talk
                cases.append({"Text": template(layout, "<s>"), "Given": {"System": system, "Messages": talk}})
                text = layout.prompt(said[-1], history=history).removeprefix("<s>")
                wanted.append(text.replace("You are a helpful assistant.", system) if system else text)
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "main.go").write_text(FILL)
    env = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(tmp_path / "go"), "GOFLAGS": ""}
    done = subprocess.run(
        ["go", "run", "main.go"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == wanted


FILL = """package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type message struct{ Role, Content string }
type given struct {
	System   string
	Messages []*message
}

func main() {
	raw, _ := os.ReadFile("cases.json")
	var cases []struct {
		Text  string
		Given given
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		panic(err)
	}
	out := []string{}
	for _, c := range cases {
		var b strings.Builder
		if err := template.Must(template.New("").Parse(c.Text)).Execute(&b, c.Given); err != nil {
			panic(err)
		}
		out = append(out, b.String())
	}
	text, _ := json.Marshal(out)
	fmt.Println(string(text))
}
"""
