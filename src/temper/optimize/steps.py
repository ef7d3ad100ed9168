"""Graph steps that a search tries. What tries and times candidates reads no more of the space: a new point makes no turn old."""

# graph steps in the order in which they build on one another, and the row that each makes; the last one changes answers a little
GRAPH_STEPS = {
    "unguarded_softmax": "unguarded",
    "read_token": "one-token",
    "fuse_qkv": "one-product",
    "simplify": "simplified",
    "sanitize": "sanitized",
    "gelu_tanh": "tanh",
}
PACKING = "pack_rows"  # where rows keep their lengths
