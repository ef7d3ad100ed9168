from pathlib import Path

import pytest

from temper.environment.processor import (
    cores_granted,
    environment_digest,
    parse_cpuinfo,
    processor,
    processor_features,
    processor_of,
)

XEON = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: {model}\nmodel name\t: Intel(R) Xeon(R) Processor\nstepping\t: 8\n"
SAPPHIRE_RAPIDS = (
    XEON.format(model=143) + "microcode\t: 0x1\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_tile amx_int8 sse4_2\n"
)
SKYLAKE = XEON.format(model=85) + "microcode\t: 0x1\nflags\t\t: fpu avx2 avx512f sse4_2\n"


def cpuinfo(block: str, sockets: int, cores: int, threads: int) -> str:
    return "\n".join(
        f"{block}physical id\t: {socket}\ncore id\t\t: {core}\n"
        for socket in range(sockets)
        for core in range(cores)
        for _ in range(threads)
    )


def test_two_processors_of_one_model_name_differ_by_family_and_instructions():
    one, other = (processor_of(parse_cpuinfo(cpuinfo(text, 1, 2, 2))) for text in (SAPPHIRE_RAPIDS, SKYLAKE))
    assert one["cpu"] == other["cpu"] == "Intel(R) Xeon(R) Processor"
    assert one["processor"] == "GenuineIntel 6-143-8"
    assert other["processor"] == "GenuineIntel 6-85-8"
    assert one["instructions"] == "sse4_2 avx2 avx512f avx512_vnni amx_tile amx_int8"
    assert other["instructions"] == "sse4_2 avx2 avx512f"


@pytest.mark.parametrize(("sockets", "cores", "threads"), [(1, 2, 1), (2, 48, 2), (1, 1, 2)])
def test_the_topology_is_sockets_by_cores_by_threads(sockets, cores, threads):
    found = processor_of(parse_cpuinfo(cpuinfo(SKYLAKE, sockets, cores, threads)))
    assert found["topology"] == f"{sockets} × {cores} × {threads}"


def test_an_arm_processor_is_told_by_its_part():
    text = "BogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp i8mm sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\n"
    found = processor_of(parse_cpuinfo(text * 4))
    assert (found["processor"], found["instructions"], found["topology"]) == (
        "0x41-0xd40",
        "asimd asimddp i8mm sve",
        "",
    )


def test_nothing_is_told_where_the_system_tells_nothing():
    assert set(processor_of([]).values()) == {""}
    assert processor()["cpu"]


@pytest.mark.parametrize(
    ("text", "granted"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("nonsense\n", None), (None, None)]
)
def test_what_a_container_grants_of_the_processors(tmp_path, text, granted):
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert cores_granted(tmp_path) == granted


def test_another_version_is_another_environment_and_an_order_is_none(tmp_path: Path):
    for folder, names in (
        ("a", ("one-1.0", "two-2.0")),
        ("b", ("two-2.0",)),
        ("c", ("one-1.0",)),
        ("d", ("one-1.1", "two-2.0")),
    ):
        for name in names:
            (tmp_path / folder / f"{name}.dist-info").mkdir(parents=True)
    whole = environment_digest([str(tmp_path / "a"), str(tmp_path / "not there")])
    assert whole == environment_digest([str(tmp_path / "c"), str(tmp_path / "b")])
    assert whole != environment_digest([str(tmp_path / "d")])


def test_the_features_of_the_first_processor_are_read(tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor : 0\nflags\t\t: fpu avx512_bf16\n\nprocessor : 1\nflags : fpu\n", encoding="utf-8")
    assert processor_features(facts) == {"fpu", "avx512_bf16"}
    assert processor_features(tmp_path / "none") == frozenset()
