"""The helpers beside the tests are imported by name, also in the processes that the tests kill."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
