#!/usr/bin/env bash
# Compare codes of this processor with those of another, an emulated one (Debian: g++-aarch64-linux-gnu, qemu-user):
#   tests/native/elsewhere.sh          PYTHON names the interpreter that has numpy
set -euo pipefail
shopt -s extglob

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
sources="$root/ridecodec/engines/native/src"

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
"${PYTHON:-python3}" "$root/tests/native/specs.py" "$work/programs" 60

build() {  # NAME COMPILER INSTRUCTION_SET
  "$2" -std=c++17 -O2 -ffp-contract=off -static -DRIDE_BASELINE -DRIDE_SET=baseline "-DRIDE_NAME=\"$3\"" -I "$sources" \
    "$root/tests/native/digest.cpp" "$sources"/!(module|solve).cpp -pthread -o "$work/$1"
}
build here "${CXX:-c++}" baseline
build there "${OTHER_CXX:-aarch64-linux-gnu-g++}" neon
here="$("$work/here" "$work/programs")"
there="$("${EMULATOR:-qemu-aarch64}" "$work/there" "$work/programs")"
printf '%s\n%s\n' "$here" "$there"
[ "${here#* }" = "${there#* }" ]
