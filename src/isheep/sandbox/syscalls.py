"""System calls a sandboxed program may not make, and the seccomp filter that refuses them.

Knows: call numbers of Linux on x86-64 and 64-bit ARM (from the kernel's headers), classic BPF. Run inside the
sandbox's child only, which loads it by its path: it imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

#: Refused whatever their arguments: name -> (x86-64, ARM64), None where there is no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes: starting them, looking into them, changing how they run
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the network, and whatever outlives a process
    "socket": (41, 198),
    "socketpair": (53, 199),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # ways around this very filter, and corners of the kernel no exercise needs
    "unshare": (272, 97),
    "setns": (308, 268),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # owners, modes, times and attributes of files: Landlock does not watch these
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}
#: Allowed for this very process only (their first argument is a process id): abort() is one of them.
ONLY_ITSELF = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
#: A thread's id, not a process's; no library uses it any more.
TKILL = (200, 130)
#: Allowed to make a thread, not a process. clone3 hides its flags from a filter: said not to exist, so clone is used.
CLONE, CLONE3, CLONE_THREAD = (56, 220), (435, 435), 0x10000
#: Allowed to read a limit, not to set one.
PRLIMIT = (302, 261)

#: machine -> (column of the tables above, AUDIT_ARCH_*).
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
#: x86-64's other set of numbers begins here.
X32 = 0x40000000

# struct seccomp_data: number, architecture, instruction pointer, six arguments of 8 bytes (low word first).
_NUMBER, _ARCH, _FIRST, _THIRD = 0, 4, 16, 32
# Classic BPF: load a word, jump if equal / not below / any bit set, return.
_LOAD, _EQUAL, _FROM, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = _ERROR | 1, _ERROR | 38
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2

Line = tuple[int, int, int, int]


def program(machine: str, pid: int) -> list[Line]:
    """The filter for one machine and process, as (code, jump if true, jump if false, value)."""
    column, arch = MACHINES[machine]
    lines: list[Line] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),  # a call in another architecture's numbers is none of ours
        (_RETURN, 0, 0, _EPERM),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_FROM, 0, 1, X32), (_RETURN, 0, 0, _EPERM)]
    for numbers in (*REFUSED.values(), TKILL):
        if (number := numbers[column]) is not None:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    lines += [(_EQUAL, 0, 1, CLONE3[column]), (_RETURN, 0, 0, _ENOSYS)]
    lines += [
        (_EQUAL, 0, 4, CLONE[column]),
        (_LOAD, 0, 0, _FIRST),
        (_BITS, 1, 0, CLONE_THREAD),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for numbers in ONLY_ITSELF.values():
        lines += [
            (_EQUAL, 0, 4, numbers[column]),
            (_LOAD, 0, 0, _FIRST),
            (_EQUAL, 1, 0, pid),
            (_RETURN, 0, 0, _EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    lines += [
        (_EQUAL, 0, 5, PRLIMIT[column]),
        (_LOAD, 0, 0, _THIRD),
        (_EQUAL, 0, 2, 0),
        (_LOAD, 0, 0, _THIRD + 4),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _EPERM),
    ]
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def refuse() -> bool:
    """Put the filter on this process for good; False where the kernel or the machine does not know it."""
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in MACHINES or sys.byteorder != "little":
        return False
    lines = program(machine, os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    # struct sock_fprog: how many lines, and where they stand
    head = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    if prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(head), 0, 0) == 0)
