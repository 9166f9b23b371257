#!/bin/sh
# Makes the archive and runs it, at small sizes, as a machine with a GPU and without Java would: on
# CUDA libraries that compute on the CPU, with nothing but /usr/bin on the path. About 3 minutes.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/make_bundle.sh" "$work/mola-gpu.tar.xz"
tar -C "$work" -xJf "$work/mola-gpu.tar.xz"
env -i PATH=/usr/bin:/bin HOME="$work" "$here/with-emulation.sh" "$work/mola-gpu/measure.sh" --tiny "$work/measured"
for part in '"cublas"' '"training"' '"operations"' '"contracts"'; do
  grep -q "$part" "$work/measured/mola-gpu.json" || {
    echo "try_bundle.sh: the report has no $part" >&2
    exit 1
  }
done
echo "try_bundle.sh: the archive measures"
