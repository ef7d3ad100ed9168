"""What can be wrong with an engine, its library or the GPU, over a GPU that computes on the host."""

import pytest

from temper.backends import tensorrt_engine
from temper.errors import BackendError, Unavailable
from tests.fake_gpu import ILLEGAL_ADDRESS, OUT_OF_MEMORY, FakeCuda
from tests.tiny_onnx import text_inputs
from tests.unit.backends.conftest import STATIC


def unavailable(gpu, **changes):
    with pytest.raises(Unavailable) as caught, gpu.runner(**changes):
        pass
    return caught.value.reason


def refused(gpu, **changes):
    with pytest.raises(BackendError) as caught, gpu.runner(**changes):
        pass
    return caught.value


def test_without_a_gpu_nothing_is_imported(on_fake_gpu, monkeypatch):
    gpu = on_fake_gpu()
    monkeypatch.setattr(tensorrt_engine, "nvidia_gpus", lambda: ())
    monkeypatch.setattr(tensorrt_engine, "import_library", lambda *_: pytest.fail("imported"))
    assert unavailable(gpu) == "no NVIDIA GPU"


def test_a_driver_that_is_too_old_is_said_with_both_versions(on_fake_gpu):
    reason = unavailable(on_fake_gpu(cuda=FakeCuda(driver=12040)))
    assert reason.startswith("the driver is too old: it offers CUDA 12.4, and TensorRT-RTX 1.6.1.120 needs CUDA 13.0")


def test_an_engine_of_another_version_is_refused(on_fake_gpu):
    error = refused(on_fake_gpu(library_version="1.5.0.114"))
    assert "built with 1.5.0.114" in error.happened
    assert "the same version" in error.fix


def test_an_engine_that_is_bound_to_another_gpu_is_refused(on_fake_gpu):
    error = refused(on_fake_gpu(compute_capability=[8, 9], gpu="Another GPU"))
    assert error.happened.startswith("the engine was built on Another GPU (compute capability 8.9)")
    assert "Fake GPU (compute capability 9.0)" in error.asked


def test_an_engine_that_was_built_on_such_a_gpu_or_is_bound_to_none_runs(on_fake_gpu):
    for capability in ([9, 0], None):
        with on_fake_gpu(compute_capability=capability).runner() as runner:
            assert runner.infer(text_inputs(1, 8)).shape == (1, 2)


def test_a_gpu_that_the_library_is_known_to_refuse_is_not_measured_with_its_own_words(on_fake_gpu):
    gpu = on_fake_gpu(cuda=FakeCuda(capability=(7, 0)), loads=False, messages=["Target GPU SM 70 is not supported"])
    reason = unavailable(gpu)
    assert "TensorRT-RTX 1.6.1.120 does not run on Fake GPU (compute capability 7.0)" in reason
    assert "7.5 and later" in reason
    assert reason.endswith("It said: Target GPU SM 70 is not supported")


def test_an_engine_that_cannot_be_loaded_on_a_good_gpu_is_an_error(on_fake_gpu):
    error = refused(on_fake_gpu(loads=False, messages=["bad magic", "bad magic"]))
    assert error.happened == "bad magic"


def test_a_runtime_that_cannot_be_made_is_an_error(on_fake_gpu, monkeypatch):
    gpu = on_fake_gpu()

    def no_runtime(logger):
        raise TypeError("factory function returned nullptr")

    trt = tensorrt_engine.import_library(None, "")
    monkeypatch.setattr(trt, "Runtime", no_runtime)
    assert "factory function returned nullptr" in refused(gpu).happened


def test_an_engine_with_other_profiles_than_its_manifest_is_refused(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    gpu.engine.num_optimization_profiles = 1
    assert refused(gpu).happened == "it has 1 profiles, where engine.json says static shapes [1, 32], [4, 8], [8, 16]"


def test_a_gpu_that_fails_ends_this_candidate_alone_and_the_reason_says_so(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        runner.infer(text_inputs(4, 16))
        gpu.cuda.fails["cudaStreamSynchronize"] = ILLEGAL_ADDRESS
        with pytest.raises(Unavailable) as caught:
            runner.infer(text_inputs(4, 16))
    assert caught.value.reason.startswith(
        "GPU 0 failed at 'wait for the GPU' (cudaErrorIllegalAddress: an illegal memory"
    )
    assert "This candidate's own process ended" in caught.value.reason


def test_memory_that_runs_out_is_an_error_that_says_so(on_fake_gpu):
    gpu = on_fake_gpu()
    gpu.cuda.fails["cudaMallocHost"] = OUT_OF_MEMORY
    with gpu.runner() as runner, pytest.raises(BackendError) as caught:
        runner.infer(text_inputs(4, 16))
    assert caught.value.happened == "cudaErrorMemoryAllocation: out of memory"


@pytest.mark.parametrize("known", [True, False])
def test_manifests_of_before_name_one_profile(on_fake_gpu, known):
    row = {"min_shape": [1, 2], "opt_shape": [4, 16], "max_shape": [8, 64]}
    gpu = on_fake_gpu(row)
    from temper.artifacts.manifest import read_manifest, write_manifest

    manifest = read_manifest(gpu.folder / "engine.json", kind="engine")
    facts = {key: manifest[key] for key in ("status", "library_version", "layers_by_precision", "gpu")}
    facts |= {"profile": row} if known else {"profiles": [row]}
    write_manifest(gpu.folder / "engine.json", kind="engine", facts=facts)
    with gpu.runner() as runner:
        assert runner.limits() == {"batch_size": (1, 8), "sequence_length": (2, 64)}


@pytest.mark.parametrize("choice", ["lazy", "eager", "none"])
def test_kernels_are_specialized_as_the_row_says(on_fake_gpu, choice):
    gpu = on_fake_gpu()
    with gpu.runner(kernel_specialization=choice) as runner:
        runner.infer(text_inputs(4, 16))
        assert runner.describe()["kernel_specialization"] == choice
    set_to = [config.dynamic_shapes_kernel_specialization_strategy for config in gpu.engine.configs]
    assert set_to == [["lazy", "eager", "none"].index(choice)]


def test_the_runtime_cache_is_kept_beside_the_engines_and_found_the_next_time(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    for found in (False, True):
        with gpu.runner(runtime_cache=True) as runner:
            runner.infer(text_inputs(4, 8))
            runner.infer(text_inputs(8, 16))
            assert runner.describe()["runtime_cache"]["found"] is found
        (file,) = (gpu.folder.parents[1] / "runtime_cache").iterdir()
        assert file.name == runner.describe()["runtime_cache"]["file"]
    assert sorted(path.name for path in gpu.folder.iterdir()) == ["engine.json", "model.engine", "signature.json"]


def test_without_the_option_nothing_is_kept(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        runner.infer(text_inputs(4, 16))
        assert runner.describe()["runtime_cache"] is None
    assert not (gpu.folder.parents[1] / "runtime_cache").exists()
