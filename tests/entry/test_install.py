"""Installed packages: an editable checkout and a wheel."""

import pathlib
import subprocess
import sys
import sysconfig
import zipfile

import numpy as np
import pytest
import soundfile

from tests.entry.programs import ROOT

pytestmark = pytest.mark.entry


def python(code: str, cwd: pathlib.Path, executable: object = sys.executable) -> str:
    """What a program prints."""
    run = subprocess.run(
        [str(executable), "-c", code], cwd=cwd, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_a_clone_named_stemjax_does_not_hide_the_package(tmp_path):
    """The clone's folder is no namespace package for scripts that lie beside it."""
    (tmp_path / "stemjax").symlink_to(ROOT, target_is_directory=True)
    code = "import stemjax, stemjax.data.spec; print(callable(stemjax.load))"
    assert python(code, tmp_path) == "True"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The project's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder]
    subprocess.run([*map(str, command), str(ROOT)], check=True, cwd=folder)
    (path,) = folder.glob("stemjax-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A new environment with the wheel; it borrows the other packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    # A path in a .pth file is added as it is: the editable install is not found by it.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    command = [folder / "bin" / "pip", "install", "-q", "--no-deps", wheel]
    subprocess.run(list(map(str, command)), check=True)
    return folder


@pytest.mark.slow
def test_the_wheel_has_one_top_level_package(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"stemjax"}


@pytest.mark.slow
def test_an_installed_wheel_samples_from_any_folder(environment, tmp_path):
    executable = environment / "bin" / "python"
    code = (
        "import sys, stemjax; heavy = {'jax', 'tensorflow'} & set(sys.modules);"
        "import importlib.util as u; import stemjax.data.spec;"
        "print(sorted(heavy), u.find_spec('data'), stemjax.__file__)"
    )
    heavy, data, place = python(code, tmp_path, executable).split()
    assert (heavy, data) == ("[]", "None")
    assert pathlib.Path(place).is_relative_to(environment)
    time = np.arange(2 * 22_050) / 22_050
    soundfile.write(tmp_path / "x.wav", 0.3 * np.sin(2 * np.pi * 220 * time), 22_050)
    command = [environment / "bin" / "stemjax", "sample", "--preset", "fast"]
    command += ["--context", "x.wav", "--instrument", "bass", "--out", "o"]
    subprocess.run(list(map(str, command)), check=True, cwd=tmp_path)
    stem, rate = soundfile.read(tmp_path / "o" / "stem.wav")
    assert (len(stem), rate) == (64_000, 32_000)
