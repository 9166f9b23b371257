#!/bin/sh
# Makes the archive and runs it, at small sizes, as a machine with a GPU and without Java would: on
# CUDA libraries that compute on the CPU, with nothing but /usr/bin on the path (and, if PYTHON names a
# folder with a python3 that has PyTorch, that). The build's MeasureProcessTest does the same and more.
#
#   perf/gpu/try_bundle.sh [--built]     as make_bundle.sh
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/make_bundle.sh" "$@" "$work/mola-gpu.tar.xz"
tar -C "$work" -xJf "$work/mola-gpu.tar.xz"
env -i PATH="${PYTHON:+$PYTHON:}/usr/bin:/bin" HOME="$work" \
  "$here/with-emulation.sh" "$work/mola-gpu/measure.sh" --tiny "$work/measured"
echo "try_bundle.sh: the archive measures"
