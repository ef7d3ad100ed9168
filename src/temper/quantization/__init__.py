"""Quantised layers of an ONNX file: which there are, which may be given back to float, and what each costs in accuracy."""
