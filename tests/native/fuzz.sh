#!/usr/bin/env bash
# Fuzz the compiled engine with clang's libFuzzer, under the address and undefined-behaviour sanitizers:
#   tests/native/fuzz.sh [RUNS]        a million by default; PYTHON names the interpreter that has numpy
set -euo pipefail
shopt -s extglob

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
runs="${1:-1000000}"
work="${FUZZ_WORK:-$(mktemp -d)}"
sources="$root/ridecodec/engines/native/src"
flags=(-std=c++17 -O2 -g -fno-omit-frame-pointer -ffp-contract=off -fsanitize=address,undefined -fno-sanitize-recover=all)

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
"${PYTHON:-python3}" "$root/tests/native/specs.py" "$work/programs" 40

compile() { clang++ "${flags[@]}" -I "$sources" -c "$@"; }
kernels=(-DRIDE_BASELINE)
compile -DRIDE_SET=baseline '-DRIDE_NAME="baseline"' "$sources/kernels.cpp" -o "$work/baseline.o"
if [ "$(uname -m)" = x86_64 ]; then
  wide=(-mavx2 -mfma -mbmi -mbmi2 -mpopcnt)
  compile -DRIDE_SET=avx2 '-DRIDE_NAME="avx2"' "${wide[@]}" "$sources/kernels.cpp" -o "$work/avx2.o"
  wide+=(-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
  compile -DRIDE_SET=avx512 '-DRIDE_NAME="avx512"' "${wide[@]}" "$sources/kernels.cpp" -o "$work/avx512.o"
  kernels+=(-DRIDE_AVX2 -DRIDE_AVX512)
fi
clang++ "${flags[@]}" -fsanitize=fuzzer "${kernels[@]}" -I "$sources" "$root/tests/native/fuzz.cpp" \
  "$sources"/!(kernels|module|solve).cpp "$work"/*.o -pthread -o "$work/fuzz"

mkdir -p "$work/corpus"
RIDE_PROGRAMS="$work/programs" UBSAN_OPTIONS=print_stacktrace=1 \
  "$work/fuzz" "$work/corpus" -runs="$runs" -max_len=1500 -len_control=0 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
  -artifact_prefix="$work/"
