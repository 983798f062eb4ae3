"""`import rolecall`: what it offers, and what it does not load."""

import subprocess
import sys

import rolecall


def test_every_public_name_is_there():
    assert all(getattr(rolecall, name).__name__ == name for name in rolecall.__all__)
    assert rolecall.__all__ == sorted(rolecall._MODULES)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(rolecall, "nothing")


def test_importing_it_loads_nothing_heavy():
    heavy = {"torch", "numpy", "pydantic", "aiokafka", "click"}
    code = f"import rolecall, sys; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_publishing_loads_no_torch():
    code = "import rolecall.streams.cli.publish, sys; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
