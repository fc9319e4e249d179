#!/bin/sh
# Runs on the machine with the GPU, in the folder that scripts/gpu-check packed:
#   ./run [FOLDER]               results go there, by default to ./results
#   ./run --stand-in [FOLDER]    a rehearsal without a GPU
# Needs a shell, tar, the NVIDIA driver and cuBLAS. Exit codes: 0 all passed, 1 something failed,
# 3 no usable GPU, 124 out of time.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
stand_in=
if [ "${1:-}" = --stand-in ]; then
  stand_in=--stand-in
  shift
fi
results=${1:-$here/results}
mkdir -p "$results"
results=$(cd "$results" && pwd -P)

# The parts end by themselves before that (Part.java); this is for what hangs.
SECONDS_AT_MOST=475

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tar -xzf "$here/runtime.tar.gz" -C "$work"
mkdir "$work/testdata"
[ ! -f "$here/testdata.tar.gz" ] || tar -xzf "$here/testdata.tar.gz" -C "$work/testdata"

# cuBLAS is often there only as a Python package.
if [ -z "${VIRTUAL_ENV:-}" ] && command -v python3 >/dev/null 2>&1; then
  VIRTUAL_ENV=$(python3 -c 'import sys; print(sys.prefix)' 2>/dev/null) && export VIRTUAL_ENV
fi

commit=$(cat "$here/commit")
log=$work/log
{
  echo "commit $commit"
  nvidia-smi 2>/dev/null || true
  code=0
  timeout "$SECONDS_AT_MOST" "$work/runtime/bin/java" -Xmx4g --add-modules jdk.incubator.vector \
    --enable-native-access=ALL-UNNAMED --illegal-native-access=deny \
    -Dllama.commit="$commit" -Dllama.calibration.record="$results" \
    -Dllama.testdata="$work/testdata" \
    -cp "$here/lib/*" io.cusco.llama.cuda.gpucheck.GpuCheck $stand_in "$results" || code=$?
  echo "$code" >"$work/code"
} 2>&1 | tee "$log"

code=$(cat "$work/code")
[ "$code" -eq 3 ] && exit 3
# The log is named like the JSON file that it tells of.
json=$(sed -n 's/^writing \(.*\)\.json$/\1/p' "$log")
cp "$log" "${json:-$results/failed-$(date -u +%Y-%m-%d-%H%M)}.log"
exit "$code"
