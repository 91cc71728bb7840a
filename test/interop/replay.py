#!/usr/bin/env python3
"""Replays the test vectors of docs/vectors.md: makes every output from the inputs alone and compares all of it.

usage: replay.py [folder or file ...]       needs Python 3.10 and the package `cryptography`, nothing else.
"""
import json
import sys
from pathlib import Path

from block import Block
from evidence import judge
from protocol import plan


def difference(made, given, where=""):
    """The first place where two values differ, or None."""
    if type(made) is dict and type(given) is dict:
        if made.keys() != given.keys():
            return f"{where}: fields {sorted(made.keys() ^ given.keys())}"
        return next((found for k in given if (found := difference(made[k], given[k], f"{where}.{k}"))), None)
    if type(made) is list and type(given) is list and len(made) == len(given):
        return next((f for i, g in enumerate(given) if (f := difference(made[i], g, f"{where}[{i}]"))), None)
    return None if made == given else f"{where}: {str(made)[:80]} made, {str(given)[:80]} given"


def replay(vector):
    """What is wrong with a vector, or None."""
    if vector["name"] == "plans":
        return difference([[n, C, D, plan(n, C, D)] for n, C, D, _ in vector["plans"]], vector["plans"], "plans")
    block = Block(vector)
    found = difference(block.play(), vector["outputs"], "outputs")
    for i, given in enumerate(vector["judgements"]):
        verdict = judge(vector["inputs"]["floors"], block.evidence[given["of"]] | given["changed"])
        found = found or difference(verdict, given["verdict"], f"judgements[{i}] ({given['description']})")
    return found


def main(paths):
    files = sorted(f for p in map(Path, paths) for f in (p.glob("*.json") if p.is_dir() else [p]))
    failed = 0
    for file in files:
        try:
            found = replay(json.loads(file.read_text(encoding="utf-8")))
        except Exception as error:  # a vector that can't be played is a failed vector
            found = f"{type(error).__name__}: {error}"
        failed += found is not None
        print(f"{'ok' if found is None else 'FAILED'} {file.stem}{'' if found is None else ': ' + found}", flush=True)
    print(f"{len(files) - failed} passed, {failed} failed")
    return 0 if files and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [Path(__file__).parent.parent / "vectors" / "secagg"]))
