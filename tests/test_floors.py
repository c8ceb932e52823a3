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
    {"decode", "tasks", "companions"},
    {"train", "analysis"},
    {"eval", "session"},
    {"api"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
LINEN_ROOMS = {"nn", "codec", "models"}
TF_NAMES = {"tensorflow", "tensorflow_datasets", "array_record"}
DEVICE_NAMES = {"jax", "flax", "optax", "orbax"}
TOPS = ("stemjax", "data", "examples", "tests", "benchmarks")


def sources(top: str) -> list[pathlib.Path]:
    """The Python files below a folder; links are not followed."""
    return sorted(
        path
        for path in (ROOT / top).rglob("*.py")
        if (ROOT / "stemjax" / "data") not in path.parents
    )


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


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
    """The floor of a room; None if it has none."""
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def rooms_imported(path: pathlib.Path) -> set[str]:
    """The rooms of stemjax that a file imports."""
    bits = [name.split(".") for name in imports_of(path)]
    return {b[1] for b in bits if b[0] == "stemjax" and len(b) > 1}


@pytest.mark.parametrize("path", sources("stemjax"), ids=relative)
def test_a_room_imports_only_lower_floors(path):
    parts = path.relative_to(ROOT / "stemjax").with_suffix("").parts
    room = parts[0]
    if room == "__init__":
        return  # its imports are lazy
    here = floor_of(room)
    assert here is not None, f"{path}: room {room!r} has no floor"
    names = imports_of(path)
    assert not {name.split(".")[0] for name in names} & (TF_NAMES | {"data"})
    for other in rooms_imported(path) - {room}:
        if other == "data":
            assert room == "cli", f"{relative(path)} imports stemjax.data"
        elif (there := floor_of(other)) is not None:
            assert there < here, f"{relative(path)} imports {other}"
    if room not in LINEN_ROOMS and parts[0] != "companions":
        assert not any(n.startswith("flax.linen") or n == "flax" for n in names)


@pytest.mark.parametrize("path", sources("data"), ids=relative)
def test_the_host_side_never_sees_the_device_side(path):
    assert not {name.split(".")[0] for name in imports_of(path)} & DEVICE_NAMES
    assert rooms_imported(path) <= {"config", "io", "data"}


def modules_of(top: str) -> dict[str, pathlib.Path]:
    """Dotted name -> file."""
    found = {}
    for path in sources(top):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        name = ".".join(parts)
        found[f"stemjax.{name}" if top == "data" else name] = path
    return found


def test_no_module_imports_itself_in_a_circle():
    modules = modules_of("stemjax") | modules_of("data")
    edges = {}
    for name, path in modules.items():
        found = imports_of(path) & modules.keys()
        # `from package import module` needs the module, not the package's own imports
        found -= {other.rpartition(".")[0] for other in found}
        edges[name] = found - {name, "stemjax"}
    edges.pop("stemjax")
    done, path = set(), []

    def visit(name: str) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            path.append(name)
            for other in edges.get(name, ()):
                visit(other)
            path.pop()
            done.add(name)

    for name in edges:
        visit(name)


def test_the_rule_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from stemjax.train import loop\n    import stemjax.data.spec\n"
    )
    assert rooms_imported(bad) == {"train", "data"}
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
    seen = modules_after("import stemjax.api, stemjax.cli.evaluate.tables")
    assert not seen & TF_NAMES


def test_the_scripts_only_hand_over():
    for name in ("train.py", "sample.py", "evaluate.py"):
        assert len((ROOT / name).read_text().splitlines()) < 40


def test_files_stay_readable():
    long = {
        relative(p): n
        for top in TOPS
        for p in sources(top)
        if (n := len(p.read_text().splitlines())) > 350
    }
    assert not long
    assert not [p for top in TOPS for p in sources(top) if p.name == "utils.py"]
