"""Temper: measured, verified, exactly rebuilt inference artifacts from a fine-tuned classifier."""
