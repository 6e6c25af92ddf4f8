"""`axiomrl config`: check a configuration, or explain every setting of an algorithm."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import Imports, Settings, import_modules
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.config.explain import ExplainedSetting

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  axiomrl config --config configs/ppo/cartpole.yaml
  axiomrl config --config configs/ppo/cartpole.yaml --set num_envs=4 \\
    --output-format json
  axiomrl config --explain ppo
"""

Format = Literal["yaml", "json", "text"]


def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="PATH", help="YAML file to check and print resolved."),
    ] = None,
    settings: Settings = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="ALGO", help="Print what every setting means."),
    ] = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--output-format",
            metavar="yaml|json|text",
            help="yaml or json for a config, text or json for --explain.  "
            "[default: yaml, or text with --explain]",
        ),
    ] = None,
    imports: Imports = None,
) -> None:
    """Check a config and print it resolved, or explain every setting."""
    if (config is None) == (explain is None):
        raise InputError("give either --config PATH or --explain ALGO")
    if output_format == ("yaml" if explain else "text"):
        valid = "text or json" if explain else "yaml or json"
        raise InputError(f"--output-format {output_format}: here it is {valid}")
    import_modules(imports)
    if explain is not None:
        _print_explanation(explain, as_json=output_format == "json")
    elif config is not None:
        _print_config(config, settings or (), as_json=output_format == "json")


def _print_config(path: Path, settings: Sequence[str], *, as_json: bool) -> None:
    from axiomrl.config import dump_config, load_config

    masked = json.loads(dump_config(load_config(path, overrides=settings)))
    if as_json:
        terminal.data(json.dumps(masked, indent=2))
    else:
        terminal.data(config_as_yaml(masked))


def config_as_yaml(values: dict[str, Any]) -> str:
    """The settings as YAML that `--config` reads back to equal values."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Knows that `3e-4` is a number to our reader, so that the text "3e-4" needs quotes."""

    numbers = re.compile(r"[-+.0-9][-+.0-9eEox_a-fA-F]*")
    Dumper.add_implicit_resolver("axiomrl:number", numbers, list("-+.0123456789"))
    text: str = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return text


def _print_explanation(algo: str, *, as_json: bool) -> None:
    from axiomrl.config import explain

    settings = explain(algo)
    if as_json:
        listed = [dataclasses.asdict(setting) for setting in settings]
        content = {"schema_version": SCHEMA_VERSION, "algo": algo, "settings": listed}
        terminal.data(json.dumps(content, indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _print_rich_table(settings)
    else:
        terminal.data(explanation_as_text(settings))


def explanation_as_text(settings: Sequence[ExplainedSetting], width: int = 80) -> str:
    """Every setting with what is to be known of it, in lines of at most `width` characters."""
    lines: list[str] = []
    for setting in settings:
        told = ", ".join(part for part in (setting.type, setting.range) if part)
        facts = f"{told}; default {setting.default}"
        if setting.default == "required":
            facts = f"{told}; required"
        lines.append(setting.name)
        for text in (setting.meaning, facts):
            lines += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _print_rich_table(settings: Sequence[ExplainedSetting]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    spare = max(0, min(20, console.width - 80))  # a wide terminal has room for longer values
    for block, members in itertools.groupby(settings, lambda each: each.name.rpartition(".")[0]):
        console.print(f"\n[bold]{escape(block)}[/]" if block else "[bold]the run[/]")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("setting", overflow="fold", width=23)
        table.add_column("default", overflow="fold", width=10 + spare // 2)
        table.add_column("values", overflow="fold", width=16 + spare // 2)
        table.add_column("meaning", ratio=1)
        for setting in members:
            name = "  " + setting.name.rpartition(".")[2]
            cells = (name, setting.default, _values(setting), setting.meaning)
            table.add_row(*(escape(cell) for cell in cells))
        console.print(table)


def _values(setting: ExplainedSetting) -> str:
    if setting.range.startswith("one of"):
        return setting.range
    return f"{setting.type} {setting.range}".strip()
