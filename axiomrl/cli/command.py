"""How commands read their arguments and present themselves."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from axiomrl.cli.option_values import read_simply


class Group(TyperGroup):
    """A command with others below it; reads simple values itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return read_simply(super().get_params(ctx))


class Command(TyperCommand):
    """Reads simple values itself, and writes `RUN` in its usage where typer would write `{RUN}`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return read_simply(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words behind the command's name."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class TagCommand(Command):
    """Takes `+x` for `--add x` and `-y` for `--remove y`.

    `-h` stays what it is everywhere: help. Behind `--` everything is the name of a run.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words behind the command's name."""
        return [*super().collect_usage_pieces(ctx), "[+TAG]...", "[-TAG]..."]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, signs rewritten as options."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*map(_option, args[:end]), *args[end:]])


def _option(word: str) -> str:
    if word.startswith("+"):
        return f"--add={word[1:]}"
    if word.startswith("-") and not word.startswith("--") and word not in ("-", "-h"):
        return f"--remove={word[1:]}"
    return word
