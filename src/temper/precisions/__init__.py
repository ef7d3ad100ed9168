"""Precisions, one file each: ONNX in, ONNX out."""
