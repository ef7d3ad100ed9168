"""Steps that change an ONNX graph and not its answers: what they need to know of it, and the check that they kept them."""
