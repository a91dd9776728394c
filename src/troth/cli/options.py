"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def _use_folder(_context: click.Context, _parameter: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        os.environ["TROTH_DATA"] = str(folder)


#: `--data DIR`: the data folder of the troth meant, for this process.
data_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_use_folder,
    expose_value=False,
    is_eager=True,
    envvar="TROTH_DATA",
    help="The data folder of a running troth  [default: TROTH_DATA, or this user's own].",
)


def form_option(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return `--format`, the first form being the default; it is passed as `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How the answer is written.",
    )
