#!/usr/bin/env bash
# Run the tests of what is compiled under the address and undefined-behaviour sanitizers:
#   tests/native/sanitize.sh [pytest's arguments]        PYTHON names the interpreter that has the packages
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
python="$(command -v "${PYTHON:-python3}")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# the package beside its sanitized module
cp -r "$root/ridecodec" "$work/ridecodec"
rm -f "$work"/ridecodec/*/native/_*.so
cmake -S "$root" -B "$work/build" -DPython_EXECUTABLE="$python" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DRIDE_SANITIZE=ON \
  -DRIDE_OUTPUT="$work/ridecodec" >"$work/log"
cmake --build "$work/build" -j 2 >>"$work/log" || { cat "$work/log"; exit 1; }

# the interpreter's own memory is not what is looked at
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
compiler="${CXX:-c++}"
export LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libstdc++.so)"
cd "$root"
[ $# -gt 0 ] || set -- tests/test_native.py tests/test_compiled_histories.py
PYTHONPATH="$work" PYTHONMALLOC=malloc "$python" -m pytest -n 0 -p no:cacheprovider "$@"
