"""Events reduced by the engine to what the kernel walks: who, when, which signals, how much, which categories."""
