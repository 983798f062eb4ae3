"""The alert rules and the table of metrics in docs/operations.md name metrics that a worker exposes."""

import re
from pathlib import Path

import pytest
import yaml

from rolecall.streams.monitor.health import Health
from rolecall.streams.monitor.metrics import Metrics

DOC = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()
RULES = yaml.safe_load(re.search(r"```yaml\n(groups:.*?)```", DOC, re.DOTALL)[1])["groups"][0]["rules"]
EXPOSED = {family.name: family for family in Metrics(Health(None)).registry.collect()}
LABELS = {
    name.removesuffix("_total"): set(re.findall(r"\w+", labels))
    for name, labels in re.findall(r"^\| `(rolecall_\w+)` \| \w+ \| ([^|]*)\|", DOC, re.MULTILINE)
}


def family(name):
    return re.sub(r"_(total|bucket|count|sum|info)$", "", name)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_exist(rule):
    names = set(re.findall(r"rolecall_\w+", rule["expr"]))
    assert {family(name) for name in names} <= set(EXPOSED)
    assert names or rule["expr"].startswith("up{")
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_speaks_of_labels_that_its_metrics_have(rule):
    said = set(re.findall(r"labels\.(\w+)", rule["annotations"]["summary"]))
    said |= {each for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for each in re.findall(r"\w+", by)}
    had = {
        each for name in re.findall(r"rolecall_\w+", rule["expr"]) for each in LABELS.get(family(name), ())
    }
    had |= LABELS["rolecall_model_info"] if "rolecall_model_info" in rule["expr"] else set()
    assert said - {"le"} <= had


def test_every_metric_is_documented_with_its_type():
    documented = dict(re.findall(r"^\| `(rolecall_\w+)` \| (\w+) \|", DOC, re.MULTILINE))
    kinds = {family(name): kind for name, kind in documented.items()}
    exposed = {
        name: "gauge" if each.type == "info" else each.type
        for name, each in EXPOSED.items()
        if name.startswith("rolecall_")
    }
    assert kinds == exposed


@pytest.mark.parametrize("name", sorted(name for name in EXPOSED if name.startswith("rolecall_")))
def test_the_documented_labels_are_the_real_ones(name):
    real = {label for sample in EXPOSED[name].samples for label in sample.labels} - {"le"}
    documented = LABELS.get(name, LABELS.get(f"{name}_info"))
    assert real <= documented  # a gauge without a sample has no label to compare
