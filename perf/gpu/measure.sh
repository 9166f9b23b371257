#!/bin/sh
# Measures mola's CUDA backend on this machine, from the folder that make_bundle.sh packs:
#
#   ./measure.sh [--tiny] [--only NAME,NAME] [FOLDER]     default FOLDER ./measured
#   ./measure.sh [--tiny] --limits      prints the sections and their time limits instead
#
#   --tiny        small sizes, to try the script itself
#   --only        these sections alone
#   MODEL, DATA   model and examples for the comparison with the CPU, by default mola's embedded ones
#   LIMIT         seconds for each section instead of its own limit
#   TORCH_LIBRARY_PATH    LD_LIBRARY_PATH for PyTorch, by default the same
#
# Each section is a process of its own with a time limit, so that one that fails, hangs or leaves the
# device unusable takes no other along. The limits, and two seconds each to be killed, add up to less
# than 8 minutes. Writes FOLDER/mola-gpu.json and, from it, FOLDER/table.txt; FOLDER/parts has what each
# section printed. Exit status 1 if a section failed.
set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
scale=full
only=
only_limits=
while :; do
  case ${1:-} in
    --tiny) scale=tiny ;;
    --only) only=${2:-} && shift ;;
    --limits) only_limits=yes ;;
    -*) echo "usage: measure.sh [--tiny] [--only NAME,NAME] [--limits] [FOLDER]" >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done

if [ -z "$only_limits" ]; then
  folder=${1:-measured}
  mkdir -p "$folder/parts" && folder=$(CDPATH='' cd "$folder" && pwd -P) || exit 2
  parts=$folder/parts
  rm -f "$parts"/*.out "$parts"/*.log "$folder/mola-gpu.json" "$folder/table.txt"
  : >"$parts/sections.tsv"
  export MOLA_CUDA_CACHE="${MOLA_CUDA_CACHE:-$folder/kernels}" MOLA_JAVA_CACHE="$folder/javacpp"
fi

# Runs a command as a section, or names it: section NAME SECONDS TINY_SECONDS COMMAND...
section() {
  name=$1
  limit=$2
  [ $scale = full ] || limit=$3
  limit=${LIMIT:-$limit}
  shift 3
  case ,${only:-$name}, in
    *,$name,*) ;;
    *) return ;;
  esac
  if [ -n "$only_limits" ]; then
    printf '%s\t%s\n' "$name" "$limit"
    return
  fi
  printf '%-34s ' "$name"
  start=$(date +%s)
  timeout -k 2 "$limit" "$@" >"$parts/$name.out" 2>"$parts/$name.log" </dev/null
  ended $?
}

ended() { # exit status of the section
  seconds=$(($(date +%s) - start))
  printf '%s\t%s\t%s\t%s\n' "$name" "$1" "$seconds" "$limit" >>"$parts/sections.tsv"
  case $1 in
    0) echo "ok, $seconds s" ;;
    77) echo "left out" ;;
    124) echo "TIMED OUT after $limit s" ;;
    137) echo "KILLED after $seconds s of $limit" ;;
    *) echo "FAILED with $1, $seconds s" ;;
  esac
}

leave_out() { # NAME SECONDS TINY_SECONDS REASON
  reason=$4
  section "$1" "$2" "$3" sh -c 'echo "$1" >&2; exit 77' sh "$reason"
}

measure() { # NAME SECONDS TINY_SECONDS ARGUMENTS...
  name=$1 full=$2 tiny=$3
  shift 3
  section "$name" "$full" "$tiny" env MOLA_MAIN=io.mola.perf/io.mola.perf.gpu.Measure "$here/mola" "$scale" "$@"
}

measure probe 12 60 probe
for precision in f32 bf16; do
  measure contracts-$precision 40 300 contracts $precision
done
parity() { # PRECISION, judged by the tolerances of its rounding
  section parity-$1 14 120 env MOLA_CUDA_PRECISION=$1 "$here/mola" verify --backend cuda --against simd \
    --base-model "${MODEL:-$here/embedded/letters.gguf}" --data-path "${DATA:-$here/embedded/reverse-test.jsonl}" \
    --num-experts 2468 --lora-r 8 --batch-size 8 --micro-batch-size 8 --max-steps 3 --json
}
for precision in f32 bf16; do
  parity $precision
done
if [ -d "$here/golden/mola-step" ]; then
  section goldens-f32 14 120 env MOLA_CUDA_PRECISION=f32 "$here/mola" verify --golden "$here/golden/mola-step" --backend cuda --json
else
  leave_out goldens-f32 14 120 "the archive was made without recorded cases"
fi
measure limits 14 60 limits
measure operations 28 180 operations
measure training-7b-q4_k 26 120 training seven-billion Q4_K graph
measure training-7b-bf16 26 120 training seven-billion BF16 graph
measure training-7b-q8_0 26 120 training seven-billion Q8_0 graph
measure training-1b-q4_k 15 120 training one-billion Q4_K graph
measure training-1b-q8_0 15 120 training one-billion Q8_0 graph
measure training-1b-bf16-no-graph 15 120 training one-billion BF16 no-graph
measure training-1b-bf16 15 120 training one-billion BF16 graph
measure training-1b-bf16-lora 15 120 training one-billion BF16 graph lora
if command -v python3 >/dev/null; then
  section torch 56 120 env LD_LIBRARY_PATH="${TORCH_LIBRARY_PATH-${LD_LIBRARY_PATH:-}}" \
    python3 "$here/torch_rates.py" --$scale
else
  leave_out torch 56 120 "there is no python3"
fi

# A few steps of training call nearly every kernel.
sanitizer=$(PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer)
for tool in memcheck racecheck; do
  if [ -n "$sanitizer" ]; then
    section $tool 20 120 env MOLA_UNDER="$sanitizer --tool $tool --error-exitcode 9" \
      MOLA_MAIN=io.mola.perf/io.mola.perf.gpu.Measure "$here/mola" tiny training tiny Q4_K graph
  else
    leave_out $tool 20 120 "compute-sanitizer was found neither on the PATH nor in /usr/local/cuda/bin"
  fi
done

[ -z "$only_limits" ] || exit 0
echo
MOLA_MAIN=io.mola.perf/io.mola.perf.gpu.Report timeout -k 2 10 "$here/mola" "$folder" "$scale" "$(uname -srm)"
