"""Medians of recorded runs, and their ratios to one of the programs: table.py BASELINE RUNS.tsv"""
import collections
import json
import statistics
import sys

MEBIBYTE = 1 << 20


def read(path):
    runs = collections.defaultdict(list)
    with open(path) as file:
        for line in file:
            name, answer = line.rstrip("\n").split("\t", 1)
            runs[name].append(json.loads(answer))
    return runs


def column(answers, key):
    values = [answer[key] for answer in answers]
    return statistics.median(values), min(values), max(values)


def main():
    baseline, path = sys.argv[1:]
    runs = read(path)
    speed_of_baseline = column(runs[baseline], "tokens_per_second")[0]
    memory_of_baseline = column(runs[baseline], "peak_rss_bytes")[0]
    print(f"{'':<16}{'rounds':>7}{'tokens/s':>10}{'(range)':>18}{'ratio':>8}{'MiB':>8}{'ratio':>8}{'parameters':>13}{'last loss':>11}")
    for name, answers in runs.items():
        speed, slowest, fastest = column(answers, "tokens_per_second")
        memory = column(answers, "peak_rss_bytes")[0]
        print(
            f"{name:<16}{len(answers):>7}{speed:>10.1f}{f'{slowest:.1f} - {fastest:.1f}':>18}"
            f"{speed / speed_of_baseline:>8.2f}{memory / MEBIBYTE:>8.0f}{memory / memory_of_baseline:>8.2f}"
            f"{answers[-1]['trainable_parameters']:>13,}{answers[-1]['train_losses'][-1]:>11.4f}"
        )


if __name__ == "__main__":
    main()
