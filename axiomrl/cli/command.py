"""How commands read their arguments and present themselves."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """Writes its usage line plainly: `RUN`, where typer would write `{RUN}`."""

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
