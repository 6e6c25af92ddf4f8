"""The rules that keep layers apart and commands quick, checked on source and in processes.

`docs/explanation/architecture.md` explains them.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.runs.run import Run

PACKAGE = Path(__file__).resolve().parent.parent / "axiomrl"
SOURCES = sorted(PACKAGE.rglob("*.py"))

HEAVY = {"torch", "gymnasium"}  # at module level only where training happens
LOADED_ON_USE = {
    "pandas", "matplotlib", "scipy", "optuna", "ray", "submitit", "psutil", "tensorboard", "fsspec",
    "s3fs",
}  # fmt: skip

# Low to high. A unit may import units of a lower layer, and itself.
LAYERS = (
    {"errors", "metrics"},
    {"algorithms"},  # the registry: names of classes, imported on demand
    {"statistics"},  # arrays in, estimates out
    {"config"},
    {"fingerprint"},
    {"suites"},
    {"runs"},
    {"tracking", "artifacts"},
    {"results"},
    {"records"},
    {"reports"},
    {"runtime"},  # training/ and the files of algorithms/
    {"study"},
    {"search"},
    {"cli"},
    {"__main__"},
)


@dataclass(frozen=True)
class Import:
    """One module named by an import statement."""

    module: str
    line: int
    is_deferred: bool  # inside a function: happens only when that is called


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def imports_of(tree: ast.AST) -> Iterator[Import]:
    """Every module that code imports; what only type checkers see is left out."""
    yield from _imports(tree, is_deferred=False)


def _imports(node: ast.AST, *, is_deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, is_deferred)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                module = inner if inner in MODULES else str(child.module)
                yield Import(module, child.lineno, is_deferred)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _imports(other, is_deferred=is_deferred)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, is_deferred=is_deferred or is_function)


def unit_of(module: str) -> str:
    """What of LAYERS a module belongs to."""
    parts = module.split(".")
    if parts[1:2] == ["training"] or (parts[1:2] == ["algorithms"] and len(parts) > 2):
        return "runtime"
    return parts[1] if len(parts) > 1 else "axiomrl"


def layer_of(unit: str) -> int:
    return next(place for place, units in enumerate(LAYERS) if unit in units)


@cache
def imports_of_module(module: str) -> list[Import]:
    return list(imports_of(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


# Rule 1: what is heavy is loaded where it is used


def misplaced_imports(module: str, imports: list[Import]) -> list[str]:
    """Imports of heavy libraries that would cost every command their loading time."""
    is_runtime = unit_of(module) == "runtime"
    found = []
    for each in imports:
        library = each.module.partition(".")[0]
        too_early = library in LOADED_ON_USE or (library in HEAVY and not is_runtime)
        if too_early and not each.is_deferred:
            found.append(f"{module}:{each.line} imports {each.module} at module level")
    return found


def test_heavy_libraries_are_imported_only_where_they_are_used() -> None:
    assert [each for m in MODULES for each in misplaced_imports(m, imports_of_module(m))] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("axiomrl.cli.zoo", "import torch"),
        ("axiomrl.runs.run", "if True:\n    from gymnasium import spaces"),
        ("axiomrl.training.loop", "class A:\n    import pandas.io"),
    ],
)
def test_a_heavy_import_at_module_level_would_be_noticed(module: str, source: str) -> None:
    assert len(misplaced_imports(module, list(imports_of(ast.parse(source))))) == 1
    deferred = "def f():\n    " + source.replace("\n", "\n    ")
    assert misplaced_imports(module, list(imports_of(ast.parse(deferred)))) == []


# Rule 2: algorithms stand alone


def forbidden_to_algorithms(module: str, imports: list[Import]) -> list[str]:
    """What an algorithm's file imports of other algorithms, and of those who use algorithms."""
    allowed = {"axiomrl.algorithms", "axiomrl.algorithms.protocol", module}
    found = []
    for each in imports:
        parts = each.module.split(".")
        other = parts[:2] == ["axiomrl", "algorithms"] and each.module not in allowed
        above = parts[0] == "axiomrl" and parts[1:2] in (["runs"], ["study"], ["cli"])
        if other or above:
            found.append(f"{module}:{each.line} imports {each.module}")
    return found


ALGORITHM_FILES = [name for name in MODULES if name.startswith("axiomrl.algorithms.")]


def test_algorithms_import_neither_one_another_nor_runs_study_or_cli() -> None:
    assert "axiomrl.algorithms.ppo" in ALGORITHM_FILES
    for module in ALGORITHM_FILES:
        assert forbidden_to_algorithms(module, imports_of_module(module)) == []


def test_an_algorithm_that_imports_another_would_be_noticed() -> None:
    source = "def f():\n    from axiomrl.algorithms import ppo\n    import axiomrl.runs.run"
    imports = list(imports_of(ast.parse(source)))
    assert len(forbidden_to_algorithms("axiomrl.algorithms.dqn", imports)) == 2


# Rule 3: who calls an algorithm, and who resets environments

OWNERS = {
    ("algorithm", "explorer"): {"axiomrl.training.loop"},
    ("algorithm", "observe"): {"axiomrl.training.loop"},
    ("algorithm", "update"): {"axiomrl.training.loop"},
    ("algorithm", "policy"): {"axiomrl.training.evaluation"},
    ("env", "step"): {"axiomrl.training.environments", "axiomrl.training.evaluation"},
    ("env", "reset"): {"axiomrl.training.environments", "axiomrl.training.evaluation"},
}
TRIES_ENVIRONMENTS = "axiomrl.cli.health"  # `doctor` steps one of each family


def misplaced_verbs(module: str, source: str) -> list[str]:
    """Uses of an algorithm's or an environment's verbs outside of the files that own them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            for (noun, verb), modules in OWNERS.items():
                if noun in owner and verb == node.attr and module not in modules:
                    found.append(f"{module}:{node.lineno} uses {owner}.{verb}")
    return found


def test_only_the_loop_trains_and_only_the_evaluation_scores() -> None:
    for module, path in MODULES.items():
        if module != TRIES_ENVIRONMENTS:
            assert misplaced_verbs(module, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source", ["self._env.step(action)", "step = env.step", "self.algorithm.policy(1)"]
)
def test_an_algorithm_that_steps_an_environment_would_be_noticed(source: str) -> None:
    assert len(misplaced_verbs("axiomrl.algorithms.dqn", source)) == 1


# Rule 4: statistics see arrays only


def test_statistics_import_no_files_and_nothing_else_of_axiomrl() -> None:
    modules = [name for name in MODULES if name.startswith("axiomrl.statistics")]
    imports = {each.module for name in modules for each in imports_of_module(name)}
    others = {each for each in imports if not each.startswith("axiomrl.statistics")}
    assert "numpy" in others
    assert not {each for each in others if each.startswith("axiomrl")} - {"axiomrl.errors"}
    assert not others & {"os", "io", "pathlib", "shutil", "json", "csv", "sqlite3"}


# Rule 5: one module writes JSON, JSON lines and CSV

WRITE_BYTES = {  # no text at all
    "axiomrl.training.checkpoints",
    "axiomrl.training.replay_files",
    "axiomrl.artifacts.content",
}
TEST_SUITES = {"axiomrl.artifacts.contract"}  # no part of the program: write what they like
TEXT_FORMATS = {"json", "csv", "msgspec", "yaml"}
WRITING_METHODS = {"write_text", "write_bytes", "to_csv", "to_json", "savetxt", "tofile"}
FLAGS_FOR_WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}


def writes_in(source: str) -> list[str]:
    """Calls that open a file for writing, other than through `axiomrl.runs.files`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: {ast.unparse(call)}" for call in calls if _writes(call)]


def _writes(call: ast.Call) -> bool:
    function = ast.unparse(call.func)
    name = function.rpartition(".")[2]
    if function == "os.open" and ast.unparse(call.args[0]) != "os.devnull":
        return bool(FLAGS_FOR_WRITING & set(ast.unparse(call.args[1]).replace(".", " ").split()))
    if name == "open" and function != "os.open":
        mode = call.args[1:2] if function == "open" else call.args[:1]
        mode += [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
        return any(set("wax+") & set(ast.unparse(part)) for part in mode)
    if function in ("yaml.dump", "yaml.safe_dump"):  # with a second argument: into a stream
        return len(call.args) > 1 or any(each.arg == "stream" for each in call.keywords)
    is_method = "." in function and function != "files.write_text"
    return function == "json.dump" or (is_method and name in WRITING_METHODS)


def test_only_runs_files_opens_files_for_writing() -> None:
    for module in sorted(set(MODULES) - WRITE_BYTES - TEST_SUITES - {"axiomrl.runs.files"}):
        assert writes_in(MODULES[module].read_text(encoding="utf-8")) == [], module


def test_modules_that_write_bytes_know_no_text_formats() -> None:
    for module in sorted(WRITE_BYTES & set(MODULES)):
        source = MODULES[module].read_text(encoding="utf-8")
        assert "write_text" not in source
        libraries = {each.module.partition(".")[0] for each in imports_of_module(module)}
        assert not libraries & TEXT_FORMATS


@pytest.mark.parametrize(
    "source",
    [
        "json.dump(value, stream)",
        "path.write_text(json.dumps(value))",
        "csv.writer(open(path, 'w'))",
        "path.open(mode='a')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "frame.to_csv(path)",
        "yaml.dump(values, stream)",
    ],
)
def test_writing_a_file_elsewhere_would_be_noticed(source: str) -> None:
    assert len(writes_in(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "json.dumps(value)",
        "csv.writer(io.StringIO())",
        "open(path, 'rb')",
        "path.open()",
        "files.write_text(path, text)",
        "os.open(path, os.O_RDONLY)",
        "yaml.dump(values, sort_keys=False)",
    ],
)
def test_reading_and_building_text_are_not_taken_for_writing(source: str) -> None:
    assert writes_in(source) == []


# Rule 6 and the layers


def wrong_ways(module: str, imports: list[Import]) -> list[str]:
    """Imports that lead to a higher layer, or to another unit of the same one."""
    mine = unit_of(module)
    found = []
    for each in imports:
        theirs = unit_of(each.module)
        if each.module.partition(".")[0] != "axiomrl" or theirs in ("axiomrl", mine):
            continue
        if layer_of(theirs) >= layer_of(mine):
            found.append(f"{module}:{each.line} imports {each.module}")
    return found


def test_imports_lead_from_high_layers_to_low_ones() -> None:
    modules = set(MODULES) - {"axiomrl"}  # the public names, resolved when they are asked for
    assert [each for m in modules for each in wrong_ways(m, imports_of_module(m))] == []


def test_an_import_of_a_higher_layer_would_be_noticed() -> None:
    imports = list(imports_of(ast.parse("def f():\n    from axiomrl.cli import app")))
    assert len(wrong_ways("axiomrl.runs.run", imports)) == 1
    assert len(wrong_ways("axiomrl.training.loop", imports)) == 1
    assert wrong_ways("axiomrl.__main__", imports) == []


def test_commands_reach_the_runtime_only_inside_functions() -> None:
    found = [
        f"{module}:{each.line}"
        for module in MODULES
        if unit_of(module) not in ("runtime", "axiomrl")
        for each in imports_of_module(module)
        if unit_of(each.module) == "runtime" and not each.is_deferred
    ]
    assert found == []


# The same in real processes

PROBE = """\
import json, sys
from axiomrl.cli.app import main
codes = [main(arguments) for arguments in json.loads(sys.argv[1])]
heavy = ("torch", "gymnasium", "numpy", "pandas", "pydantic")
loaded = [name for name in heavy if name in sys.modules]
sys.stderr.write("\\n" + json.dumps([codes, loaded]))
"""


def loaded_by(folder: Path, *commands: Sequence[str]) -> list[str]:
    """Which heavy libraries commands leave loaded, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    codes, loaded = json.loads(done.stderr.splitlines()[-1])
    assert codes == [0] * len(commands), done.stderr
    names: list[str] = loaded
    return names


def test_help_loads_no_heavy_library(tmp_path: Path) -> None:
    assert loaded_by(tmp_path, ["--help"]) == []


def test_zoo_reads_runs_without_torch_and_gymnasium(tmp_path: Path) -> None:
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 10}
    with Run.create(config_from_mapping({**values, "output_dir": str(tmp_path / "runs")})):
        pass
    loaded = loaded_by(tmp_path, ["zoo", "--format", "report", "--runs-dir", "runs"])
    assert not {"torch", "gymnasium", "pandas", "pydantic"} & set(loaded)


def test_runs_are_managed_without_torch_and_gymnasium(tmp_path: Path) -> None:
    commands = ["runs list", "runs show ppo", "runs diff ppo ppo", "runs gc", "runs rm ppo"]
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 10}
    with Run.create(config_from_mapping({**values, "output_dir": str(tmp_path / "runs")})):
        pass
    loaded = loaded_by(tmp_path, *map(str.split, commands))
    assert not {"torch", "gymnasium", "numpy", "pandas"} & set(loaded)


def test_checking_a_configuration_needs_no_torch(tmp_path: Path) -> None:
    path = PACKAGE.parent / "configs" / "ppo" / "cartpole.yaml"
    loaded = loaded_by(tmp_path, ["config", "--config", str(path)])
    assert not {"torch", "gymnasium", "pandas"} & set(loaded)


def test_fingerprints_of_suites_need_neither_torch_nor_gymnasium() -> None:
    code = (
        "import sys; from axiomrl.suites import shipped_manifests; "
        "assert all(manifest.fingerprint for manifest in shipped_manifests()); "
        "sys.exit(bool({'torch', 'gymnasium', 'pandas'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


def test_importing_axiomrl_imports_nothing_heavy() -> None:
    code = (
        "import sys, axiomrl; "
        "sys.exit(bool({'torch', 'gymnasium', 'numpy', 'yaml', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
