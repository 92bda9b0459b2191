"""GGUF by llama.cpp's own converter: found and called, nothing of it is ours.

Knows: where the converter may be, and how to say what it said. Does not know: what GGUF is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from isheep.errors import ExportError

CONVERTER = "convert_hf_to_gguf.py"
GGUF_FILE = "model.gguf"
#: Lines of what the converter wrote that are shown when it failed.
_TAIL = 8


def converter(llama_cpp: Path | None = None) -> list[str]:
    """The command that runs llama.cpp's converter: of the folder given, or found on PATH. Raises ExportError with how
    to get it."""
    if llama_cpp is not None:
        script = llama_cpp.expanduser() / CONVERTER
        if not script.is_file():
            raise ExportError(f"{script} is not there", "--llama-cpp names a checkout of llama.cpp")
        return [sys.executable, str(script)]
    found = shutil.which(CONVERTER)
    if found is None:
        raise ExportError(
            f"llama.cpp's {CONVERTER} is not on PATH",
            "git clone --depth 1 https://github.com/ggml-org/llama.cpp, pip install its "
            "requirements/requirements-convert_hf_to_gguf.txt, and give --llama-cpp llama.cpp; without --gguf, the "
            "merged model is written all the same, and can be converted later",
        )
    return [found]


def convert(command: list[str], folder: Path) -> Path:
    """Write folder/model.gguf from the merged model in `folder`. Raises ExportError with the converter's last words."""
    out = folder / GGUF_FILE
    done = subprocess.run(
        [*command, str(folder), "--outfile", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not out.is_file():
        said = "\n  ".join(done.stdout.strip().splitlines()[-_TAIL:])
        raise ExportError(
            f"{CONVERTER} could not convert the merged model (exit code {done.returncode}):\n  {said}",
            "it knows certain architectures and tokenizers only (a newer llama.cpp may know more); leave out --gguf",
        )
    return out
