"""`axiomrl doctor`: does everything work on this machine?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from axiomrl.cli import terminal

EXAMPLES = """\b
Examples:
  axiomrl doctor
  axiomrl doctor --output-format json
"""


def run(
    output_format: Annotated[
        Literal["text", "json"],
        typer.Option("--output-format", metavar="text|json", help="How the answer is printed."),
    ] = "text",
) -> None:
    """Show versions, devices, and which environment families work.

    Exits with 1 if something that is always needed is broken.
    """
    from axiomrl.cli.health import examine

    findings = examine()
    if output_format == "json":
        import json

        terminal.data(json.dumps(findings, indent=2))
    else:
        terminal.data(findings_as_text(findings))
    for problem in findings["problems"]:
        terminal.warn(problem)
    if not findings["ok"]:
        raise typer.Exit(1)


def findings_as_text(findings: dict[str, Any]) -> str:
    """The findings in four short sections."""
    devices = findings["devices"]
    runs = findings["runs_directory"]
    sections = {
        "versions": {
            name: version or "not usable" for name, version in findings["versions"].items()
        },
        "devices": {
            "platform": devices["platform"],
            "cpu": f"{devices['cpu']}, {devices['cpu_threads']} threads",
            "cuda": ", ".join(devices["cuda"]) or devices["cuda_detail"],
        },
        "environments": {
            name: f"{family['status']:<8} {family['detail'] or family['env_id']}"
            for name, family in findings["environments"].items()
        },
        "folders": {"runs": "writable" if runs["is_writable"] else runs["detail"]},
    }
    lines: list[str] = []
    for title, entries in sections.items():
        lines += ["", title] if lines else [title]
        lines += [f"  {name:<16} {text}" for name, text in entries.items()]
    return "\n".join(lines)
