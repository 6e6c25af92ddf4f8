"""Speed against the peers: `python benchmarks/speed.py [--cases P1,P3] [--write-docs]`.

Protocol: every round runs each side once, in a process of its own, on one core's worth of threads
(one BLAS and one torch thread), with the same hyperparameters, network sizes and seed, each
library's default logging and no evaluation. Training is measured in CPU seconds of the training
call, whole commands in wall time. Ratios are the peer's cost divided by ours; at least five rounds
are needed for a figure that is published. What is measured is kept in
`benchmarks/results/speed.json`, case by case; the page in docs/ is written from that file only.

Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cases import CASES, CLEANRL, GATES, OURS, Case, Gate
from children import FIGURES, RESULTS, ROOT, ChildError, Interpreters, run_side, sample
from measure import FEWEST_ROUNDS, Measured, interleave, machine, read_json, write_text
from speed_report import console_report, gate_line, markdown_page

RESULTS_FILE = FIGURES / "speed.json"
PAGE = ROOT / "docs" / "reference" / "speed.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; the exit code."""
    options = parse(arguments)
    interpreters = Interpreters(cleanrl=options.cleanrl_python, cleanrl_checkout=options.cleanrl)
    if not options.docs_only:
        missing = unusable(interpreters, options.cases)
        if missing:
            say(f"error: {missing}")
            return 2
        try:
            measure_all(interpreters, options)
        except ChildError as problem:
            say(f"error: {problem}")
            return 1
    if options.write_docs or options.docs_only:
        write_page(read_json(RESULTS_FILE))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; unknown cases are refused with the known ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default=",".join(CASES), help="names, separated by commas")
    parser.add_argument(
        "--rounds",
        type=int,
        default=FEWEST_ROUNDS,
        help=f"samples of every side; fewer than {FEWEST_ROUNDS} are shown but not stored",
    )
    parser.add_argument("--gates", action="store_true", help="check what the runs learn, too")
    parser.add_argument(
        "--cleanrl",
        type=Path,
        default=os.environ.get("CLEANRL_DIR") or None,
        metavar="DIR",
        help="a CleanRL checkout (or the variable CLEANRL_DIR); without it its rows are left out",
    )
    parser.add_argument(
        "--cleanrl-python",
        type=Path,
        default=os.environ.get("CLEANRL_PYTHON") or None,
        metavar="FILE",
        help="an interpreter with what CleanRL's script imports (or CLEANRL_PYTHON)",
    )
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--docs-only", action="store_true", help="measure nothing, write the page of what is stored"
    )
    options = parser.parse_args(arguments)
    names = [name.strip().upper() for name in options.cases.split(",") if name.strip()]
    unknown = [name for name in names if name not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.cases = [CASES[name] for name in names]
    options.cleanrl = Path(options.cleanrl).resolve() if options.cleanrl else None
    options.cleanrl_python = (
        Path(options.cleanrl_python).absolute() if options.cleanrl_python else None
    )
    return options


def unusable(interpreters: Interpreters, cases: Sequence[Case]) -> str | None:
    """What keeps the cases from being measured, in words; None if nothing does."""
    wanted = {side for case in cases for side in case.sides} - {CLEANRL}
    for side in sorted(wanted):
        if not interpreters.has(side):
            return f"{interpreters.of(side)} is missing: run benchmarks/setup_peers.sh first"
    checkout = interpreters.cleanrl_checkout
    scripts = {case.cleanrl_script for case in cases if CLEANRL in case.sides}
    if checkout is None:
        if scripts:
            say("CleanRL is left out: --cleanrl names no checkout of it")
        return None
    for script in sorted(scripts):
        if not (checkout / script).is_file():
            return f"--cleanrl: {checkout} has no {script}"
    if not interpreters.has(CLEANRL):
        return f"--cleanrl-python: {interpreters.of(CLEANRL)} does not exist"
    return None


def measure_all(interpreters: Interpreters, options: argparse.Namespace) -> None:
    """Measure the cases and gates in turn; each is shown and stored as soon as it is done."""
    for case in options.cases:
        say(f"{case.name}: {case.title}")
        values = measure_case(interpreters, case, options.rounds)
        print(console_report(measured_of(case, values)), end="\n\n", flush=True)
        if options.rounds >= FEWEST_ROUNDS:
            store("cases", case.name, values)
        else:
            say(f"  not stored: fewer than {FEWEST_ROUNDS} rounds")
    names = {case.name for case in options.cases}
    for gate in GATES if options.gates else ():
        if gate.case in names:
            values = measure_gate(interpreters, gate)
            print(gate_line(gate, values), flush=True)
            store("gates", gate.case, values)


def measure_case(interpreters: Interpreters, case: Case, rounds: int) -> dict[str, Any]:
    """All rounds of a case, as it is stored."""
    sides = [side for side in case.sides if interpreters.has(side)]
    where = machine()
    if case.kind == "process":
        for side in sides:  # not counted: compiles the modules that a first run would
            sample(interpreters, CASES["P10"] if case.settings else case, side, 0)
    key = next(iter(Measured(case=case, samples={}, machine={}).measures))

    def on_sample(number: int, side: str, figures: dict[str, Any]) -> None:
        reached = "" if figures.get("return") is None else f", return {figures['return']:.1f}"
        say(f"  round {number + 1}: {side} {figures[key]:.3f} {case.unit}{reached}")

    samples = interleave(
        sides,
        rounds,
        lambda side, seed: sample(interpreters, case, side, seed),
        on_sample=on_sample,
    )
    return {"samples": samples, "machine": where, "settings": dict(case.settings)}


def measure_gate(interpreters: Interpreters, gate: Gate) -> dict[str, Any]:
    """What each seed of a gate reached."""
    reached = []
    for seed in range(gate.seeds):
        job = {
            "kind": "gate",
            "settings": gate.settings,
            "seed": seed,
            "output_dir": str(RESULTS / "gates"),
            "last_episodes": gate.last_episodes,
        }
        reached.append(run_side(interpreters, OURS, job, folder=ROOT))
        say(f"  {gate.case} gate, seed {seed}: {reached[-1]['return']}")
    return {"seeds": reached, "machine": machine()}


def store(kind: str, name: str, values: dict[str, Any]) -> None:
    """Merge one case or gate into the results file."""
    stored = read_json(RESULTS_FILE)
    stored.setdefault(kind, {})[name] = values
    write_text(RESULTS_FILE, json.dumps(stored, indent=1))


def restored(stored: dict[str, Any]) -> list[Measured]:
    """The stored cases that are still defined as they were when they were measured."""
    found = []
    for name, case in CASES.items():
        values = stored.get("cases", {}).get(name)
        if values is None:
            continue
        if values["settings"] != json.loads(json.dumps(dict(case.settings))):
            say(f"{name} is left out: its settings have changed since it was measured")
            continue
        found.append(measured_of(case, values))
    return found


def measured_of(case: Case, values: dict[str, Any]) -> Measured:
    """A case with its stored samples."""
    return Measured(case=case, samples=values["samples"], machine=values["machine"])


def write_page(stored: dict[str, Any]) -> None:
    """Write the page of the docs from what is stored, if that is anything."""
    published = restored(stored)
    if not published:
        say(f"{PAGE.relative_to(ROOT)} is left as it is: nothing to publish")
        return
    gates = [
        gate_line(gate, stored["gates"][gate.case])
        for gate in GATES
        if gate.case in stored.get("gates", {})
    ]
    write_text(PAGE, markdown_page(published, gates))
    say(f"wrote {PAGE.relative_to(ROOT)}")


def say(text: str) -> None:
    """Progress goes to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
