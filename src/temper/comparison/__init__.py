"""Experiments side by side, and engines of two versions of a library."""
