#!/bin/sh
# install.sh BIN SET: a pinned set and this package into the environment whose bin/ is BIN; what the installers say goes to
# install.log beside it.
#
# torch comes by pip, which finds CPU builds that uv does not; the rest by uv, which takes a fifth of pip's time for the same
# versions; all of it by pip where uv cannot be had. Of 250 MB of sources a study imports a tenth: what it imports is compiled to
# bytecode here, once and in every environment (PYTHONDONTWRITEBYTECODE, which containers often set, would have each of a study's
# processes compile torch and transformers anew, 10 s each); the runtimes whole: their first import is part of a measurement.
set -eu
bin=$1 set=$2
log=$(dirname "$bin")/install.log
pip="$bin/pip --disable-pip-version-check --quiet"

refuse() {
    tail -n 20 "$log" >&2
    printf '\n  asked:    install %s\n  happened: the last lines above, of %s\n  spoiled:  the environment is not whole\n  fix:      %s\n' \
        "$set" "$log" "see whether the package index can be reached, then run the same command again: it goes on from there" >&2
    exit 1
}

by_uv() {
    uv=$(dirname "$bin")/uv/bin/uv
    [ -x "$uv" ] || $pip install --target "$(dirname "$bin")/uv" uv==0.13.9 || return 1
    index=${PIP_INDEX_URL:-$("$bin/pip" config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    "$uv" pip install --quiet --python "$bin/python" --requirements "$set" || return 1
    [ "${set##*/}" = test.txt ] || "$uv" pip install --quiet --python "$bin/python" --no-deps --editable .
}

by_pip() {
    $pip install --no-compile -r "$set" || return 1
    [ "${set##*/}" = test.txt ] || $pip install --no-deps --editable .
}

torch=$(grep '^torch==' "$set" || true)
packages=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
[ -z "$torch" ] || $pip install --no-compile -c requirements/constraints.txt "$torch" >> "$log" 2>&1 || refuse
by_uv >> "$log" 2>&1 || by_pip >> "$log" 2>&1 || refuse
[ "${set##*/}" != test.txt ] || exit 0
unset PYTHONDONTWRITEBYTECODE
compiled() { "$bin/python" requirements/import_once.py "$@" >> "$log" 2>&1 || true; }
compiled torch transformers transformers.models.distilbert.modeling_distilbert &
compiled snakemake.cli pandas scipy.stats onnx onnxruntime.quantization openvino nncf datasets dvc.cli dvc.commands.repro
for runtime in onnxruntime openvino tensorrt_rtx; do
    [ ! -d "$packages/$runtime" ] || "$bin/python" -m compileall -q "$packages/$runtime" >> "$log" 2>&1 || true
done
"$bin/python" -m compileall -q src/temper >> "$log" 2>&1 || true
wait
