"""Commands made from the parameters of other commands, so that an option is described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any

Function = Callable[..., int]


def parameters_of(command: Function) -> list[Parameter]:
    """The parameters of a command with their annotations, as typer reads them."""
    return list(inspect.signature(command, eval_str=True).parameters.values())


def with_parameters(command: Function, parameters: Iterable[Parameter], help_text: str) -> Function:
    """A command that takes any keyword, as one that takes these, with this help."""
    kept = list(parameters)
    signature = inspect.Signature(kept, return_annotation=int)
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in kept}
    command.__doc__ = help_text
    return command


def with_options_of(
    lender: Function, names: Iterable[str], borrower: Callable[..., int]
) -> Function:
    """`borrower` with its own parameters and, behind them, those that the lender has.

    When it is called, its first argument holds the values of the borrowed options by name.
    """
    wanted = set(names)
    borrowed = [each for each in parameters_of(lender) if each.name in wanted]
    own = parameters_of(borrower)[1:]

    def command(**options: Any) -> int:
        values = {each.name: options.pop(each.name) for each in borrowed}
        return borrower(values, **options)

    return with_parameters(command, [*own, *borrowed], inspect.getdoc(borrower) or "")
