"""Read a TOML file into a typed config. An error in it is reported in one line."""

import difflib
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rolecall.schemas.errors import RolecallError

C = TypeVar("C", bound=BaseModel)


class ConfigError(RolecallError):
    """The config file is not TOML, or a key or value in it is wrong. The text names file, key and value."""


def read_config(config: type[C], file: Path) -> C:
    try:
        return config.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        *tables, key = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
        name = ".".join([*tables, key])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _known(config, tables), n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(_known(config, tables))}"
            raise ConfigError(f"{file}: there is no key {name}; {remedy}") from error
        said = problem["msg"].removeprefix("Value error, ")
        where = f"{name} = {problem['input']!r}: " if name else ""
        raise ConfigError(f"{file}: {where}{said}") from error


def _known(config: type[BaseModel], tables: list[str]) -> list[str]:
    """The keys of the table that this path leads to."""
    for table in tables:
        inner = [
            part
            for part in _types(config.model_fields[table].annotation)
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        config = inner[0]
    return sorted(config.model_fields)


def _types(annotation: object) -> tuple[object, ...]:
    """The members of a union; for any other annotation, the annotation itself."""
    return getattr(annotation, "__args__", ()) or (annotation,)
