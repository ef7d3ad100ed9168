"""Profiles made by hand; test_pytorch.py reads real ones of the CPU, tests/gpu of the GPU."""

import pytest

from temper.backends.pytorch_trace import CALL, kernel_precision, read_profile


def event(name, cat, start_us, us, types=(), tid=1):
    return {"ph": "X", "name": name, "cat": cat, "ts": start_us, "dur": us, "tid": tid, "args": {"Input type": types}}


CALLS = [event(CALL, "user_annotation", start, 90) for start in (100, 200)]


def read(*events, cuda):
    return read_profile([*CALLS, *events], cuda=cuda, device="a device")


def test_kernels_are_layers_of_a_call_with_their_mean_time():
    gemm = "sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize64x64x64"
    launches = [event("cudaGraphLaunch", "cuda_runtime", start, 5) for start in (101, 201)]
    warming = event(gemm, "kernel", 50, 70)  # before the first call
    kernels = [event(gemm, "kernel", start, us) for start, us in ((110, 20), (140, 10), (210, 40), (240, 10))]
    profile = read(warming, *launches, *kernels, cuda=True)
    assert [(layer.type, layer.precision, layer.time_ms) for layer in profile.execution.layers] == [
        ("MatMul", "FP16", pytest.approx(0.03)),
        ("MatMul", "FP16", pytest.approx(0.01)),
    ]
    assert profile.graph_launches == 2
    assert "1 CUDA graphs launched in each call" in profile.execution.source
    assert profile.execution.summary()["products"] == {"total": 2, "quantized": 0}


def test_a_profile_without_kernels_says_so():
    profile = read(cuda=True)
    assert profile.execution.layers == ()
    assert profile.execution.source == "torch.profiler: it listed no kernels of the GPU"


def test_products_are_layers_whole_and_of_the_other_operators_those_that_call_none_and_compute():
    events = [
        event("Torch-Compiled Region: 0/0", "cpu_op", 105, 80),
        event("aten::linear", "cpu_op", 110, 50, ("float", "float")),
        event("aten::t", "cpu_op", 111, 2, ("float",)),
        event("aten::addmm", "cpu_op", 115, 40, ("float", "float")),
        event("aten::copy_", "cpu_op", 116, 5, ("float", "float")),  # what it calls is part of it
        event("aten::reshape", "cpu_op", 161, 8, ("float",)),
        event("aten::clone", "cpu_op", 162, 5, ("float",)),
        event("aten::gelu", "cpu_op", 170, 10, ("", "c10::BFloat16")),
        event("aten::empty", "cpu_op", 171, 2),
        event("graph_0_cpp_fused_scaled_dot_product_1", "cpu_op", 185, 4),
        event("aten::addmm", "cpu_op", 112, 40, ("c10::BFloat16",), tid=2),  # of another thread: inside of nothing
    ]
    layers = read(*events, cuda=False).execution.layers
    assert [(layer.type, layer.precision) for layer in layers] == [
        ("MatMul", "FP32"),
        ("MatMul", "BF16"),
        ("aten::clone", "FP32"),
        ("aten::gelu", "BF16"),
        ("fused kernel", "not listed"),
    ]
    assert layers[0].time_ms == pytest.approx(0.025)  # over both calls
    assert [layer.is_product for layer in layers] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("kernel", "precision"),
    [
        ("sm80_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize64x32x64", "TF32"),
        ("ampere_bf16_s16816gemm_bf16_64x64_ldg8_relu_f2f_stages_64x6_tn", "BF16"),
        ("ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_nn", "FP16"),
        ("void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128, 4, cutlass::half_t>>", "FP16"),
        ("nvjet_sm90_hsh_64x128_64x8_1x2_h_bz_bias_TNT", "FP16"),
        ("nvjet_sm90_tst_64x128_64x8_1x2_h_bz_bias_TNT", "BF16"),
        ("nvjet_sm90_qqtst_128x128_128x6_2x1_v_bz_ovscale_bias_TNT", "FP8"),
        ("ampere_sgemm_32x32_sliced1x4_tn", "FP32"),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::GeluFunctor<float>>", "FP32"),
        ("triton_per_fused_add_native_layer_norm_3", "not listed"),
    ],
)
def test_a_kernel_computes_in_what_its_name_says(kernel, precision):
    assert kernel_precision(kernel) == precision
