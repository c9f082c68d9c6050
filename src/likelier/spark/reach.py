"""Whether Spark can start here: said at once and in words, where Spark takes minutes or many lines of Java.

>>> answering("127.0.0.1:seven")
False
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import socket
from pathlib import Path

from likelier.errors import UsageError

STANDALONE = "spark://"
MASTERS = r"(local(-cluster)?(\[.*\])?|yarn|spark://.+|k8s://.+)$"
PATIENCE = 10.0


def look(master: str) -> None:
    """Raise :class:`UsageError` where PySpark or Java is missing, or no standalone master answers at its address."""
    if not importlib.util.find_spec("pyspark"):
        raise UsageError("Spark needs the package pyspark: pip install 'likelier[spark]'.")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError(
            "Spark needs Java 17 or later, and there is none: install it, or give its folder as JAVA_HOME."
        )
    if not re.match(MASTERS, master):
        raise UsageError(
            f"LIKELIER_SPARK is '{master}', and should be like local[*], spark://HOST:7077, yarn or k8s://URL."
        )
    if master.startswith(STANDALONE) and not any(map(answering, master.removeprefix(STANDALONE).split(","))):
        raise UsageError(
            f"Nobody answers at '{master}': LIKELIER_SPARK has to name the master of a Spark cluster that runs (host "
            "and port), which this machine reaches."
        )


def answering(address: str) -> bool:
    """Try whether a host and port take a connection."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError, ValueError), socket.create_connection((host.strip("[]"), int(port)), PATIENCE):
        return True
    return False


def set_by_people() -> frozenset[str]:
    """Name what stands in Spark's own file of settings, which is for people to say."""
    file = Path(os.environ.get("SPARK_CONF_DIR", "")) / "spark-defaults.conf"
    if "SPARK_CONF_DIR" not in os.environ or not file.exists():
        return frozenset()
    return frozenset(re.findall(r"(?m)^\s*(spark\.[^\s=:]+)", file.read_text()))
