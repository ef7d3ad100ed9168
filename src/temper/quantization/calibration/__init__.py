"""Calibration methods, one file each; each leaves a calibration cache."""
