"""A Dockerfile and a compose file around the package. Written here, not built: that takes a container engine."""

from pathlib import Path
from typing import Any

import yaml

from temper.package.contents import Source
from temper.package.runtime.options import KEY

WRITTEN_FOR = "a container: `docker compose up --build` (the image was not built where this was written)"

PYTHON = "3.12"  # of the image; any from 3.11 on runs the package
PORT = 8080
_DOCKERFILE = """\
# Written by `temper package --for docker`; it was not built there. Build it where a container engine is:
#   docker compose up --build
FROM python:{python}-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /package
# the libraries first: another model does not install them anew
COPY requirements.txt requirements-serve.txt ./
RUN pip install --no-cache-dir --no-deps --requirement requirements-serve.txt
COPY . .
RUN useradd --system --no-create-home package
USER package
EXPOSE {port}
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", \
"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/v2/health/ready', timeout=2)"]
STOPSIGNAL SIGTERM
# every address of the container; which of the host's it is reached by, compose.yaml says
ENTRYPOINT ["python", "-m", "package_runtime", "serve", "--host", "0.0.0.0", "--port", "{port}"]
"""


def _compose(facts: dict[str, Any]) -> str:
    options = facts["runner"]["options"]
    threads = options.get("threads") or options.get("intra_op_threads")
    service = {
        "build": ".",
        "ports": [f"127.0.0.1:{PORT}:{PORT}"],  # this machine alone; TLS and other machines are a proxy's
        "environment": {KEY: f"${{{KEY}:-}}"},
        "read_only": True,
        "restart": "unless-stopped",
        "stop_grace_period": "35s",
        "deploy": {"resources": {"limits": {"cpus": f"{threads}"}}},
    }
    return yaml.safe_dump({"services": {"model": service}}, sort_keys=False)


def lay_out(source: Source, facts: dict[str, Any], base: Path, target: Path) -> list[str]:
    """Put both files beside the package."""
    (base / "Dockerfile").write_text(_DOCKERFILE.format(python=PYTHON, port=PORT), "utf-8")
    (base / "compose.yaml").write_text(_compose(facts), "utf-8")
    (base / ".dockerignore").write_text("Dockerfile\ncompose.yaml\n.dockerignore\n", "utf-8")
    base.rename(target)
    return ["next:      docker compose up --build, in that folder; the image was not built here"]
