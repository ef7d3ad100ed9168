import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from temper.orchestration.planning import is_forced

ROOT = Path(__file__).parents[3]
# a storage provider as Snakemake finds one: it would have every file elsewhere
STORAGE = """
from snakemake_interface_storage_plugins.storage_object import StorageObjectRead, StorageObjectWrite
from snakemake_interface_storage_plugins.storage_provider import StorageProviderBase, StorageQueryValidationResult

class StorageProvider(StorageProviderBase):
    def default_max_requests_per_second(self):
        return 10.0

    def rate_limiter_key(self, query, operation):
        return None

    def use_rate_limiter(self):
        return False

    @classmethod
    def example_queries(cls):
        return []

    @classmethod
    def is_valid_query(cls, query):
        return StorageQueryValidationResult(query, True)

class StorageObject(StorageObjectRead, StorageObjectWrite):
    pass  # nothing gets as far as an object
"""


@pytest.mark.parametrize(
    ("told", "forced"),
    [
        ({}, False),
        ({"forceall": True}, True),
        ({"forcetargets": True}, True),
        ({"forcerun": {"measure"}}, True),
        ({"forcerun": {"machines/big.json"}}, False),  # a machine that is looked at again makes nothing
        ({"forcerun": {"machines/big.json", "report"}}, True),
    ],
)
def test_a_run_adopts_nothing_where_it_was_told_to_make_something_anew(told, forced):
    asked = SimpleNamespace(**{"forcetargets": False, "forceall": False, "forcerun": frozenset(), **told})
    assert is_forced(asked) is forced


@pytest.mark.parametrize("told", [["--dry-run"], []])
def test_a_storage_provider_is_refused_before_any_job(tmp_path, told):
    (tmp_path / "plugins/snakemake_storage_plugin_elsewhere").mkdir(parents=True)
    (tmp_path / "plugins/snakemake_storage_plugin_elsewhere/__init__.py").write_text(STORAGE)
    study = tmp_path / "study"
    study.mkdir()
    (study / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", study),
            *("--cores", "1", "--default-storage-provider", "elsewhere", "--default-storage-prefix", "bucket", *told),
        ],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{tmp_path / 'plugins'}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "asked:    run a study with --default-storage-provider elsewhere" in said, said
    assert "Traceback" not in said
    assert not (study / "artifacts").exists()
