"""Options that several commands share."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
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


class Day(click.ParamType[date]):
    """A day that has not passed, by UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:  # noqa: ANN401 - click's
        """Return the day that is named."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"`{value}` is no day; write it as 2027-01-31", param, ctx)
        if day < datetime.now(UTC).date():
            self.fail(f"`{day}` has passed; name today or a later day", param, ctx)
        return day


def text_of(file: Path) -> str:
    """Return what a file says. Raises ClickException where it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"`{file}` is not UTF-8") from error
