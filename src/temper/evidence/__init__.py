"""Evidence: what an ONNX file holds (census), what a backend executed (trace), and what may be said of both (claims)."""
