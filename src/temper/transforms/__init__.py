"""Steps that change an ONNX file and not its answers, one file each: ONNX in, ONNX out."""
