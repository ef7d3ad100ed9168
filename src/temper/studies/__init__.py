"""Folders of studies: what is in them, and how a new one is made."""
