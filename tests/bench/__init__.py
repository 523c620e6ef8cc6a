"""`make bench`: the daemon beside its peers, in front of an instant engine, interleaved in one run.

    start stub and peers -> rows, each of all peers in turn (A B C, C B A) -> ratios -> docs/performance.md

`stub.c` is the engine, `peers.py` what is measured, `plain.py`, `streams.py` and `memory.py` how,
`targets.py` what is to be reached, `report.py` what is printed and written. Everything that it
starts it ends.
"""
