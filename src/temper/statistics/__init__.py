"""Statistics of paired measurements: one implementation of each, arrays in, numbers out; nothing here reads a file."""
