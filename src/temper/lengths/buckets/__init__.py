"""Length buckets: the few sequence lengths that an engine is built for, chosen from the lengths of real rows."""
