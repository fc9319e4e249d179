#!/bin/sh
# Runs on the machine with the GPU, in the folder that scripts/gpu-check packed:
#   ./run [FOLDER]     results go there, by default to ./results
# Needs a shell, tar, the NVIDIA driver and cuBLAS. Exit codes: 0 all passed, 1 something failed,
# 3 no usable GPU, 124 out of time.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
results=${1:-$here/results}
mkdir -p "$results"
results=$(cd "$results" && pwd -P)

# Under five minutes, the two runs under compute-sanitizer included.
SECONDS_AT_MOST=290

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tar -xzf "$here/runtime.tar.gz" -C "$work"

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
    -cp "$here/lib/*" io.cusco.llama.cuda.gpucheck.GpuCheck "$results" || code=$?
  echo "$code" >"$work/code"
} 2>&1 | tee "$log"

code=$(cat "$work/code")
[ "$code" -eq 3 ] && exit 3
# The log is named like the JSON file that it tells of.
json=$(sed -n 's/^wrote \(.*\)\.json$/\1/p' "$log")
cp "$log" "${json:-$results/failed-$(date -u +%Y-%m-%d-%H%M)}.log"
exit "$code"
