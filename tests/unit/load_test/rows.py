"""Rows of `load_tests:` and `workloads:` for the tests of this folder."""

ROW = {
    "backend": "tiny-backend",
    "loads": "onnx/fp32",
    "workload": "tiny-workload",
    "scenario": "single_stream",
    "min_queries": 64,
    "min_duration_s": 0.3,
    "latency_bound_ms": None,
    "latency_percentile": None,
    "timeout_s": 60.0,
}
# 90 %: LoadGen's early stopping asks for few queries then
SERVER = {"scenario": "server", "latency_bound_ms": 12.0, "latency_percentile": 90.0}
ONE = {"batch_size": 1, "sequence_length": 16}
BATCH = {"batch_size": 4, "sequence_length": 8}
REAL = {"batch_size": 1, "real_lengths": "arrival"}
