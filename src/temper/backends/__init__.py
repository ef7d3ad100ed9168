"""Backends: one file each, behind `temper.backends.runner.Runner`."""
