#!/usr/bin/env python3
# A bot that stays up, and sums up each text it is sent:  spool work editor --stream -- python3 examples/summarise.py
"""With --stream, a message is a line in, and its reply a line out. Starting an interpreter or loading a model is then
paid once. {"ack": true} is done without a reply, {"nack": "why", "delay": 5} try again, {"dead": "why"} give up."""
import json
import re
import sys
from collections import Counter

COMMON = set("the a an and or of to in on is are was it its that this for with as by be at from not but they you we".split())


def summarise(text):
    """The sentence that has most of the text's frequent words, and those words."""
    words = Counter(word for word in re.findall(r"[a-zà-ÿ]{2,}", text.lower()) if word not in COMMON)
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    best = max(sentences, key=lambda s: sum(words[w] for w in set(re.findall(r"\w+", s.lower()))) / (len(s) + 40))
    return {
        "content": best,
        "data": {"sentences": len(sentences), "words": sum(words.values()), "about": [w for w, _ in words.most_common(3)]},
    }


for line in sys.stdin:
    message = json.loads(line)
    text = message.get("content") or ""
    answer = summarise(text) if text.strip() else {"dead": "there is no text to sum up"}
    print(json.dumps(answer, ensure_ascii=False), flush=True)  # a line a message, at once
