"""Profiles name rules that there are: Snakemake takes a name that no rule has without a word."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    name
    for file in (ROOT / "workflow/rules").glob("*.smk")
    for name in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.MULTILINE)
}
PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.parent.name)
def test_a_profile_speaks_of_rules_that_there_are(profile):
    given = yaml.safe_load(profile.read_text(encoding="utf-8"))
    named = {name for key in ("set-threads", "set-resources", "set-resource-scopes") for name in given.get(key, {})}
    assert named <= RULES


@pytest.mark.parametrize("scheduler", ["slurm", "kubernetes"])
def test_what_is_timed_gets_a_node_of_its_own(scheduler):
    timed = {
        file.stem
        for file in (ROOT / "workflow/rules").glob("*.smk")
        if "while a latency is taken" in (text := file.read_text()) or "no other job runs" in text
    }
    given = yaml.safe_load((ROOT / f"profiles/{scheduler}/config.yaml").read_text(encoding="utf-8"))
    assert timed == {"measure", "remeasure", "load_test"}
    assert all("--exclusive" in given["set-resources"][rule]["slurm_extra"] for rule in timed)
    assert timed <= given["set-threads"].keys()


def test_what_jobs_were_seen_to_need_is_asked_of_every_scheduler():
    slurm, kubernetes = (
        yaml.safe_load((ROOT / f"profiles/{scheduler}/config.yaml").read_text(encoding="utf-8"))
        for scheduler in ("slurm", "kubernetes")
    )
    assert slurm["set-resources"] == kubernetes["set-resources"]
    assert slurm["set-threads"] == kubernetes["set-threads"]
    assert slurm["default-resources"].items() <= kubernetes["default-resources"].items()
