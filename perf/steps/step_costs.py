"""What a training step costs as its size, its experts and its threads change.

    step_costs.py MODEL.gguf [--rounds N]

Random tokens in examples of 64, all labelled, so that attention's share stays what it is. A step's time
includes the optimiser. Code is compiled over many thousand tokens, so every case is two calls of
`mola finetune --profile`, one with twice as many steps, and their difference counts. Cases follow each
other in turn, the table has medians.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

MOLA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "mola")
LENGTH = 64
WARM_UP_EXAMPLES = 32
FEWEST_STEPS = 4
EXAMPLES = [1, 2, 4, 8, 16, 32]
PROCESSORS = len(os.sched_getaffinity(0))


def write_tokens(path, count):
    draw = random.Random(1)
    with open(path, "w") as file:
        for _ in range(count):
            tokens = [draw.randrange(10, 30_000) for _ in range(LENGTH)]
            file.write(json.dumps({"input_ids": tokens, "labels": tokens}) + "\n")


def difference(model, tokens, folder, **options):
    """Seconds and GFLOP of a step after the first ones."""
    steps = max(FEWEST_STEPS, WARM_UP_EXAMPLES // options["examples"])
    once, done, _ = run(model, tokens, folder, steps, **options)
    twice, all_done, gflop = run(model, tokens, folder, 2 * steps, **options)
    return (twice - once) / (all_done - done), gflop


def run(model, tokens, folder, steps, examples, experts="2468", threads=PROCESSORS):
    """Seconds of all steps but the first, their number, GFLOP of one."""
    command = [
        MOLA, "finetune", "--json", "--profile", "--backend", "simd", "--base-model", model,
        "--data-path", tokens, "--output-dir", os.path.join(folder, "out"), "--overwrite",
        "--batch-size", str(examples), "--micro-batch-size", str(examples), "--num-experts", experts,
        "--lora-r", "8", "--lora-alpha", "16", "--top-k", "2", "--lora-dropout", "0.05", "--learning-rate", "3e-4",
        "--max-steps", str(steps), "--threads", str(threads), "--no-share-prefix",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    step = json.loads(done.stdout.splitlines()[-1])["profile"]
    gflop = sum(operation["gflop_per_step"] for operation in step["operations"])
    return step["seconds_per_step"] * step["steps"], step["steps"], gflop


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
        write_tokens(tokens, 2 * max(WARM_UP_EXAMPLES, FEWEST_STEPS * max(EXAMPLES)))
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}, load {os.getloadavg()[0]:.2f}", file=sys.stderr)
            for case, options in cases.items():
                results[case].append(difference(arguments.model, tokens, folder, **options))

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
