"""The rules of CONTRIBUTING.md for imports, file sizes and names, read from the sources."""

import ast
import collections
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
PRODUCT = ("stemjax", "data")
MOST_FILES = 20  # Python files per folder of the product
MOST_LINES = 350  # per Python file


def sources(top: str) -> list[pathlib.Path]:
    """Python files below a folder, without those behind the link stemjax/data."""
    return sorted(
        path
        for path in (ROOT / top).rglob("*.py")
        if (ROOT / "stemjax" / "data") not in path.parents
    )


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: pathlib.Path) -> set[str]:
    """Dotted names of all modules that a file imports, inside functions too."""
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
    """Index of a room's floor; None if it has none."""
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def rooms_imported(path: pathlib.Path) -> set[str]:
    """The rooms of stemjax that a file imports."""
    parts = [name.split(".") for name in imports_of(path)]
    return {p[1] for p in parts if p[0] == "stemjax" and len(p) > 1}


@pytest.mark.parametrize("path", sources("stemjax"), ids=relative)
def test_a_room_imports_only_lower_floors(path):
    parts = path.relative_to(ROOT / "stemjax").with_suffix("").parts
    room = parts[0]
    if room == "__init__":
        return  # its imports are lazy
    floor = floor_of(room)
    assert floor is not None, f"{path}: room {room!r} has no floor"
    names = imports_of(path)
    assert not {name.split(".")[0] for name in names} & (TF_NAMES | {"data"})
    for other in rooms_imported(path) - {room}:
        if other == "data":
            assert room == "cli", f"{relative(path)} imports stemjax.data"
        elif (other_floor := floor_of(other)) is not None:
            assert other_floor < floor, f"{relative(path)} imports {other}"
    is_companion_model = room == "companions" and path.name == "model.py"
    if room not in LINEN_ROOMS and not is_companion_model:
        assert not any(n.startswith("flax.linen") or n == "flax" for n in names)


@pytest.mark.parametrize("path", sources("data"), ids=relative)
def test_data_imports_only_config_and_io_and_no_jax(path):
    assert not {name.split(".")[0] for name in imports_of(path)} & DEVICE_NAMES
    assert rooms_imported(path) <= {"config", "io", "data"}


def modules_of(top: str) -> dict[str, pathlib.Path]:
    """Dotted name -> file."""
    modules = {}
    for path in sources(top):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        name = ".".join(parts)
        modules[f"stemjax.{name}" if top == "data" else name] = path
    return modules


def test_imports_have_no_circle():
    modules = modules_of("stemjax") | modules_of("data")
    edges = {}
    for name, path in modules.items():
        imported = imports_of(path) & modules.keys()
        # `from package import module` depends on the module, not on the package's imports
        imported -= {other.rpartition(".")[0] for other in imported}
        edges[name] = imported - {name, "stemjax"}
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


def test_imports_inside_functions_count(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from stemjax.train import loop\n    import stemjax.data.spec\n"
    )
    assert rooms_imported(bad) == {"train", "data"}
    assert floor_of("train") > floor_of("nn") > floor_of("io")


def modules_after(code: str) -> set[str]:
    """Modules loaded after running code in a new interpreter."""
    run = subprocess.run(
        [sys.executable, "-c", code + "; import sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return set(run.stdout.split())


def test_importing_the_package_and_its_config_is_light():
    loaded = modules_after(
        "import stemjax, stemjax.config.presets, stemjax.config.decode"
    )
    assert not loaded & {"jax", "flax", "tensorflow", "numpy"}


def test_sampling_and_evaluating_never_import_tensorflow():
    loaded = modules_after("import stemjax.api, stemjax.cli.evaluate.tables")
    assert not loaded & TF_NAMES


def test_the_scripts_only_hand_over():
    for name in ("train.py", "sample.py", "evaluate.py"):
        assert len((ROOT / name).read_text().splitlines()) < 40


def test_files_stay_readable():
    long = {
        relative(p): n
        for top in TOPS
        for p in sources(top)
        if (n := len(p.read_text().splitlines())) > MOST_LINES
    }
    assert not long
    assert not [p for top in TOPS for p in sources(top) if p.name == "utils.py"]


def test_folders_stay_readable():
    files = collections.Counter(relative(p.parent) for t in PRODUCT for p in sources(t))
    assert not {folder: n for folder, n in files.items() if n > MOST_FILES}


def repeated_classes(paths) -> dict[str, list[str]]:
    """Class names that several places define, and the files that define them."""
    files = collections.defaultdict(list)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                files[node.name].append(str(path))
    return {name: defined for name, defined in files.items() if len(defined) > 1}


def test_a_class_name_has_one_meaning():
    repeated = repeated_classes(path for top in PRODUCT for path in sources(top))
    assert not repeated


def test_a_repeated_class_name_is_found(tmp_path):
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("class Row:\n    class State:\n        pass\n")
    b.write_text("class State:\n    pass\n\n\nclass Table:\n    pass\n")
    assert repeated_classes([a, b]) == {"State": [str(a), str(b)]}
