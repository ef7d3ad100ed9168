"""Sections of params.yaml whose rows have a form of their own; planning reads them, so nothing heavy."""
