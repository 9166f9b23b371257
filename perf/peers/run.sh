#!/bin/sh
# Times peers and mola in turn on one token file and prints one table: PEFT LoRA, a plain PyTorch
# MoLA, the MoLA authors' own code if it is there, and mola; then with labels on all tokens.
#
#   run.sh MODEL.gguf TOKENS.jsonl [ROUNDS [STEPS]]
#
#   PYTHON            a Python with torch, transformers, peft, gguf, accelerate (default: python3)
#   MOLA_AUTHORS_SRC  the authors' repository, unpacked (default: they do not take part)
#   AUTHORS_PYTHON    a Python with the versions that it needs, see README.md
#   AUTHORS_STEPS     their steps a run (default: 3; they are slow)
#   ONLY              names of the programs that run, in one word with spaces (default: all)
#   THREADS           threads of each program (default: all processors)
#   BATCH             examples per step (default: 8)
#   RESULTS           folder for the answers of every run (default: a new temporary one); what it
#                     holds already counts too, so that rounds may be run one by one
#
# In turn, so that a change of the machine's clock or load meets all of them; look at the load that
# each round prints before you believe the table.
set -eu

[ $# -ge 2 ] || {
  sed -n '2,20s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
mola=$here/../../mola
model=$1
given=$2
rounds=${3:-3}
steps=${4:-8}
python=${PYTHON:-python3}
threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
batch=${BATCH:-8}
results=${RESULTS:-$(mktemp -d)}
mkdir -p "$results"

# One run: the program's messages go to a log, its last line of output is the answer.
record() {
  name=$1
  shift
  if ! "$@" >"$results/$name.out" 2>"$results/$name.log"; then
    printf 'run.sh: %s failed, see %s\n' "$name" "$results/$name.log" >&2
    tail -n 3 "$results/$name.log" >&2
    exit 1
  fi
  printf '%s\t%s\t%s\n' "$title" "$name" "$(tail -n 1 "$results/$name.out")" >>"$results/runs.tsv"
}

asked() {
  [ -z "${ONLY:-}" ] && return
  case " $ONLY " in
    *" $1 "*) ;;
    *) return 1 ;;
  esac
}

peer() {
  asked "$1" || return 0
  record "$1" "$python" "$here/$2" --model "$model" --tokens "$tokens" \
    --steps "$steps" --batch-size "$batch" --threads "$threads"
}

authors() {
  [ -n "${MOLA_AUTHORS_SRC:-}" ] && asked authors-mola || return 0
  record authors-mola "${AUTHORS_PYTHON:?names no Python for MOLA_AUTHORS_SRC}" "$here/authors_mola.py" \
    --tokens "$tokens" --steps "${AUTHORS_STEPS:-3}" --batch-size "$batch" --threads "$threads"
}

finetune() {
  name=$1
  shift
  asked "$name" || return 0
  record "$name" "$mola" finetune --json --backend simd --base-model "$model" \
    --data-path "$tokens" --output-dir "$results/$name" --overwrite \
    --max-steps "$steps" --batch-size "$batch" --micro-batch-size "$batch" \
    --threads "$threads" --lora-r 8 --lora-alpha 16 --lora-dropout 0.05 \
    --learning-rate 3e-4 --lr-scheduler-type constant --weight-decay 0 "$@"
}

everyone() {
  title=$1
  tokens=$2
  peer peft-lora peft_lora.py
  peer torch-mola torch_mola.py
  authors
  finetune mola-lora --num-experts 1 --top-k 1
  finetune mola-2468 --num-experts 2468 --top-k 2
  finetune mola-2468-apart --num-experts 2468 --top-k 2 --no-share-prefix
}

"$mola" --version >&2
"$python" "$here/label_all.py" "$given" >"$results/all.jsonl"
round=1
while [ "$round" -le "$rounds" ]; do
  printf 'round %s of %s, load %s\n' "$round" "$rounds" "$(uptime | sed 's/.*load average[s]*: //')" >&2
  everyone 'labels as in the file' "$given"
  everyone 'labels on all tokens' "$results/all.jsonl"
  round=$((round + 1))
done
"$python" "$here/table.py" "$results/runs.tsv"
printf 'answers: %s\n' "$results" >&2
