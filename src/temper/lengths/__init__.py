"""Sequence lengths: buckets, packing, trimming; all that fights padding."""
