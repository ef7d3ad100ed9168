from temper.environment.processor import processor_features


def test_the_features_of_the_first_processor_are_read(tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor : 0\nflags\t\t: fpu avx512_bf16\n\nprocessor : 1\nflags : fpu\n", encoding="utf-8")
    assert processor_features(facts) == {"fpu", "avx512_bf16"}
    assert processor_features(tmp_path / "none") == frozenset()
