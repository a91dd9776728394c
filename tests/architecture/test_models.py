"""What a linter of imports cannot see: foreign keys that models name by a string."""

import json
import os
import subprocess
import sys

from tests.architecture.lints import ROOMS, ROOT

WALK = """
import json, django
django.setup()
from django.apps import apps
print(json.dumps([
    [model._meta.app_label, model.__name__, field.related_model._meta.app_label, model.__module__.split(".")[0]]
    for model in apps.get_models() for field in model._meta.get_fields()
    if (field.many_to_one or field.one_to_one or field.many_to_many) and field.concrete
]))
"""


def foreign_keys() -> list[list[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", WALK],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.checking"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[list[str]] = json.loads(ran.stdout)
    return found


def upward(keys: list[list[str]]) -> list[str]:
    """Return the foreign keys of our models that point to a room above their own."""
    return [
        f"{room}.{model} -> {target}"
        for room, model, target, package in keys
        if package == "troth" and target in ROOMS and ROOMS.index(target) > ROOMS.index(room)
    ]


def test_foreign_keys_of_models_point_down() -> None:
    keys = foreign_keys()
    assert any(target == "people" for _, _, target, _ in keys), "the sign-in library's tables point to ours"
    assert upward(keys) == []


def test_the_lint_sees_a_foreign_key_that_points_up() -> None:
    assert upward([["ledger", "Bad", "people", "troth"]]) == ["ledger.Bad -> people"]
