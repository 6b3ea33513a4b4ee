"""Builds batchd_VERSION_ARCH.deb: batchd with its own packages, for exactly the Python of this distribution.

    python packaging/deb.py [--wheel FILE] [--target FOLDER] [--without-packages] [--version VERSION]

The packages are those of the lock file, checked by their hashes. dpkg-deb and /usr/bin/python3 are needed. Build it on
the distribution that it is for: modules in C fit one Python and one libc.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON = "/usr/bin/python3"
PLACE = Path("usr/lib/batchd")
UNITS = {
    "batchd.service": "usr/lib/systemd/system/batchd.service",
    "batchd.sysusers": "usr/lib/sysusers.d/batchd.conf",
    "batchd.tmpfiles": "usr/lib/tmpfiles.d/batchd.conf",
}
SCRIPTS = ("postinst", "prerm", "postrm")


def build(
    target: Path, *, wheel: Path | None = None, packages: bool = True, version: str | None = None, python: str = PYTHON
) -> Path:
    """Build the package; where it is."""
    architecture = _said("/usr/bin/dpkg", "--print-architecture")
    version = version or f"{_version()}-1"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir(mode=0o755)
        if packages:
            _environment(root, wheel or _wheel(Path(folder, "wheel")), python)
        else:
            _file(root / PLACE / "bin" / "batchd", "#!/bin/sh\necho batchd\n", 0o755)
        (root / "usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "usr/bin/batchd").symlink_to("../lib/batchd/bin/batchd")
        for name, place in UNITS.items():
            _file(root / place, (ROOT / "systemd" / name).read_text("utf-8"))
        _file(root / "usr/share/batchd/config.toml", configuration())
        _file(root / "usr/share/doc/batchd/copyright", (ROOT / "LICENSE").read_text("utf-8"))
        size = sum(each.lstat().st_size for each in root.rglob("*")) // 1024
        control = (HERE / "debian" / "control").read_text("utf-8")
        named = {"version": version, "architecture": architecture, "size": size, "python": depends(python)}
        _file(root / "DEBIAN/control", control.format(**named))
        _file(root / "DEBIAN/md5sums", _sums(root))
        for name in SCRIPTS:
            _file(root / "DEBIAN" / name, (HERE / "debian" / name).read_text("utf-8"), 0o755)
        target.mkdir(parents=True, exist_ok=True)
        made = target / f"batchd_{version}_{architecture}.deb"
        subprocess.run(
            ["/usr/bin/dpkg-deb", "--root-owner-group", "-Zgzip", "-b", root, made], check=True, stdout=sys.stderr
        )
    return made


def configuration() -> str:
    """The configuration for the unit: folders as in systemd/examples/folders.toml, and the key from systemd."""
    text = (ROOT / "config.toml").read_text("utf-8")
    example = (ROOT / "systemd/examples/folders.toml").read_text("utf-8")
    for name, folder in re.findall(r'^(\w+) = "(/[^"]+)"$', example, re.MULTILINE):
        text, found = re.subn(rf'^{name} = "{name}"', f'{name} = "{folder}"', text, flags=re.MULTILINE)
        assert found == 1, name
    text, found = re.subn(r'^api_key = "env:\w+"', 'api_key = "credential:api_key"', text, flags=re.MULTILINE)
    assert found == 1
    return re.sub(r'^# plugin_dir = "plugins.d"', 'plugin_dir = "/etc/batchd/plugins.d"', text, flags=re.MULTILINE)


def depends(python: str = PYTHON) -> str:
    """The package of exactly this Python: the modules in C fit no other."""
    return f"python{_said(python, '-c', 'import sys; print(*sys.version_info[:2], sep=chr(46))')}"


def _environment(root: Path, wheel: Path, python: str) -> None:
    """The virtual environment as it will be in its place: nothing in it names where it was built."""
    place = root / PLACE
    subprocess.run([python, "-m", "venv", "--without-pip", place], check=True)
    install = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet", "--no-compile"]
    lock = Path(place, "requirements.txt")
    lock.write_text(_locked())
    subprocess.run([*install, "--require-hashes", "--no-deps", "--requirement", lock], check=True)
    lock.unlink()
    subprocess.run([*install, "--no-deps", wheel], check=True)
    exact = f"/usr/bin/{depends(python)}"
    for link in ("python", "python3", depends(python)):
        (place / "bin" / link).unlink(missing_ok=True)
        (place / "bin" / link).symlink_to(exact)
    for script in (place / "bin").iterdir():
        if script.is_symlink() or script.name == "batchd":
            continue
        script.unlink()  # those of other packages, and the activation of the environment
    command = place / "bin" / "batchd"
    command.write_text(f"#!/{PLACE}/bin/python\n" + command.read_text("utf-8").partition("\n")[2])
    (place / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {depends(python).removeprefix('python')}\n"
    )
    # The daemon may not write there, so each start would compile all that it imports.
    compile_all = [place / "bin" / "python", "-m", "compileall", "-q", "-j", "0", "-s", root, "-p", "/"]
    subprocess.run([*compile_all, "--invalidation-mode", "unchecked-hash", place / "lib"], check=True)


def _locked() -> str:
    """The lines of the lock file for what batchd needs, without what is for development."""
    from importlib.metadata import distribution

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    wanted: set[str] = set()
    open_names = ["batchd"]
    while open_names:
        name = open_names.pop()
        extras = {"aiohttp"} if name == "openai" else {""}
        for line in distribution(name).requires or ():
            each = Requirement(line)
            if each.marker is not None and not any(each.marker.evaluate({"extra": extra}) for extra in extras):
                continue
            found = canonicalize_name(each.name)
            if found not in wanted:
                wanted.add(found)
                open_names.append(found)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements-dev.lock").read_text("utf-8"))
    chosen = [block for block in blocks if canonicalize_name(re.split(r"[=\[ ;]", block, maxsplit=1)[0]) in wanted]
    return "\n".join(chosen) + "\n"


def _wheel(target: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT]
    subprocess.run(command, check=True, stdout=sys.stderr)
    [made] = target.glob("batchd-*.whl")
    return made


def _version() -> str:
    text = (ROOT / "daemon/batchd/__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    assert found is not None
    return found[1]


def _sums(root: Path) -> str:
    files = sorted(each for each in root.rglob("*") if each.is_file() and not each.is_symlink())
    named = ((hashlib.md5(each.read_bytes(), usedforsecurity=False).hexdigest(), each) for each in files)
    return "".join(f"{digest}  {each.relative_to(root)}\n" for digest, each in named)


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def _said(program: str, *arguments: str) -> str:
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    os.umask(0o022)
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheel", type=Path, help="a wheel that is built already")
    parser.add_argument("--target", type=Path, default=ROOT / "dist", help="the folder of the package")
    parser.add_argument("--version", help="of the package, if not that of batchd with -1")
    parser.add_argument("--without-packages", action="store_true", help="a package that only has the right form")
    given = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        sys.exit("dpkg-deb is missing: a package for Debian is built on Debian.")
    print(build(given.target, wheel=given.wheel, packages=not given.without_packages, version=given.version))
