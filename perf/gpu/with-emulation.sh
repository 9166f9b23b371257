#!/bin/sh
# Runs a command with CUDA libraries that compute on the CPU, for machines without a GPU:
#
#   perf/gpu/with-emulation.sh ./mola backends
#
# The libraries are built by g++ at the first use, into backend-cuda/target/emulation. What they
# obey (order of threads, guard pages, faults on demand) is in backend-cuda/src/test/native/README.md.
set -eu
root=$(CDPATH='' cd "$(dirname "$0")/../.." && pwd -P)
[ $# -gt 0 ] || {
  echo "usage: perf/gpu/with-emulation.sh COMMAND..." >&2
  exit 2
}
libraries=$("$root/backend-cuda/src/test/native/build.sh" "$root/backend-cuda/target/emulation")
[ -n "$libraries" ] || exit 2 # it has said why

# PyTorch beside it must not load these, which lack most of CUDA
export TORCH_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# compiled kernels go with the libraries, not into the user's cache
export MOLA_CUDA_CACHE="${MOLA_CUDA_CACHE:-$libraries/kernels}"
# no speed to gain from bfloat16 here, and recorded numbers are float32
export MOLA_CUDA_PRECISION="${MOLA_CUDA_PRECISION:-f32}"
# JavaCPP prefers an installed CUDA to the library path, but not to this property.
if ls /usr/local/cuda*/lib64/libcublas.so.13 /usr/lib64/libcublas.so.13 >/dev/null 2>&1; then
  export JDK_JAVA_OPTIONS="${JDK_JAVA_OPTIONS:-} -Dorg.bytedeco.javacpp.platform.linkpath=$libraries \
    -Dorg.bytedeco.javacpp.cachedir=$libraries/javacpp"
fi
exec "$@"
