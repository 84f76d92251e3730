"""Calls of the kernel that a program in the sandbox may not make, as a seccomp filter.

Three kinds: memory that no limit of a process counts (memfd, System V), doors of the kernel that programs of this kind never
need and in which faults are found again and again (io_uring, bpf, new namespaces), and sockets that a network namespace does
not hold (a virtual machine reaches its host by AF_VSOCK).
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

REFUSED: dict[str, tuple[int, int]] = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "delete_module": (176, 106),
    "fanotify_init": (300, 262), "finit_module": (313, 273), "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430),
    "fspick": (433, 433), "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_setup": (206, 0), "io_uring_setup": (425, 425), "kcmp": (312, 272), "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219),
    "mbind": (237, 235), "memfd_create": (319, 279), "memfd_secret": (447, 447), "migrate_pages": (256, 238), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239), "mq_open": (240, 180), "msgget": (68, 186),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "open_tree": (428, 428), "open_tree_attr": (467, 467), "perf_event_open": (298, 241),
    "personality": (135, 92), "pidfd_getfd": (438, 438), "pivot_root": (155, 41), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "reboot": (169, 142), "request_key": (249, 218),
    "semget": (64, 190), "set_mempolicy": (238, 237), "setns": (308, 268), "shmget": (29, 194), "swapoff": (168, 225),
    "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
    "vmsplice": (278, 75),
}  # fmt: skip
"""Number of each call on x86-64 and on 64-bit ARM."""
NEW_NAMESPACES = 0x7E020000
"""Flags of clone(2) that make any namespace."""
SOCKETS = (1, 2, 10)
"""Unix, IPv4, IPv6: inside the run's own network namespace these lead nowhere."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    column: int
    clone: int
    socket: int
    clone3: int = 435


_MACHINES = {"x86_64": _Machine(0xC000003E, 0, 56, 41), "aarch64": _Machine(0xC00000B7, 1, 220, 198)}


def is_known(machine: str = "") -> bool:
    """Return whether there is a filter for this kind of processor."""
    return (machine or platform.machine()) in _MACHINES


def syscall_filter(machine: str = "") -> bytes:
    """Return the filter as the kernel reads it: eight bytes for each instruction, of the processor's byte order.

    Raises:
        KeyError: there is none for this kind of processor.
    """
    here = _MACHINES[machine or platform.machine()]
    program = [
        _do(_LOAD, _MACHINE),
        _jump(_JUMP_EQUAL, here.audit, 1, 0),
        _do(_RETURN, _KILL),
        _do(_LOAD, _NUMBER),
        # 32-bit pointers in 64-bit mode: another table of numbers on the same machine.
        _jump(_JUMP_AT_LEAST, _X32, 0, 1),
        _do(_RETURN, _refuse(errno.EPERM)),
        # Its flags are behind a pointer, which a filter cannot follow; the C library then uses clone.
        _jump(_JUMP_EQUAL, here.clone3, 0, 1),
        _do(_RETURN, _refuse(errno.ENOSYS)),
    ]
    for numbers in REFUSED.values():
        program += [_jump(_JUMP_EQUAL, numbers[here.column], 0, 1), _do(_RETURN, _refuse(errno.EPERM))]
    program += [
        _jump(_JUMP_EQUAL, here.clone, 0, 4),
        _do(_LOAD, _FIRST_ARGUMENT),
        _jump(_JUMP_ANY_BIT, NEW_NAMESPACES, 0, 1),
        _do(_RETURN, _refuse(errno.EPERM)),
        _do(_RETURN, _ALLOW),
        _jump(_JUMP_EQUAL, here.socket, 0, 2 + len(SOCKETS)),
        _do(_LOAD, _FIRST_ARGUMENT),
        *(_jump(_JUMP_EQUAL, family, len(SOCKETS) - place, 0) for place, family in enumerate(SOCKETS)),
        _do(_RETURN, _refuse(errno.EPERM)),
        _do(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def _do(code: int, value: int) -> bytes:
    return _jump(code, value, 0, 0)


def _jump(code: int, value: int, if_so: int, if_not: int) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)


def _refuse(number: int) -> int:
    return 0x00050000 | number
