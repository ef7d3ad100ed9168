"""Options of ONNX Runtime's providers, and the plugin's registration with a fake ONNX Runtime: there is no GPU here."""

from types import SimpleNamespace

import onnxruntime as ort
import pytest
from pydantic import ValidationError

from temper.backends import execution_providers
from temper.backends.execution_providers import (
    CUDA,
    RTX,
    TENSORRT,
    Options,
    add_provider,
    need_provider,
    provider_options,
    refuse_other_options,
)
from temper.errors import BackendError, ProviderNotActive, Unavailable
from tests.tiny_onnx import IMAGE, TEXT
from tests.unit.backends.test_runner import CPU

PROFILE = {"min": [1, 8], "opt": [12, 64], "max": [20, 64]}


def options(provider, **changes):
    tf32 = provider in (TENSORRT, RTX)
    return Options.model_validate({**CPU["onnxruntime"][1], "execution_provider": provider, "tf32": tf32, **changes})


@pytest.mark.parametrize(
    ("provider", "changes", "said"),
    [
        ("CPUExecutionProvider", {"io_binding": True}, "io_binding is True, which CPUExecutionProvider cannot have"),
        ("CPUExecutionProvider", {"cuda_graph": True}, "cuda_graph is True"),
        ("CPUExecutionProvider", {"tf32": True}, "tf32 is True"),
        ("CPUExecutionProvider", {"device_index": 1}, "device_index is 1"),
        (CUDA, {"cuda_graph": True}, "set io_binding to true"),
        (CUDA, {"profile_shapes": PROFILE}, "builds no engine"),
        (RTX, {"tf32": False}, "has no switch for it"),
        (RTX, {"profile_shapes": {**PROFILE, "min": [13, 8]}}, "min ≤ opt ≤ max"),
        (RTX, {"profile_shapes": {**PROFILE, "opt": [12]}}, "min ≤ opt ≤ max"),
        (RTX, {"profile_shapes": {**PROFILE, "step": [1, 1]}}, "Extra inputs"),
    ],
)
def test_options_that_could_not_run_as_asked_are_refused(provider, changes, said):
    with pytest.raises(ValidationError, match=said):
        options(provider, **changes)


def test_the_cpu_has_no_options():
    assert provider_options(options("CPUExecutionProvider"), TEXT, None) == {}


def test_cuda_takes_tf32_only_where_the_row_says_so():
    assert provider_options(options(CUDA, device_index=2), TEXT, None) == {
        "device_id": "2",
        "enable_cuda_graph": "0",
        "use_tf32": "0",
    }
    bound = provider_options(options(CUDA, tf32=True, io_binding=True, cuda_graph=True), TEXT, 4711)
    assert (bound["use_tf32"], bound["enable_cuda_graph"]) == ("1", "1")
    assert (bound["has_user_compute_stream"], bound["user_compute_stream"]) == ("1", "4711")


def test_profiles_are_shapes_of_every_input():
    rtx = provider_options(options(RTX, io_binding=True, cuda_graph=True, profile_shapes=PROFILE), TEXT, 1)
    assert rtx["nv_profile_min_shapes"] == "input_ids:1x8,attention_mask:1x8"
    assert rtx["nv_profile_opt_shapes"] == "input_ids:12x64,attention_mask:12x64"
    assert rtx["nv_profile_max_shapes"] == "input_ids:20x64,attention_mask:20x64"
    assert rtx["enable_cuda_graph"] == "1"
    assert "nv_use_sync_gpu_allocator" not in rtx
    images = {"min": [1], "opt": [4], "max": [8]}
    tensorrt = provider_options(options(TENSORRT, profile_shapes=images), IMAGE, None)
    assert tensorrt["trt_profile_max_shapes"] == "pixel_values:8x2x2x2"
    assert tensorrt["trt_cuda_graph_enable"] == "0"


def test_rtx_without_bound_buffers_takes_memory_synchronously():
    assert provider_options(options(RTX), TEXT, None)["nv_use_sync_gpu_allocator"] == "1"


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this build has CUDA")
@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_a_provider_that_this_build_lacks_is_not_active(provider):
    with pytest.raises(ProviderNotActive, match="offers"):
        need_provider(ort, options(provider), "run it")


def test_a_plugin_that_is_not_installed_is_not_active(monkeypatch):
    monkeypatch.setattr(execution_providers, "installed_version", lambda library: None)
    with pytest.raises(ProviderNotActive, match="plugin onnxruntime-ep-nv-tensorrt-rtx-cu13 is not installed"):
        need_provider(ort, options(RTX), "run it")


def test_a_provider_without_a_gpu_is_unavailable(monkeypatch):
    monkeypatch.setattr(execution_providers, "nvidia_gpus", lambda: ())
    with pytest.raises(Unavailable, match=r"^no NVIDIA GPU$"):
        need_provider(SimpleNamespace(get_available_providers=lambda: [CUDA]), options(CUDA), "run it")


class FakeOrt:
    """What of ONNX Runtime registers a plugin."""

    def __init__(self, devices, refusal=None):
        self.registered, self._devices, self._refusal = [], devices, refusal

    def register_execution_provider_library(self, name, library):
        if self._refusal:
            raise RuntimeError(self._refusal)
        self.registered.append((name, library))

    def get_ep_devices(self):
        other = SimpleNamespace(ep_name="CPUExecutionProvider", ep_options={})
        return [other, *(SimpleNamespace(ep_name="nv_rtx", ep_options={"device_id": index}) for index in self._devices)]


class FakeSettings:
    def __init__(self):
        self.added = []

    def add_provider_for_devices(self, devices, chosen):
        self.added.append(([device.ep_options["device_id"] for device in devices], chosen))


@pytest.fixture
def plugin(monkeypatch):
    found = SimpleNamespace(get_ep_name=lambda: "nv_rtx", get_library_path=lambda: "lib.so", __version__="0.4.0")
    monkeypatch.setattr(execution_providers, "import_library", lambda library, version: found)


@pytest.mark.parametrize("refusal", [None, "library nv_rtx is already registered"])
def test_the_plugin_is_registered_once_and_added_for_the_one_device(plugin, refusal):
    fake, settings = FakeOrt(["0", "1"], refusal), FakeSettings()
    found = add_provider(fake, settings, options(RTX, device_index=1), {"device_id": "1", "a": "b"}, "run it")
    assert found == ("nv_rtx", {})  # the session takes its providers from the settings
    assert settings.added == [(["1"], {"device_id": "1", "a": "b"})]
    assert fake.registered == ([] if refusal else [("nv_rtx", "lib.so")])


def test_a_plugin_that_shows_no_such_gpu_is_unavailable(plugin):
    with pytest.raises(Unavailable, match="shows 1 devices, none with index 3"):
        add_provider(FakeOrt(["0"]), FakeSettings(), options(RTX, device_index=3), {"device_id": "3"}, "run it")


def test_a_plugin_that_cannot_be_loaded_is_an_error(plugin):
    with pytest.raises(BackendError, match="undefined symbol"):
        add_provider(FakeOrt([], "undefined symbol"), FakeSettings(), options(RTX), {"device_id": "0"}, "run it")


def test_the_other_providers_go_to_the_session_with_their_options():
    fake = SimpleNamespace(preload_dlls=lambda: None)
    assert add_provider(fake, None, options(CUDA), {"use_tf32": "0"}, "run it") == (
        CUDA,
        {"providers": [(CUDA, {"use_tf32": "0"})]},
    )


def test_an_option_that_the_session_does_not_take_is_refused():
    with pytest.raises(ProviderNotActive, match=r"'use_tf32': '1'.*'use_tf32': '0'"):
        refuse_other_options(CUDA, {"use_tf32": "1", "device_id": "0"}, {"use_tf32": "0", "device_id": "0"}, "run it")
    refuse_other_options(CUDA, {}, {"use_tf32": "0"}, "run it")  # a plugin reports none
