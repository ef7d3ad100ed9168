"""Answers of a finished study's artifact on new texts or images."""
