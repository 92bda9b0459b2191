"""What can be read from a launch command before anything is started."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends.trl_command import read
from isheep.errors import RecipeError
from isheep.launch import CONFIGS


@given(st.integers(1, 64), st.integers(1, 16), st.booleans(), st.booleans(), st.booleans())
def test_torchrun_by_any_spelling(
    each: int, machines: int, hyphens: bool, equals: bool, module: bool
) -> None:
    sign, joint = "-" if hyphens else "_", "=" if equals else " "
    options = [f"--nproc{sign}per{sign}node{joint}{each}", f"--nnodes{joint}{machines}", "--rdzv-id 7"]
    launcher = "python -m torch.distributed.run" if module else "srun -N 2 torchrun"
    command = read(" ".join([launcher, *options]))
    assert (command.processes, command.each, command.sharing) == (each * machines, each, "")
    assert command.starts_here == module


@pytest.mark.parametrize(
    ("launch", "processes", "each"),
    [
        ("torchrun --standalone", 1, 1),
        ("torchrun --nproc-per-node gpu", None, None),
        ("torchrun --nnodes 1:4 --nproc-per-node 2", None, 2),
        ("torchrun --nproc-per-node 2 --nproc-per-node 4", 4, 4),
        ("torchrun --nproc-per-node", None, None),
        ("accelerate launch --num_processes 6 --num_machines 2", 6, 3),
        ("accelerate launch --cpu --num_processes 2", 2, None),
        ("accelerate launch --num-processes=2", 2, 2),
        ("./our_own_launcher.sh --nodes 3", None, None),
    ],
)
def test_numbers(launch: str, processes: int | None, each: int | None) -> None:
    command = read(launch)
    assert (command.processes, command.each) == (processes, each)


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configurations(name: str) -> None:
    """Their names tell it: HOW_GPUS."""
    how, _, gpus = name.rpartition("_")
    command = read(name)
    assert command.words[:3] == ("accelerate", "launch", "--config_file")
    assert Path(command.words[3]).is_file()
    assert command.processes == command.each == int(gpus)
    assert command.sharing == {"fsdp2": "FSDP", "zero3": "DEEPSPEED"}.get(how.split("_")[0], "")


def test_ones_own_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("distributed_type: FSDP\nnum_processes: 16\nnum_machines: 2\n")
    command = read(f"accelerate launch --config-file '{file}'")
    assert (command.processes, command.each, command.sharing) == (16, 8, "FSDP")
    assert read(f"accelerate launch --config_file={file} --num_processes 4").processes == 4
    assert read("accelerate launch --config_file nowhere.yaml").processes is None
    file.write_text("[not: a mapping")
    assert read(f"accelerate launch --config_file {file}").processes is None


def test_names_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NNODES", "3")
    assert read("srun torchrun --nnodes $SLURM_NNODES --nproc-per-node 8").processes == 24


@pytest.mark.parametrize("launch", ["ddp4", "torchrun", "torchrun --x 'open", "  "])
def test_what_is_no_launcher(launch: str) -> None:
    with pytest.raises(RecipeError, match=r"runtime\.launch") as caught:
        read(launch)
    assert caught.value.hint


def test_the_options_are_those_of_the_installed_launchers() -> None:
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import get_args_parser

    known = {option for action in get_args_parser()._actions for option in action.option_strings}
    assert {"--nproc-per-node", "--nproc_per_node", "--nnodes", "--standalone", "-m"} <= known
    known = {option for action in launch_command_parser()._actions for option in action.option_strings}
    assert {
        "--config_file", "--num_processes", "--num_machines", "--use_fsdp", "--use_deepspeed", "--cpu", "-m"
    } <= known  # fmt: skip


def test_what_accelerate_tells_its_processes_is_what_we_look_for() -> None:
    """The names by which a process finds out that weights are shared out, and which FSDP it is."""
    import accelerate.utils.launch as launch

    named = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(launch)))
        if isinstance(node, ast.Constant)
    }
    assert {"ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "FSDP_VERSION", "true"} <= named
