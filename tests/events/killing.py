"""Batches sent by processes that are killed at random moments."""

import os
import subprocess
import sys

# A process of its own, without threads of other tests: it forks a child per batch and kills it at a random moment.
SCRIPT = """
import datetime as dt, os, pathlib, random, signal, sys, tempfile, time
import pyarrow
from likelier.events.ingest import ingest
from likelier.events.known import KnownIds
from likelier.events.stream import Sent, append_lines
from likelier.lake import Lake

folder, kills = pathlib.Path(sys.argv[1]), int(sys.argv[2])
lake, now = Lake(str(folder / "lake")), dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
chance = random.Random(7)

pyarrow.array([""])  # loads pandas where it is installed, once rather than in each child
tempfile.gettempdir()  # Python tries the folder with a file of its own, which no child is to leave there

def send(number):
    child = os.fork()
    if child == 0:
        SENDING
        os._exit(0)
    return child

start = time.monotonic()
os.waitpid(send(0), 0)
usual = time.monotonic() - start
for number in range(1, kills + 1):
    child = send(number)
    time.sleep(chance.uniform(0, 1.1 * usual))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def send_and_kill(sending, folder, kills, scratch):
    """Send batch 0 of a folder undisturbed and kill those after it; `sending` is the line that sends one."""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    script = SCRIPT.replace("SENDING", sending)
    subprocess.run([sys.executable, "-c", script, str(folder), str(kills)], check=True, env=environment)
