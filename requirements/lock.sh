#!/bin/sh
# lock.sh BIN: writes requirements/locked/ anew: every package of every set, and what it needs, with the SHA-256 of its files.
# After an edit of a set or of constraints.txt (make lock); no person writes there. Needs the package index.
#
# torch of the CPU set is left out: which build it is (2.13.0, 2.13.0+cpu) is the index's choice, and each index has other files.
set -eu
bin=$1
uv=$(dirname "$bin")/uv/bin/uv
cd "$(dirname "$0")"
mkdir -p locked
locked() {
    name=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" --output-file "locked/$name.txt" --constraints constraints.txt "$@"
}
grep -vE '^(torch==|-r )' cpu.txt > locked/cpu.in
grep -v '^-r ' gpu.txt > locked/gpu.in
locked common common.txt beside_torch.txt
locked cpu locked/cpu.in
locked gpu locked/gpu.in
locked test test.txt
locked build build.txt
locked uv uv.txt
rm locked/cpu.in locked/gpu.in
