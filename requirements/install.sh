#!/bin/sh
# install.sh BIN SET: a pinned set and this package into the environment whose bin/ is BIN; what the installers say goes to
# install.log beside it.
#
# Every file that is installed has a SHA-256 in requirements/locked/ (lock.sh writes it) and is refused with another one; but for
# torch of the CPU set, whose build is the index's choice: pip brings it, for it finds CPU builds that uv does not. The rest comes by
# uv, which takes a fifth of pip's time for the same versions; all of it by pip where uv cannot be had. What is built here (this
# package, and the one that has no wheel) is built by the setuptools of the lock. Of 250 MB of sources a study imports a tenth: what
# it imports is compiled to bytecode here, once and in every environment (PYTHONDONTWRITEBYTECODE, which containers often set, would
# have each of a study's processes compile torch and transformers anew, 10 s each); the runtimes whole: their first import is part
# of a measurement.
set -eu
bin=$1 set=$2
log=$(dirname "$bin")/install.log
pip="$bin/pip --disable-pip-version-check --quiet"
name=$(basename "$set" .txt)
locked=requirements/locked
files="--requirement $locked/$name.txt"
[ "$name" = test ] || files="--requirement $locked/common.txt $files"
checked="--no-deps --require-hashes"

refuse() {
    tail -n 20 "$log" >&2
    printf '\n  asked:    install %s\n  happened: the last lines above, of %s\n  affected: the environment is not whole\n  fix:      %s\n' \
        "$set" "$log" "see whether the package index can be reached, then run the same command again: it goes on from there" >&2
    exit 1
}

by_uv() {
    uv=$(dirname "$bin")/uv/bin/uv
    [ -x "$uv" ] || $pip install --target "$(dirname "$bin")/uv" $checked --requirement $locked/uv.txt || return 1
    index=${PIP_INDEX_URL:-$("$bin/pip" config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    uv="$uv pip install --quiet --python $bin/python --no-build-isolation"
    $uv $checked --requirement $locked/build.txt || return 1
    $uv $checked $files || return 1
    [ "$name" = test ] || $uv --no-deps --editable .
}

by_pip() {
    by="$pip install --no-compile --no-build-isolation"
    $by $checked --requirement $locked/build.txt || return 1
    $by $checked $files || return 1
    [ "$name" = test ] || $by --no-deps --editable .
}

torch=$(grep '^torch==' "$set" || true)
[ -z "$torch" ] || ! grep -q '^torch==' "$locked/$name.txt" || torch=
packages=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
[ -z "$torch" ] || $pip install --no-compile --no-deps "$torch" >> "$log" 2>&1 || refuse
by_uv >> "$log" 2>&1 || by_pip >> "$log" 2>&1 || refuse
[ "$name" != test ] || exit 0
unset PYTHONDONTWRITEBYTECODE
compiled() { "$bin/python" requirements/import_once.py "$@" >> "$log" 2>&1 || true; }
compiled torch transformers transformers.models.distilbert.modeling_distilbert &
compiled snakemake.cli pandas scipy.stats onnx onnxruntime.quantization openvino nncf datasets dvc.cli dvc.commands.repro
for runtime in onnxruntime openvino tensorrt_rtx; do
    [ ! -d "$packages/$runtime" ] || "$bin/python" -m compileall -q "$packages/$runtime" >> "$log" 2>&1 || true
done
"$bin/python" -m compileall -q src/temper >> "$log" 2>&1 || true
wait
