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

# The parts end by themselves before that (Part.java); this is for what hangs, and what does not even
# end then is killed.
SECONDS_AT_MOST=475
SECONDS_TO_END=5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tar -xzf "$here/runtime.tar.gz" -C "$work"
mkdir "$work/testdata"
[ ! -f "$here/testdata.tar.gz" ] || tar -xzf "$here/testdata.tar.gz" -C "$work/testdata"

# cuBLAS is often there only as a Python package. It may lie in any folder of packages that Python knows, Debian's
# dist-packages or a user's own: what is not in the environment's is found by its name, which is tried last.
if [ -z "${VIRTUAL_ENV:-}" ] && command -v python3 >/dev/null 2>&1; then
  VIRTUAL_ENV=$(timeout 20 python3 -c 'import sys; print(sys.prefix)' 2>/dev/null) && export VIRTUAL_ENV
fi
cublas_folders() {
  command -v python3 >/dev/null 2>&1 || return 0
  timeout 20 python3 -c '
import glob, os, site, sys
roots = list(sys.path) + site.getsitepackages() + [site.getusersitepackages()]
for folder in dict.fromkeys(os.path.join(r, "nvidia", f, "lib") for r in roots for f in ("cu13", "cublas")):
    if glob.glob(os.path.join(folder, "libcublasLt.so.*")):
        print(folder)
' 2>/dev/null || true
}
for folder in $(cublas_folders); do
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
  export LD_LIBRARY_PATH
done

# Every part is a process, and every test opens its context: only the first is to translate kernels.
export CUDA_CACHE_DISABLE=0
[ -n "${CUDA_CACHE_PATH:-}" ] || [ -w "${HOME:-}" ] || export CUDA_CACHE_PATH="$work/cache"

commit=$(cat "$here/commit")
# Among the results from the start, should all of this be ended from outside.
log=$results/unfinished.log
{
  echo "commit $commit"
  timeout 20 nvidia-smi 2>/dev/null || true
  code=0
  timeout -k "$SECONDS_TO_END" "$SECONDS_AT_MOST" "$work/runtime/bin/java" -Xmx4g --add-modules jdk.incubator.vector \
    --enable-native-access=ALL-UNNAMED --illegal-native-access=deny \
    -Dllama.commit="$commit" -Dllama.calibration.record="$results" \
    -Dllama.testdata="$work/testdata" \
    -cp "$here/lib/*" io.cusco.llama.cuda.gpucheck.GpuCheck $stand_in "$results" || code=$?
  echo "$code" >"$work/code"
} 2>&1 | tee "$log"

code=$(cat "$work/code" 2>/dev/null) || code=1
if [ "$code" -eq 3 ]; then
  rm "$log"
  exit 3
fi
# The log is named like the JSON file that it tells of.
json=$(sed -n 's/^writing \(.*\)\.json$/\1/p' "$log")
mv "$log" "${json:-$results/failed-$(date -u +%Y-%m-%d-%H%M)}.log"
exit "$code"
