#!/bin/sh
# Measures mola's CUDA backend on this machine, from the folder that make_bundle.sh packs:
#
#   ./measure.sh [--tiny] [FOLDER]      default FOLDER ./measured
#
# One call, under 8 minutes: which libraries load, rates of products and operations, training speed
# and memory on bases of 1 and 7 billion parameters, the contract of backends on the device,
# recorded cases, and PyTorch beside it where it can be imported. Writes mola-gpu.json, torch.json
# and table.txt. --tiny scales all sizes down, to try the script itself.
set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
scale=full
limit=330
torch_limit=100
if [ "${1:-}" = --tiny ]; then
  scale=tiny
  limit=150
  torch_limit=60
  shift
fi
folder=${1:-measured}
mkdir -p "$folder" && folder=$(CDPATH='' cd "$folder" && pwd -P) || exit 2
table=$folder/table.txt
: >"$table"

# pip keeps the libraries of CUDA 13 in nvidia/cu13/lib; the driver's own are on the loader's path
wheels=$(python3 - 2>/dev/null <<'PYTHON'
import glob, os
try:
    import nvidia
    print(":".join(sorted({os.path.dirname(p) for base in nvidia.__path__ for p in glob.glob(base + "/*/lib/lib*.so*")})))
except ImportError:
    pass
PYTHON
)
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${wheels:+$wheels:}/usr/local/cuda/lib64"
export MOLA_CUDA_CACHE="${MOLA_CUDA_CACHE:-$folder/kernels}"
linkpath=$(printf '%s' "$LD_LIBRARY_PATH" | tr ':' '\n' | while read -r each; do
  [ -e "$each/libcublas.so.13" ] && printf '%s' "$each" && break
done)

say() { printf '%s\n' "$*" | tee -a "$table"; }

mola_java() {
  "$here/rt/bin/java" --add-modules jdk.incubator.vector,io.mola.cli,org.bytedeco.cuda.linux.x86_64,org.bytedeco.javacpp.linux.x86_64 \
    --enable-native-access io.mola.cli,io.mola.cuda,org.bytedeco.cuda,org.bytedeco.javacpp \
    -Xmx16g -XX:+UseSerialGC -Dorg.bytedeco.javacpp.cachedir="$folder/javacpp" \
    ${linkpath:+-Dorg.bytedeco.javacpp.platform.linkpath="$linkpath"} -p "$here/lib" "$@"
}

say "mola on $(uname -srm), $(date -u '+%Y-%m-%d %H:%M UTC')"
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit \
  --format=csv 2>&1 | tee -a "$table"
say "libraries: ${LD_LIBRARY_PATH}"
mola_java -m io.mola.cli/io.mola.cli.Mola backends 2>&1 | tee -a "$table"

failed=0
{ mola_java -m io.mola.perf/io.mola.perf.gpu.Measure "$folder" "$scale" "$limit" 2>&1 || echo "measurement ended with $?"; } |
  tee -a "$table"
grep -q '^measurement ended with' "$table" && failed=1

if [ -d "$here/golden/mola-step" ]; then
  say ""
  say "recorded cases, inner precision float32"
  MOLA_CUDA_PRECISION=f32 mola_java -m io.mola.cli/io.mola.cli.Mola verify \
    --golden "$here/golden/mola-step" --backend cuda >"$folder/verify.txt" 2>&1 || failed=1
  cut -c 1-160 "$folder/verify.txt" | tee -a "$table"
fi

if python3 -c 'import torch, transformers, peft' 2>/dev/null; then
  say ""
  say "PyTorch beside it"
  timeout "$torch_limit" python3 "$here/torch_rates.py" "$scale" "$folder/torch.json" 2>"$folder/torch.log" |
    tee -a "$table"
else
  say "PyTorch with transformers and peft cannot be imported: left out"
fi
say ""
say "results in $folder"
exit $failed
