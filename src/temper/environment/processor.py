"""What this machine's processor can do."""

from pathlib import Path


def processor_features(facts: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instructions of this processor, in Linux's words ('avx512_bf16'); empty where the system does not say.

    Args:
        facts: Linux's file about its processors.
    """
    try:
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()
