"""Data sources, one file each; and what turns them into encoded splits."""
