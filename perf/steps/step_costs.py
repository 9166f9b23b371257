"""What a training step costs as its size, its experts and its threads change.

    step_costs.py MODEL.gguf [--rounds N]

Random tokens in examples of 64, all labelled, so that attention's share stays what it is. A step's time,
optimiser included, is the median time between the progress lines of the second half of a run of `mola
finetune`: before that, code is still being compiled. Cases follow each other in turn, the table has
medians over rounds.
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

MOLA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "mola")
LENGTH = 64
STEPS_OF_ONE_EXAMPLE = 100
FEWEST_STEPS = 8
EXAMPLES = [1, 2, 4, 8, 16, 32]
PROCESSORS = len(os.sched_getaffinity(0))


def write_tokens(path, count):
    draw = random.Random(1)
    with open(path, "w") as file:
        for _ in range(count):
            tokens = [draw.randrange(10, 30_000) for _ in range(LENGTH)]
            file.write(json.dumps({"input_ids": tokens, "labels": tokens}) + "\n")


def run(model, tokens, folder, examples, experts="2468", threads=PROCESSORS):
    """Seconds and GFLOP of a step."""
    steps = steps_of(examples)
    command = [
        MOLA, "finetune", "--json", "--profile", "--backend", "simd", "--base-model", model,
        "--data-path", tokens, "--output-dir", os.path.join(folder, "out"), "--overwrite",
        "--batch-size", str(examples), "--micro-batch-size", str(examples), "--num-experts", experts,
        "--lora-r", "8", "--lora-alpha", "16", "--top-k", "2", "--lora-dropout", "0.05", "--learning-rate", "3e-4",
        "--max-steps", str(steps), "--threads", str(threads), "--no-share-prefix",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends, text = [], []
    for line in process.stderr:
        text.append(line)
        progress = re.match(r"step (\d+)/", line)
        if progress:
            ends.append((int(progress[1]), time.monotonic()))
    answer = process.stdout.read()
    if process.wait() != 0 or not ends or ends[-1][0] != steps:
        sys.exit(f"{' '.join(command)}\n{''.join(text)}")
    profile = json.loads(answer.splitlines()[-1])["profile"]
    gflop = sum(operation["gflop_per_step"] for operation in profile["operations"])
    late = [end for end in ends if end[0] >= steps // 2]
    durations = [(t1 - t0) / (s1 - s0) for (s0, t0), (s1, t1) in zip(late, late[1:])]
    return statistics.median(durations), gflop


def steps_of(examples):
    return max(FEWEST_STEPS, STEPS_OF_ONE_EXAMPLE // examples)


def medians(runs):
    return [statistics.median(column) for column in zip(*runs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    cases = {("tokens", n): dict(examples=n) for n in EXAMPLES}
    cases |= {("experts", e): dict(examples=8, experts=e) for e in ("1", "2468", "8888")}
    cases |= {("threads", t): dict(examples=8, threads=t) for t in sorted({1, PROCESSORS})}
    results = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        tokens = os.path.join(folder, "tokens.jsonl")
        write_tokens(tokens, max(steps_of(n) * n for n in EXAMPLES))
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}, load {os.getloadavg()[0]:.2f}", file=sys.stderr)
            for case, options in cases.items():
                results[case].append(run(arguments.model, tokens, folder, **options))

    print(f"{'':<24}{'s/step':>8}{'ms/token':>10}{'GFLOP':>8}{'GFLOP/s':>9}{'ratio':>7}")
    references = {"tokens": ("tokens", 8), "experts": ("experts", "2468"), "threads": ("threads", 1)}
    for (kind, value), runs in results.items():
        seconds, gflop = medians(runs)
        count = LENGTH * cases[kind, value]["examples"]
        reference = medians(results[references[kind]])
        of = LENGTH * cases[references[kind]]["examples"]
        ratio = reference[0] / seconds if kind == "threads" else (seconds / count) / (reference[0] / of)
        name = f"{count} tokens a step" if kind == "tokens" else f"{kind} {value}"
        print(f"{name:<24}{seconds:>8.3f}{1e3 * seconds / count:>10.3f}{gflop:>8.1f}{gflop / seconds:>9.1f}{ratio:>7.2f}")
    print("ratio: time per token beside 512 tokens, beside experts 2468; speed beside one thread")


if __name__ == "__main__":
    main()
