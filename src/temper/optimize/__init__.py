"""Searching for the fastest artifact that is still right: a space of points, a race between them, a winner's study."""
