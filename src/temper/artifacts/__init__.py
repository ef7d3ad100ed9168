"""What is made, on disk: manifests, signatures, ONNX files, and what such a file holds (census, claims)."""
