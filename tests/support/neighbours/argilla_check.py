"""Runs where `argilla` is installed: reads a folder as its own code does, and writes the records again as its own code does."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import argilla
from argilla.records._io import GenericIO, JsonIO


def main(folder: str, again: str) -> None:
    """Read settings and records with Argilla, write the records with Argilla, nested and flat; print what was found."""
    argilla.Argilla._default_client = mock.MagicMock()  # settings ask for a client, and nothing here calls a server
    path = Path(folder)
    settings = argilla.Settings.from_json(path / ".argilla" / "settings.json")
    settings.validate()
    dataset = argilla.Dataset._load_dataset_model(path / ".argilla" / "dataset.json")
    records = JsonIO._records_from_json(path / "records.json")
    for record in records:
        record.dataset = SimpleNamespace(settings=settings)
        record.api_model().model_dump_json()
    JsonIO.to_json(records, Path(again) / "nested.json")
    (Path(again) / "flat.json").write_text(json.dumps(GenericIO.to_list(records, flatten=True)), encoding="utf-8")
    found = {
        "dataset": dataset.name,
        "questions": {
            question.name: question.settings.type if hasattr(question, "settings") else type(question).__name__
            for question in settings.questions
        },
        "fields": [field.name for field in settings.fields],
        "records": len(records),
        "responses": sum(len(list(record.responses)) for record in records),
        "suggestions": sum(len(list(record.suggestions)) for record in records),
    }
    print(json.dumps(found))


main(*sys.argv[1:])
