"""The measuring benches: one module each, run by scripts/bench."""
