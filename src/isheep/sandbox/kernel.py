"""What the Linux kernel itself can hold back: namespaces, a small disk, Landlock, capabilities. All without privileges.

Knows: system calls, through ctypes. Each function says whether its fence now stands; none raises where a kernel lacks
it. Run inside the sandbox's child only, which loads it by its path: imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_NEW_USER, _NEW_MOUNTS, _NEW_IPC, _NEW_NET = 0x10000000, 0x00020000, 0x08000000, 0x40000000
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # Landlock's calls, the same on every machine
_PDEATHSIG, _NO_NEW_PRIVS, _KILL = 1, 38, 9
_CAPABILITIES_3 = 0x20080522

#: Landlock's rights by the version of its interface that brought them (bits of struct landlock_ruleset_attr).
_FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TCP = {4: 3}  # binding and connecting
_SCOPES = {6: 3}  # abstract sockets and signals of others
_READ = 1 << 0 | 1 << 2 | 1 << 3  # map as code, read a file, list a folder
#: Rights that a single file can have: the above but the listing, writing, truncating, device control.
_OF_FILE = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15

#: What the interpreter needs besides its own installation: shared libraries, time zones, devices without memory.
READABLE = (
    "/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/openssl.cnf",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
)  # fmt: skip


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _linux() -> bool:
    return sys.platform.startswith("linux")


def die_with(parent: int) -> None:
    """Be killed when the process that waits for this one ends, however it ends."""
    if _linux():
        _libc().prctl(_PDEATHSIG, _KILL, 0, 0, 0)
    if os.getppid() != parent:  # it had ended before
        os._exit(1)


def own_namespaces() -> bool:
    """A network without any interface, own users, mounts and shared memory."""
    user, group = os.geteuid(), os.getegid()
    if not _linux() or _libc().unshare(_NEW_USER | _NEW_NET | _NEW_MOUNTS | _NEW_IPC) != 0:
        return False
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            pass  # the namespaces stand; without a user of its own the small disk cannot be had
    return True


def small_disk(folder: str, size: int) -> bool:
    """Lay a file system of `size` bytes in memory over the folder. Needs namespaces of its own."""
    options = f"size={size},nr_inodes=1000,mode=700".encode()
    mount = _libc().mount
    done: int = mount(b"sandbox", os.fsencode(folder), b"tmpfs", _NOSUID_NODEV_NOEXEC, options)
    os.chdir(folder)  # else the folder below it is still the current one
    return done == 0


def landlock(folder: str) -> bool:
    """Change files in `folder` only; read there, in the Python installation, and in READABLE."""
    if not _linux():
        return False
    call = _libc().syscall
    version = call(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files, tcp, scopes = (
        sum(bits for since, bits in rights.items() if since <= version) for rights in (_FILES, _TCP, _SCOPES)
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = call(_CREATE, struct.pack("=QQQ", files, tcp, scopes), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    places = dict.fromkeys((*READABLE, sys.base_prefix, sys.base_exec_prefix), _READ)
    try:
        for path, rights in {**places, folder: files}.items():
            _allow(rules, path, rights & files)
        _libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(call(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this system
    try:
        if not os.path.isdir(path):
            rights &= _OF_FILE
        _libc().syscall(_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def drop_capabilities() -> None:
    """Whatever this process might do as root, it may not from here on."""
    if _linux():
        head = struct.pack("=Ii", _CAPABILITIES_3, 0)
        _libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc().capset(head, bytes(24))
