"""`options` of a backend row whose runner is pytorch."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from temper.package.runtime.unpadded import FP8, MODES


class Options(BaseModel):
    """`options` of a row whose runner is pytorch."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "float16", "bfloat16"]
    threads: PositiveInt  # intra-op threads on the CPU
    tf32: bool  # whether float32 products and convolutions may round what they read to TF32
    mode: Literal[
        "eager",
        "compile",
        "compile-reduce-overhead",
        "compile-max-autotune",
        "torchscript",
        "dynamic_int8",
        "unpadded",
        "unpadded-gelu-tanh",
        "unpadded-fp8",
    ]

    @model_validator(mode="after")
    def _fits_the_device(self) -> Self:
        if self.device == "cpu" and self.tf32:
            raise ValueError("tf32 is true, but a CPU has no TF32: set it to false")
        if self.device == "cpu" and self.mode == "compile-reduce-overhead":
            raise ValueError("mode is compile-reduce-overhead, which replays CUDA graphs: on the CPU set compile")
        if self.mode == "dynamic_int8" and (self.device, self.dtype) != ("cpu", "float32"):
            raise ValueError(
                "mode is dynamic_int8, whose kernels are the CPU's and read float32: set device and dtype so"
            )
        if self.mode == FP8:
            if (self.device, self.dtype) != ("cuda", "bfloat16"):
                raise ValueError(
                    f"mode is {self.mode}, whose products are a GPU's and whose other numbers are bfloat16: set device to cuda "
                    "and dtype to bfloat16"
                )
        elif self.mode in MODES and (self.device == "cuda") != (self.dtype in ("float16", "bfloat16")):
            raise ValueError(
                f"mode is {self.mode}: on a GPU its attention is computed in float16 or bfloat16, on the CPU in float32; set "
                "dtype so"
            )
        return self
