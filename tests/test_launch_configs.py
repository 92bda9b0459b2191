"""The shipped configurations of accelerate: read by its own loader, each key one that its launcher knows, and turned
into the very environment its plugins read. What they do on GPUs is not tested here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from torch.distributed.fsdp import CPUOffloadPolicy, StateDictType

from isheep.launch import CONFIGS, launch_config


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(launch_config(name).read_text(encoding="utf-8"))
    return loaded


def launched(name: str) -> Any:
    """The arguments `accelerate launch` ends up with."""
    parser = launch_command_parser()
    args = parser.parse_args(
        ["--config_file", str(launch_config(name)), "--main_process_port", "0", "-m", "json"]
    )
    args, _, _ = _validate_launch_command(args)
    return args


def test_what_is_shipped() -> None:
    assert CONFIGS == (
        "ddp_4", "ddp_8", "fsdp2_4", "fsdp2_8", "plain_1", "zero3_4", "zero3_8", "zero3_offload_1",
    )  # fmt: skip
    with pytest.raises(KeyError):
        launch_config("fsdp2_5")


@pytest.mark.parametrize("name", CONFIGS)
def test_accelerate_reads_it(name: str) -> None:
    loaded = load_config_from_file(str(launch_config(name)))
    assert isinstance(loaded, ClusterConfig)
    assert loaded.num_processes == int(name.rpartition("_")[2])
    assert (
        loaded.distributed_type
        == {
            "plain": DistributedType.NO,
            "ddp": DistributedType.MULTI_GPU,
            "fsdp2": DistributedType.FSDP,
            "zero3": DistributedType.DEEPSPEED,
            "zero3_offload": DistributedType.DEEPSPEED,
        }[name.rpartition("_")[0]]
    )
    assert not loaded.use_cpu, "with the CPU asked for, accelerate silently starts one process"


@pytest.mark.parametrize("name", CONFIGS)
def test_its_first_lines_say_how_to_use_it(name: str) -> None:
    lines = launch_config(name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# accelerate launch --config_file {name}.yaml ")
    assert f"runtime.launch: {name}" in lines[0]
    assert re.match(r"# (One|\d+) GPUs?\b", lines[1])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_launcher_knows_every_key(name: str) -> None:
    """A key of fsdp_config or deepspeed_config is copied to the argument of that name, and never read without one."""
    known = {action.dest for action in launch_command_parser()._actions}
    for section in ("fsdp_config", "deepspeed_config"):
        assert set(read(name).get(section, {})) <= known


@pytest.mark.parametrize("name", [name for name in CONFIGS if name.startswith("fsdp2")])
def test_the_fsdp_plugin_gets_what_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in prepare_multi_gpu_env(launched(name)).items():
        if key.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.state_dict_type == StateDictType.FULL_STATE_DICT
    assert plugin.auto_wrap_policy is not None
    assert plugin.transformer_cls_names_to_wrap is None, "found by the model's own list"
    assert plugin.cpu_ram_efficient_loading
    assert not plugin.activation_checkpointing, "transformers refuses both its own and this"
    assert not isinstance(plugin.cpu_offload, CPUOffloadPolicy)
    fields = FullyShardedDataParallelPlugin.__dataclass_fields__
    other = {"fsdp_offload_params": "cpu_offload"}
    for key in read(name)["fsdp_config"]:
        assert key in fields or other.get(key, key.removeprefix("fsdp_")) in fields


@pytest.mark.parametrize("name", [name for name in CONFIGS if name.startswith("zero3")])
def test_the_deepspeed_plugin_gets_what_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    args = launched(name)
    args.deepspeed_fields_from_accelerate_config = ""
    for key, value in prepare_deepspeed_cmd_env(args)[1].items():
        if key.startswith("ACCELERATE_"):
            monkeypatch.setenv(key, value)
    plugin = DeepSpeedPlugin()
    where = "cpu" if "offload" in name else "none"
    zero = plugin.deepspeed_config["zero_optimization"]
    assert zero["stage"] == 3
    assert (zero["offload_param"]["device"], zero["offload_optimizer"]["device"]) == (where, where)
    assert zero["stage3_gather_16bit_weights_on_model_save"]
    assert plugin.zero3_init_flag
    assert plugin.deepspeed_config["gradient_accumulation_steps"] == "auto", "the recipe's"
    assert set(read(name)["deepspeed_config"]) <= set(DeepSpeedPlugin.__dataclass_fields__)


def test_a_wrong_key_would_be_seen(tmp_path: Path) -> None:
    text = launch_config("fsdp2_8").read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(text + "num_procs: 8\n")
    with pytest.raises(ValueError, match="num_procs"):
        load_config_from_file(str(tmp_path / "wrong.yaml"))
