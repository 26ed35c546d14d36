#!/usr/bin/env python3
# A member of a group, for one of four skills:  spool work ml-bot --negotiate -- python3 examples/analyst.py
"""Reads its part of an announcement, and does what the skill says with the customers in the file that all members share. With
--customers N it makes such a file; with --bid PRICE it answers a query as `spool work --bid` wants it."""
import csv
import json
import math
import random
import sqlite3
import sys


def make(count):
    """Customers who leave the more easily the more they complain and the shorter they have been there."""
    chance = random.Random(1)
    writer = csv.writer(sys.stdout)
    writer.writerow(["months", "complaints", "spent", "left"])
    for _ in range(count):
        months, complaints = chance.randint(1, 60), chance.choice([0, 0, 0, 1, 1, 2, 3, 5])
        likely = 1 / (1 + math.exp(-(0.9 * complaints - 0.06 * months)))
        writer.writerow([months, complaints, round(chance.uniform(5, 90), 2), int(chance.random() < likely)])


def bid(price):
    """What would be offered anyway, at a price of one's own."""
    query = json.load(sys.stdin)
    print(json.dumps({"offer": dict(query["offer"], price=price)} if "offer" in query else {"refuse": query["refuse"]}))


def sql(rows):
    base = sqlite3.connect(":memory:")
    base.execute("create table customers (months, complaints, spent, left)")
    base.executemany("insert into customers values (?, ?, ?, ?)", rows)
    query = "select complaints, count(*), round(avg(left), 3) from customers group by complaints order by complaints"
    return [{"complaints": c, "customers": n, "share_that_left": s} for c, n, s in base.execute(query)]


def statistics(rows):
    def correlation(index):
        pairs = [(row[index], row[3]) for row in rows]
        count = len(pairs)
        mean = [sum(pair[side] for pair in pairs) / count for side in (0, 1)]
        spread = [math.sqrt(sum((pair[side] - mean[side]) ** 2 for pair in pairs)) for side in (0, 1)]
        return round(sum((x - mean[0]) * (y - mean[1]) for x, y in pairs) / (spread[0] * spread[1]), 3)

    return {"with_leaving": {"months": correlation(0), "complaints": correlation(1), "spent": correlation(2)}}


def ml(rows):
    """Logistic regression by gradient descent, judged by the fifth that it didn't learn from."""
    inputs = [([1, row[0] / 60, row[1] / 5, row[2] / 90], row[3]) for row in rows]
    learn, judge = [x for i, x in enumerate(inputs) if i % 5], inputs[::5]
    weights = [0.0] * 4

    def guess(x):
        return 1 / (1 + math.exp(-sum(w * value for w, value in zip(weights, x))))

    for _ in range(400):
        errors = [(x, guess(x) - y) for x, y in learn]
        weights = [w - 2 * sum(e * x[i] for x, e in errors) / len(errors) for i, w in enumerate(weights)]
    right = sum((guess(x) > 0.5) == bool(y) for x, y in judge)
    names = ["bias", "months", "complaints", "spent"]
    return {"accuracy": round(right / len(judge), 3), "weights": dict(zip(names, [round(w, 2) for w in weights]))}


def reporting(rows):
    share = [(c, [row[3] for row in rows if row[1] == c]) for c in sorted({row[1] for row in rows})]
    return "\n".join(f"{c} complaints {'#' * round(20 * sum(left) / len(left))}" for c, left in share)


def main():
    if sys.argv[1:2] == ["--customers"]:
        return make(int(sys.argv[2]))
    if sys.argv[1:2] == ["--bid"]:
        return bid(float(sys.argv[2]))
    part = json.load(sys.stdin)
    with open(part["context"]["shared"]["file"]) as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    skills = {"sql": sql, "statistics": statistics, "ml": ml, "reporting": reporting}
    wanted = [skill.split(":")[0] for skill in part["required_skills"]]
    results = {skill: skills[skill](rows) for skill in wanted}
    print(json.dumps({"result": results[wanted[0]] if len(wanted) == 1 else results, "confidence": 0.9}))


main()
