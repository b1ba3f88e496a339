"""Counts the ways to put N queens on an N by N board so that none attacks another: nqueens.py N."""

import sys


def solutions(size, row, columns, rising, falling):
    if row == size:
        return 1
    found = 0
    for column in range(size):
        if column in columns or row + column in rising or row - column in falling:
            continue
        found += solutions(size, row + 1, columns | {column}, rising | {row + column}, falling | {row - column})
    return found


print(solutions(int(sys.argv[1]), 0, frozenset(), frozenset(), frozenset()))
