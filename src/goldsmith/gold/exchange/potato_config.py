"""The configuration of a Potato task in which pairs are compared. JSON values stand in it where YAML takes them as they are."""

from __future__ import annotations

import json

from goldsmith.gold.exchange.label_studio_config import REASONS, STRENGTHS

PREFERENCE, STRENGTH, CONFIDENCE, RATIONALE, DISCARD = "preference", "strength", "confidence", "rationale", "discard"
NO_REASON = "unspecified"
DATA, OUTPUT, CONFIG = "data/pairs.jsonl", "annotation_output", "config.yaml"


def config(name: str, reasons: tuple[str, ...] = ()) -> str:
    """Return the configuration as YAML.

    Args:
        name: of the task.
        reasons: of discards, besides the usual ones.
    """
    return f"""# Start with: potato start {CONFIG}
annotation_task_name: {json.dumps(name)}
task_dir: .
output_annotation_dir: {OUTPUT}/
output_annotation_format: json
data_files:
  - {DATA}
item_properties:
  id_key: id
  text_key: text
user_config:
  allow_all_users: true
  users: []
annotation_schemes:
  - annotation_type: pairwise
    name: {PREFERENCE}
    description: "Which reply is better?"
    mode: binary
    items_key: responses
    labels: ["A", "B"]
    allow_tie: true
    tie_label: "Neither"
    label_requirement: {{"required": true}}
{_radio(STRENGTH, "How much better?", tuple(STRENGTHS.values()))}
{_radio(CONFIDENCE, "How sure are you?", ("1", "2", "3"))}
  - annotation_type: text
    name: {RATIONALE}
    description: "Why?"
    label_requirement: {{"required": false}}
{_radio(DISCARD, "Should not be used at all, because (the choice above then counts for nothing)", (*REASONS, NO_REASON, *reasons))}
site_dir: default
"""


def _radio(name: str, description: str, labels: tuple[str, ...]) -> str:
    return "\n".join(
        [
            "  - annotation_type: radio",
            f"    name: {name}",
            f"    description: {json.dumps(description)}",
            f"    labels: {json.dumps(list(labels), ensure_ascii=False)}",
            '    label_requirement: {"required": false}',
        ]
    )
