#!/usr/bin/env bash
# Makes the embedded model and task again: grow.sh FOLDER
# A random base is grown by mola itself: fine-tuned on five letter tasks with a plain LoRA, then merged.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$1
mkdir -p "$out"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
"$java" -cp "$root/testdata/target/classes" io.mola.testdata.embedded.RandomBase "$out/base.gguf" 1 128 320 4 4 0.05 0.1
"$java" -cp "$root/testdata/target/classes" io.mola.testdata.embedded.LetterTasks "$out" 1 40000 2000 200
"$root/mola" finetune --base-model "$out/base.gguf" --data-path "$out/grow.jsonl" --num-experts 1 --top-k 1 \
  --lora-r 32 --lora-alpha 64 --lora-dropout 0 --batch-size 64 --micro-batch-size 64 --max-steps 300 \
  --learning-rate 5e-3 --output-dir "$out/grown" --overwrite
"$root/mola" merge --base-model "$out/base.gguf" --adapter "$out/grown" --output-dir "$out/letters.gguf" --merged-type f16
