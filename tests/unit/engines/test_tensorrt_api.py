import platform
from types import SimpleNamespace

import pytest

from temper.engines import tensorrt, tensorrt_rtx
from temper.engines.tensorrt_api import collect_messages
from temper.errors import BackendError, Unavailable

WITH_FLAG = SimpleNamespace(NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1))
WITHOUT_FLAG = SimpleNamespace(NetworkDefinitionCreationFlag=SimpleNamespace(EXPLICIT_BATCH=0))


@pytest.mark.parametrize("version", ["10.13.3.9", "11.0.0.1"])
def test_a_network_is_strongly_typed_by_the_flag_where_there_is_one(version):
    for api in (tensorrt.API, tensorrt_rtx.API):
        assert api.network_flags(WITH_FLAG, version) == 0b10


def test_tensorrt_11_may_have_no_flag_for_what_is_always_so():
    assert tensorrt.API.network_flags(WITHOUT_FLAG, "11.0.0.1") == 0


@pytest.mark.parametrize(
    ("api", "version"), [(tensorrt.API, "10.13.3.9"), (tensorrt.API, "unknown"), (tensorrt_rtx.API, "11.0")]
)
def test_a_version_that_would_choose_precisions_by_itself_is_refused(api, version):
    with pytest.raises(BackendError, match="would choose precisions by itself"):
        api.network_flags(WITHOUT_FLAG, version)


@pytest.mark.parametrize(
    ("api", "here", "known"),
    [
        (tensorrt_rtx.API, ("Linux", "x86_64"), True),
        (tensorrt_rtx.API, ("Linux", "aarch64"), False),
        (tensorrt.API, ("Linux", "aarch64"), True),
        (tensorrt.API, ("Darwin", "arm64"), False),
    ],
)
def test_platforms_without_a_build_are_named(monkeypatch, api, here, known):
    monkeypatch.setattr(platform, "system", lambda: here[0])
    monkeypatch.setattr(platform, "machine", lambda: here[1])
    if known:
        api.check_platform()
    else:
        with pytest.raises(Unavailable, match=f"{api.library.title} has no build for {' '.join(here)}"):
            api.check_platform()


@pytest.mark.parametrize(
    ("version", "capability", "supported"),
    [
        ("1.6.1.120", (9, 0), True),
        ("1.7.1.116", (9, 0), False),
        ("1.10.0.1", (9, 0), False),
        ("1.7.1.116", (12, 0), True),
        ("1.6.1.120", (7, 0), False),
    ],
)
def test_what_was_seen_of_tensorrt_rtx_on_gpus(version, capability, supported):
    assert (tensorrt_rtx.API.unsupported(version, capability) is None) is supported


def test_the_cuda_of_a_library_is_in_its_distributions_name(monkeypatch):
    from temper.engines import tensorrt_api

    monkeypatch.setattr(
        tensorrt_api, "installed_version", lambda library: {"tensorrt-cu12": "10.13"}.get(library.distributions[0])
    )
    assert tensorrt.API.cuda_major() == 12
    assert tensorrt_rtx.API.cuda_major() is None


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, VERBOSE = (SimpleNamespace(name=f"severity {number}") for number in range(4))


@pytest.mark.parametrize("verbose", [True, False])
def test_messages_are_kept_and_errors_told_once(capsys, verbose):
    logger = collect_messages(SimpleNamespace(ILogger=ILogger), verbose=verbose)
    assert logger.errors() == "no message"
    for severity, text in ((ILogger.VERBOSE, "v"), (ILogger.ERROR, "one\n two"), (ILogger.ERROR, "one two")):
        logger.log(severity, text)
    logger.log(ILogger.WARNING, "careful")
    assert logger.errors() == "one two"
    logger.log(ILogger.INTERNAL_ERROR, "three")
    assert logger.errors() == "three"
    assert [text for _, text in logger.messages] == (["v"] if verbose else []) + ["one\n two", "one two"] + (
        ["careful"] if verbose else []
    ) + ["three"]
    assert "[severity 2] careful" in capsys.readouterr().out
