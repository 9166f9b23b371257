"""Medians of recorded runs, and how many times as fast they are as the peers: table.py RUNS.tsv

Each line is a title of a part of the table, the program's name and its answer, divided by tabs.
"""
import collections
import json
import statistics
import sys

MEBIBYTE = 1 << 20
PEERS = ["peft-lora", "torch-mola", "authors-mola"]


def read(path):
    parts = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path) as file:
        for line in file:
            title, name, answer = line.rstrip("\n").split("\t", 2)
            parts[title][name].append(json.loads(answer))
    return parts


def column(answers, key):
    values = [answer[key] for answer in answers]
    return statistics.median(values), min(values), max(values)


def show(title, runs):
    peers = [peer for peer in PEERS if peer in runs]
    heads = "".join(f"{'x ' + peer:>15}" for peer in peers)
    print(f"{title:<22}{'rounds':>7}{'tokens/s':>10}{'(range)':>18}{heads}{'MiB':>7}{'parameters':>12}{'last loss':>11}")
    for name, answers in runs.items():
        speed, slowest, fastest = column(answers, "tokens_per_second")
        memory = column(answers, "peak_rss_bytes")[0]
        ratios = "".join(f"{speed / column(runs[peer], 'tokens_per_second')[0]:>15.2f}" for peer in peers)
        print(
            f"{name:<22}{len(answers):>7}{speed:>10.1f}{f'{slowest:.1f} - {fastest:.1f}':>18}{ratios}"
            f"{memory / MEBIBYTE:>7.0f}{answers[-1]['trainable_parameters']:>12,}"
            f"{answers[-1]['train_losses'][-1]:>11.4f}"
        )
    print()


def main():
    for title, runs in read(sys.argv[1]).items():
        show(title, runs)


if __name__ == "__main__":
    main()
