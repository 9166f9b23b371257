"""Training steps on a token file, the same for every peer, measured like `mola finetune --json`.

Each line of the file is {"input_ids": [...], "labels": [...]}; labels are -100 where nothing is to be
learnt. Speed is real tokens (no padding) of all steps but the first over their time, memory the
largest resident set of the process.
"""
import argparse
import json
import os
import resource
import sys
import time

import torch

IGNORED = -100
PAD_MULTIPLE = 8
DROPOUT = 0.05
LEARNING_RATE = 3e-4


def parser(description):
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--tokens", required=True, help="JSONL of input_ids and labels")
    arguments.add_argument("--steps", type=int, default=8)
    arguments.add_argument("--batch-size", type=int, default=8)
    arguments.add_argument("--rank", type=int, default=8)
    arguments.add_argument("--dropout", type=float, default=DROPOUT)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    return arguments


def frozen_base(path, dtype):
    """The model of a GGUF file, its weights held as numbers of that type, none of them trained."""
    from transformers import AutoModelForCausalLM  # the authors' code needs a version without GGUF

    folder, file = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=getattr(torch, dtype))
    return model.requires_grad_(False)


def padded(rows, key, filler, side):
    longest = max(len(row["input_ids"]) for row in rows)
    width = -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE
    fill = [[filler] * (width - len(row[key])) for row in rows]
    if side == "left":
        return torch.tensor([pad + row[key] for pad, row in zip(fill, rows)])
    return torch.tensor([row[key] + pad for pad, row in zip(fill, rows)])


def batches(path, size, side):
    """Without end, in the file's order: (tensors of one batch, its number of real tokens)."""
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
                "input_ids": padded(chosen, "input_ids", 0, side),
                "attention_mask": padded(chosen, "mask", 0, side),
                "labels": padded(chosen, "labels", IGNORED, side),
            },
            sum(len(row["input_ids"]) for row in chosen),
        )


def train(options, trained, losses_of, side="right", fused=True):
    """Trains the parameters and prints the answer as one line of JSON.

    losses_of(batch) gives (what is minimised, the cross-entropy in it).
    """
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0, fused=fused)
    losses, tokens, seconds = [], [], []
    source = batches(options.tokens, options.batch_size, side)
    for step in range(options.steps):
        batch, count = next(source)
        begin = time.perf_counter()
        total, cross_entropy = losses_of(batch)
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(cross_entropy.item())
        seconds.append(time.perf_counter() - begin)
        tokens.append(count)
        print(f"step {step + 1}: loss {losses[-1]:.4f}, {count / seconds[-1]:.1f} tokens/s", file=sys.stderr)
    answer = {
        "steps": options.steps,
        "train_losses": losses,
        "trainable_parameters": sum(p.numel() for p in trained),
        "tokens_per_second": sum(tokens[1:]) / sum(seconds[1:]) if options.steps > 1 else None,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(answer))
