"""Runs where `potato-annotation` is installed: is the configuration one, and does Potato read the annotations as they were meant?"""

import json
import os
import sys

import yaml
from potato.export.cli import load_annotations_from_output_dir
from potato.server_utils.config_module import validate_yaml_structure


def main(folder: str) -> None:
    """Validate the configuration and load the annotations; print what Potato makes of them."""
    os.chdir(folder)
    with open("config.yaml", encoding="utf-8") as stream:
        config = yaml.safe_load(stream)
    validate_yaml_structure(config, folder, folder)
    with open(config["data_files"][0], encoding="utf-8") as stream:
        items = [json.loads(line) for line in stream]
    loaded = load_annotations_from_output_dir(config["output_annotation_dir"], config["annotation_schemes"])
    found = [{"user": one["user_id"], "item": one["instance_id"], "labels": one["labels"]} for one in loaded]
    print(json.dumps({"items": [item["id"] for item in items], "annotations": found}))


main(*sys.argv[1:])
