"""Who carries a run on: a process, named so that another on the same machine can tell whether it still lives.

A lease always runs out in the end; where the kernel can be asked, nobody has to wait for that. Process numbers mean
something only within one boot and one process namespace (two containers share neither), so both are part of the name.
"""

from __future__ import annotations

import os
from pathlib import Path


def this_process(claim: str) -> str:
    """Name this process; `claim` tells its claims apart."""
    return "/".join((_world(), str(os.getpid()), _started(os.getpid()) or "-", claim))


def claim_of(owner: str) -> str:
    """Which claim of the process it is."""
    return owner.rpartition("/")[2]


def is_gone(owner: str) -> bool:
    """Whether the process certainly lives no more; False where that cannot be known.

    >>> is_gone(this_process("a")), is_gone("another machine/1/2/a")
    (False, False)
    """
    world, process, started, _ = owner.rsplit("/", 3)
    if world != _world() or world == _UNKNOWN or started == "-":
        return False
    return _started(int(process)) != started


_UNKNOWN = "?"


def _world() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return _UNKNOWN


def _started(process: int) -> str | None:
    """When the process started, in ticks since the boot; None when it lives no more."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
