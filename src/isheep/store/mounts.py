"""Which kind of file system a folder is on, and whether other machines may see it too.

Knows: /proc/self/mountinfo (man 5 proc). Does not know: locks. Where there is no such file (macOS), every folder
counts as local.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

#: File systems that other machines may have mounted as well, by the name the kernel gives them. On some of them
#: `flock` works between machines, on some it depends on how they were mounted, on some it stays on one machine.
#: FUSE is a family: "fuse.sshfs", "fuse.glusterfs"; a FUSE file system that only shows a local disk loses nothing.
SHARED = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "mmfs",
        "ceph",
        "beegfs",
        "beegfs_nodev",
        "afs",
        "9p",
        "virtiofs",
        "vboxsf",
        "ocfs2",
        "gfs2",
        "pvfs2",
        "orangefs",
        "panfs",
        "wekafs",
        "fuse",
    ]
)

_MOUNTS = Path("/proc/self/mountinfo")


def kind_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The file system's type ("ext4", "nfs4", "fuse.sshfs"); "" when it cannot be told. The folder need not exist."""
    try:
        text = mounts.read_text(encoding="utf-8", errors="surrogateescape")
        place = os.path.realpath(folder)
    except OSError:
        return ""
    best, kind = "", ""
    for line in text.splitlines():
        before, found, after = line.partition(" - ")
        fields = before.split(" ")
        if not found or len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = point == "/" or place == point or place.startswith(point + "/")
        if inside and len(point) >= len(best):  # of two mounts on one place the later one is seen
            best, kind = point, after.split(" ")[0]
    return kind


def is_shared(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether other machines may work in this folder too."""
    kind = kind_of(folder, mounts)
    return kind in SHARED or kind.startswith("fuse.")
