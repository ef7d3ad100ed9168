"""Precisions and how they are reached: steps that change it, calibration, layers, search, training that is aware."""
