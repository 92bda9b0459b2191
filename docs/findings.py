"""The tables of docs/findings.md, written from the comparisons of the lamb sweeps.

isheep sweep lamb_table4 --workers 2      # and the others
python docs/findings.py isheep-store      # takes their comparisons into docs/findings/ and rewrites the tables
python docs/findings.py                   # rewrites the tables from docs/findings/ alone
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
PAGE, DATA = HERE / "findings.md", HERE / "findings"
DECODINGS = {"greedy": "greedy", "sampled": "T = 1"}
_BLOCK = re.compile(r"(<!-- table (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def take(store: Path) -> None:
    """Copy the comparisons a store holds."""
    for path in store.glob("sweeps/lamb_*/compare.csv"):
        shutil.copyfile(path, DATA / f"{path.parent.name}.csv")


def table(name: str) -> str:
    """A sweep's comparison as a markdown table."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    cells = {(row["arm"], row["decoding"]): row for row in rows}
    used = [d for d in DECODINGS if any(row["decoding"] == d for row in rows)]
    head = ["arm", "pairs kept"]
    for decoding in used:
        head += [f"right, {DECODINGS[decoding]}", "difference", "p"]
    lines = [_line(head), _line(["---"] * len(head))]
    for arm in arms:
        cell = [f"`{arm}`", _kept(cells[arm, used[0]])]
        for decoding in used:
            cell += _figures(cells[arm, decoding])
        lines.append(_line(cell))
    return "\n".join(lines) + "\n"


def _kept(row: Mapping[str, str]) -> str:
    counts = [f"{float(count):.0f}" for count in row["kept"].split()]
    return ", ".join(counts) or "-"


def _figures(row: Mapping[str, str]) -> list[str]:
    score = f"{_points(row['score'])} ({_points(row['score_low'])} to {_points(row['score_high'])})"
    if not row["difference"]:
        return [score, "", ""]
    ends = f"{_signed(row['difference_low'])} to {_signed(row['difference_high'])}"
    p = float(row["difference_p_holm"])
    return [score, f"{_signed(row['difference'])} ({ends})", "< 0.001" if p < 0.001 else f"{p:.3f}"]


def _points(share: str) -> str:
    return f"{100 * float(share):.1f}"


def _signed(share: str) -> str:
    return f"{100 * float(share):+.1f}".replace("-", "\u2212")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rewritten(page: str) -> str:
    """The page with every table that has data written anew."""
    return _BLOCK.sub(lambda m: f"{m[1]}{table(m['name'])}{m[3]}" if _has(m["name"]) else m[0], page)


def _has(name: str) -> bool:
    return (DATA / f"{name}.csv").is_file()


def main() -> None:
    DATA.mkdir(exist_ok=True)
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]))
    if PAGE.is_file():
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
