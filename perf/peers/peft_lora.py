"""Trains a plain LoRA with PEFT on a token file and prints its speed and memory as one JSON object.

Measured like `mola finetune --json`: real tokens (no padding) of all steps but the first over their
time, and the largest resident set of the process. Each line of the token file is
{"input_ids": [...], "labels": [...]}; labels are -100 where nothing is to be learnt.
"""
import argparse
import json
import os
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
IGNORED = -100
PAD_MULTIPLE = 8


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="GGUF file; its weights are held as floats")
    parser.add_argument("--tokens", required=True, help="JSONL of input_ids and labels")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--checkpointing", action="store_true", help="recompute activations")
    return parser.parse_args()


def adapted_model(options):
    folder, file = os.path.split(os.path.abspath(options.model))
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=getattr(torch, options.dtype)
    )
    if options.checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    lora = LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank,
        lora_dropout=0.05,
        target_modules=PROJECTIONS,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora).train()


def padded(rows, key, filler):
    longest = max(len(row["input_ids"]) for row in rows)
    width = -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE
    return torch.tensor([row[key] + [filler] * (width - len(row[key])) for row in rows])


def batches(path, size):
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        row["mask"] = [1] * len(row["input_ids"])
    start = 0
    while True:
        chosen = [rows[(start + i) % len(rows)] for i in range(size)]
        start += size
        yield (
            {
                "input_ids": padded(chosen, "input_ids", 0),
                "attention_mask": padded(chosen, "mask", 0),
                "labels": padded(chosen, "labels", IGNORED),
            },
            sum(len(row["input_ids"]) for row in chosen),
        )


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = adapted_model(options)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, weight_decay=0.0)
    losses, tokens, seconds = [], [], []
    source = batches(options.tokens, options.batch_size)
    for step in range(options.steps):
        batch, count = next(source)
        begin = time.perf_counter()
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - begin)
        tokens.append(count)
        print(f"step {step + 1}: loss {losses[-1]:.4f}, {count / seconds[-1]:.1f} tokens/s", file=sys.stderr)
    answer = {
        "steps": options.steps,
        "train_losses": losses,
        "trainable_parameters": sum(p.numel() for p in trained),
        "tokens_per_second": sum(tokens[1:]) / sum(seconds[1:]),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
