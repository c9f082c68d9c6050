"""Effects around the engine: record a run, carry it on after a crash, publish it in one commit."""
