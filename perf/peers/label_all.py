"""A token file in which every token is learnt, prompts too: label_all.py TOKENS.jsonl > ALL.jsonl"""
import json
import sys

with open(sys.argv[1]) as file:
    for line in file:
        tokens = json.loads(line)["input_ids"]
        print(json.dumps({"input_ids": tokens, "labels": tokens}))
