"""What this machine's processor does to an INT8 product: tests that hold answers of INT8 files to a number ask it."""

from temper.environment.processor import processor

# Without one of these, x86 adds two products of 8 bits in 16: large ones saturate, in ONNX Runtime and, more, in OpenVINO,
# and an INT8 file of full-range weights answers otherwise than its arithmetic says.
WHOLE_SUMS = bool({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"} & set(processor()["instructions"].split()))


def int8_tolerance(whole: float, saturating: float) -> float:
    """The share that holds on this processor: the first where sums are whole, the second where they saturate."""
    return whole if WHOLE_SUMS else saturating
