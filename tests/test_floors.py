"""The import rules of CONTRIBUTING.md, read from the sources and seen at run time."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = [
    {"config"},
    {"arrays", "io"},
    {"nn"},
    {"codec", "models"},
    {"decode", "tasks"},
    {"train", "eval"},
    {"api"},
    {"session"},
    {"doctor", "demo"},
    {"__init__", "__main__"},
]
LINEN_ROOMS = {"nn", "codec", "models"}
TF_NAMES = {"tensorflow", "tensorflow_datasets", "array_record"}


def imports_of(path: pathlib.Path) -> set[str]:
    """Dotted names of all modules that a file imports, at any depth of the code."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floor_of(room: str) -> int | None:
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def sources(top: str) -> list[pathlib.Path]:
    return sorted((ROOT / top).rglob("*.py"))


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources("stemjax"), ids=relative)
def test_a_room_imports_only_lower_floors(path):
    parts = path.relative_to(ROOT / "stemjax").with_suffix("").parts
    here = floor_of(parts[0])
    assert here is not None, f"{path}: room {parts[0]!r} has no floor"
    names = imports_of(path)
    for name in names:
        bits = name.split(".")
        assert bits[0] not in TF_NAMES | {"data"}, f"{relative(path)} imports {name}"
        if bits[0] == "stemjax" and len(bits) > 1 and bits[1] != parts[0]:
            there = floor_of(bits[1])
            if there is not None:
                assert there < here, f"{relative(path)} imports {name}"
    if parts[0] not in LINEN_ROOMS:
        assert not any(n.startswith("flax.linen") or n == "flax" for n in names)


@pytest.mark.parametrize("path", sources("data"), ids=relative)
def test_the_host_side_never_sees_the_device_side(path):
    for name in imports_of(path):
        assert name.split(".")[0] not in {"jax", "flax", "optax", "orbax"}
        if name.startswith("stemjax"):
            assert name == "stemjax" or name.startswith("stemjax.config"), (
                f"{relative(path)} imports {name}"
            )


@pytest.mark.parametrize("path", sources("recipes"), ids=relative)
def test_recipes_start_the_scripts_and_import_neither_side(path):
    allowed = ("stemjax.config", "stemjax.io", "recipes")
    for name in imports_of(path):
        if name.split(".")[0] in {"stemjax", "data", "jax", "train"}:
            assert name.startswith(allowed), f"{relative(path)} imports {name}"


def test_the_rule_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from stemjax.train import loop\n    import data.draw\n"
    )
    assert {"stemjax.train", "data.draw"} <= imports_of(bad)
    assert floor_of("train") > floor_of("nn") > floor_of("io")


def modules_after(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", code + "; import sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return set(run.stdout.split())


def test_importing_the_package_and_its_config_is_light():
    seen = modules_after(
        "import stemjax, stemjax.config.presets, stemjax.config.decode"
    )
    assert not seen & {"jax", "flax", "tensorflow", "numpy"}


def test_sampling_and_evaluating_never_import_tensorflow():
    seen = modules_after("import stemjax.api, sample, evaluate")
    assert not seen & TF_NAMES


def test_files_stay_readable():
    long = {
        relative(p): n
        for top in ("stemjax", "data", "recipes", "tests", "benchmarks")
        for p in sources(top)
        if (n := len(p.read_text().splitlines())) > 350
    }
    assert not long
    assert not list(ROOT.glob("**/utils.py")) or all(
        ".venv" in str(p) for p in ROOT.glob("**/utils.py")
    )
