from temper.artifacts.manifest import sha256
from temper.quantization.calibration.calibrate import COST_LINE
from temper.report.costs import calibration_seconds


def left(folder, row, *lines, cache="{}"):
    """The cache and the log of a calibration, the digest of the cache put into its lines."""
    for part in ("logs/calibrate", f"artifacts/calibration/{row}"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    file = folder / f"artifacts/calibration/{row}/cache.json"
    file.write_text(cache)
    text = "\n".join(line.format(took_s=12.345, digest=sha256(file)) for line in lines)
    (folder / f"logs/calibrate/{row}.log").write_text(f"\r 10 %\r 100 %\n{text}\nown work: 14.2 s\n")


def test_the_seconds_are_those_that_calibrate_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left(tmp_path, "main", COST_LINE)
    assert calibration_seconds() == {"main": 12.35}


def test_a_log_of_another_cache_or_without_the_line_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left(tmp_path, "restored", COST_LINE)
    (tmp_path / "artifacts/calibration/restored/cache.json").write_text("another")
    left(tmp_path, "failed", "no such line")
    left(tmp_path, "gone", COST_LINE)
    (tmp_path / "artifacts/calibration/gone/cache.json").unlink()
    assert calibration_seconds() == {}
