"""What `batchd new-plugin` writes: a package or a file that passes the conformance kit and `mypy --strict` as it is."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


class NewRole(Struct, frozen=True):
    """What is written for a role: the words for it, the class's ending, its table in the configuration."""

    noun: str
    ending: str
    toml: str
    faked: bool = False
    """Whether it speaks to a service, and its tests to a fake one."""


_PROVIDER = NewRole(
    "provider",
    "Provider",
    '[providers.{kind}]    # and in a route: provider = "{kind}"\nbase_url = "https://api.example.org"\n'
    'api_key = "env:{variable}_API_KEY"',
    faked=True,
)
ROLES: Mapping[str, NewRole] = {
    "reader": NewRole(
        "reader",
        "Reader",
        "[routes.reviews.reader]    # in a route of yours; files that end in .{module} are read without it\n"
        'plugin = "{kind}"',
    ),
    "prompt": NewRole(
        "prompt builder",
        "Prompt",
        '[routes.reviews.prompt]    # in a route of yours\nplugin = "{kind}"\ncolumn = "review"',
    ),
    "provider": _PROVIDER,
    "live": _PROVIDER,
    "sink": NewRole(
        "sink",
        "Sink",
        '[sinks.{kind}]    # and in a route: sinks = ["same", "{kind}"]\nfolder = "pages"',
    ),
    "observer": NewRole(
        "observer",
        "Observer",
        '[observers.{kind}]\nurl = "env:{variable}_URL"\nevents = ["done", "held", "failed"]',
        faked=True,
    ),
    "executor": NewRole("executor", "Executor", '[workers]\nexecutor = "{kind}"'),
    "command": NewRole("command", "", "[commands.{kind}]\nat_least = 1"),
}
"""The roles, by their words for `--role`."""


class NewPlugin(Struct, frozen=True):
    kind: str
    role: str

    @classmethod
    def named(cls, name: str, role: str) -> NewPlugin:
        """Raise ValueError if that is no name for a plugin."""
        kind = name.removeprefix("batchd-").removeprefix("batchd_")
        module = kind.replace("-", "_")
        if _NAME.fullmatch(kind) is None or keyword.iskeyword(module) or keyword.issoftkeyword(module):
            raise ValueError(
                f'"{name}" is no name for a plugin: begin with a letter, then small letters, digits and -, such as '
                '"warehouse" or "acme-batches".'
            )
        return cls(kind, role)

    @property
    def module(self) -> str:
        """Its name in Python, without `batchd_`."""
        return self.kind.replace("-", "_")

    @property
    def distribution(self) -> str:
        return f"batchd-{self.kind.replace('_', '-')}"

    @property
    def toml(self) -> str:
        """What to paste into the configuration."""
        return ROLES[self.role].toml.format(kind=self.kind, module=self.module, variable=self.module.upper())

    def package(self) -> Mapping[PurePosixPath, str]:
        """The files of an installable package."""
        package = f"batchd_{self.module}"
        role, names = ROLES[self.role], self._names(single=False, home=f"batchd_{self.module}.{self._file}")
        names |= {"module": self.module}
        source = PurePosixPath("src") / package
        packaged = {**names, "module": package}
        files = {
            PurePosixPath("pyproject.toml"): _rendered("pyproject.toml", packaged),
            PurePosixPath("README.md"): _rendered("README.md", packaged),
            PurePosixPath(".gitignore"): _rendered("gitignore", packaged),
            PurePosixPath(".github/workflows/ci.yml"): _rendered("ci.yml", packaged),
            source / "__init__.py": _rendered("hook.py", names).lstrip("\n"),
            source / "py.typed": "",
            source / f"{self._file}.py": _rendered(f"{self.role}.py", names),
            PurePosixPath("tests") / f"test_{package}.py": _rendered(f"test_{self.role}.py", names),
        }
        if role.faked:
            fake = PurePosixPath("tests") / f"{names['fake']}.py"
            files[fake] = _rendered(f"fake_{self.role}.py", names)
        return files

    def single(self) -> Mapping[PurePosixPath, str]:
        """One file for the plugin_dir, and its tests beside it, under names that batchd does not load."""
        names = self._names(single=True, home=self.module)
        text = _rendered(f"{self.role}.py", names) + _rendered("hook.py", names)
        files = {
            PurePosixPath(f"{self.module}.py"): text,
            PurePosixPath(f"_test_{self.module}.py"): _rendered(f"test_{self.role}.py", names),
        }
        if ROLES[self.role].faked:
            files[PurePosixPath(f"{names['fake']}.py")] = _rendered(f"fake_{self.role}.py", names)
        return files

    @property
    def _file(self) -> str:
        return self.role if self.role != "live" else "provider"

    def _names(self, *, single: bool, home: str) -> dict[str, Any]:
        role = ROLES[self.role]
        name = "".join(part.capitalize() for part in self.module.split("_"))
        name = name.removesuffix(role.ending) or name
        article = "an" if role.noun[0] in "aeiou" else "a"
        return {
            "kind": self.kind,
            "module": self.module,
            "name": name,
            "distribution": self.distribution,
            "noun": role.noun,
            "sentence": f"{article.capitalize()} {role.noun}",
            "hook": f"register_{role.noun.replace(' ', '_')}s",
            "file": self._file,
            "factory": f"make_{self.module}" if self.role == "command" else f"{name}{role.ending}",
            "toml": self.toml,
            "faked": role.faked,
            "single": single,
            "home": home,
            "fake": f"_fake_{self.module}" if single else f"fake_{self.module}",
        }


def _rendered(template: str, names: Mapping[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("batchd.plugin", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701  # Python and TOML, of a name that was checked
    )
    return environment.get_template(f"{template}.jinja").render(names)
