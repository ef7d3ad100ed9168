"""Engine libraries, one file each: ONNX in, engine out."""
