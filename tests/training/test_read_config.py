"""An error in a TOML file gives one line that names file, key and value."""

from pathlib import Path

import pytest

from rolecall.training.config import TrainConfig
from rolecall.training.feedback.config import RetrainConfig
from rolecall.training.read_config import ConfigError, read_config


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("seeed = 3", "there is no key seeed; did you mean seed?"),
        ("seed = ", "is not TOML: Invalid value"),
        ("seed = 'x'", "seed = 'x': Input should be a valid integer"),
        ("distil = 0.5", "distil = 0.5 but nobody to imitate"),
        ("[teacher]\nepoch = 2", "there is no key teacher.epoch; did you mean epochs?"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_way_out(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "my.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as raised:
        read_config(TrainConfig, file)
    assert str(raised.value).startswith(f"{file}")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_key_far_from_all_lists_the_keys(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("[gate]\nzzz = 1")
    with pytest.raises(ConfigError, match=r"there is no key gate\.zzz; known are .*, "):
        read_config(RetrainConfig, file)
