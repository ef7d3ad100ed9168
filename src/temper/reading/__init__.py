"""Files from outside, read within bounds of time, size, depth and numbers: one reader for each format."""
