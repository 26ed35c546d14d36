"""Gives random assignment problems to spool-bench --solve and to SciPy's linear_sum_assignment, each bot as many
columns as it has room for, and compares the totals."""

import json
import pathlib
import random
import subprocess
import sys

import numpy
from scipy.optimize import linear_sum_assignment


def scipy_total(scores, capacities):
    """What can't be is worth nothing, and so is a task that nobody gets."""
    columns = [bot for bot, room in enumerate(capacities) for _ in range(room)]
    if not columns or not scores:
        return 0.0
    matrix = numpy.array([[row[bot] or 0.0 for bot in columns] for row in scores])
    rows, chosen = linear_sum_assignment(matrix, maximize=True)
    return float(matrix[rows, chosen].sum())


def main(bench, directory):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    shapes = [(1000, 200, 7), (400, 60, 3), (30, 40, 2), (50, 5, 4), (1, 1, 1), (0, 3, 2)]
    for tasks, bots, room in shapes + [(rng.randint(1, 60), rng.randint(1, 20), 4) for _ in range(20)]:
        scores = [[None if rng.random() < 0.1 else rng.random() for _ in range(bots)] for _ in range(tasks)]
        capacities = [rng.randint(0, room) for _ in range(bots)]
        path = pathlib.Path(directory, "problem.json")
        path.write_text(json.dumps({"scores": scores, "capacities": capacities}))
        answer = json.loads(subprocess.run([bench, "--solve", path], capture_output=True, check=True).stdout)
        best = scipy_total(scores, capacities)
        for method, share in (("exact", 1.0), ("annealed", 0.98), ("greedy", 0.0)):
            total, chosen = answer[method]["total"], answer[method]["bots"]
            given = [(task, bot) for task, bot in enumerate(chosen) if bot is not None]
            assert abs(sum(scores[task][bot] for task, bot in given) - total) < 1e-6, method
            assert all(sum(bot == own for _, own in given) <= capacities[bot] for bot in range(bots)), method
            assert share * best - 1e-6 <= total <= best + 1e-6, (method, tasks, bots, total, best)
        if tasks >= 400:
            ratios = {method: round(answer[method]["total"] / best, 4) for method in ("exact", "annealed", "greedy")}
            print(f"{tasks} tasks, {bots} bots: total {best:.2f} by SciPy;", ratios)


main(*sys.argv[1:])
