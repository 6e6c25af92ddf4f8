from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.errors import AxiomRLError
from axiomrl.runs import files

from .conftest import StartPython


def test_json_is_strict_and_counts_what_was_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"a": math.nan, "b": [math.inf, 1.5, {"c": -math.inf}], "d": None, "e": True}
    assert files.write_json(path, value) == 3
    assert json.loads(path.read_text()) == {
        "a": None,
        "b": [None, 1.5, {"c": None}],
        "d": None,
        "e": True,
    }


def test_json_holds_numpy_numbers_paths_and_any_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"n": np.int64(3), "x": np.float32(0.5), "p": tmp_path, "s": "ü\u2028\udc80", "t": (1,)}
    files.write_json(path, value)
    assert files.read_json(path) == {
        "n": 3,
        "x": 0.5,
        "p": str(tmp_path),
        "s": "ü\u2028\udc80",
        "t": [1],
    }


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)  # fmt: skip
def test_what_json_can_hold_is_read_back_equal(
    value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    files.write_json(path, value, durable=False)
    assert files.read_json(path) == value


def test_failing_writer_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("out of ideas")

    with pytest.raises(RuntimeError, match="out of ideas"):
        files.write_atomically(path, write)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_temporary_file_is_hidden_and_in_the_same_folder(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_text("new")

    files.write_atomically(tmp_path / "step_5.pt", write)
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(".step_5.pt.")
    assert seen[0].name.endswith(".tmp")
    assert (tmp_path / "step_5.pt").read_text() == "new"


def test_stale_temporaries_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.json.12-0.tmp", ".a.json.tmp", "a.tmp", ".hidden", "step_1.pt"):
        (tmp_path / name).write_text("")
    files.remove_stale_temporaries(tmp_path)
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == [".a.json.tmp", ".hidden", "a.tmp", "step_1.pt"]


@pytest.mark.parametrize("place", ["file/a.json", "missing/a.json"])
def test_unwritable_place_is_an_error_that_names_the_path(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AxiomRLError, match=place):
        files.write_json(tmp_path / place, {})
    with pytest.raises(AxiomRLError, match=place):
        files.AppendFile(tmp_path / place)


def test_a_file_is_kept_if_it_is_not_to_be_replaced(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("new")

    files.write_atomically(tmp_path / "a", write, replace=False)
    assert (tmp_path / "a").read_text() == "new"
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileExistsError):
        files.write_atomically(tmp_path / "a", write, replace=False)
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_copy_replaces_the_destination(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old and longer")
    files.copy_atomically(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "new"


def test_csv_has_a_header_and_plain_newlines(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a.csv", ["run", "x"], [[0, 1.5], ["a,b", None]])
    assert (tmp_path / "a.csv").read_bytes() == b'run,x\n0,1.5\n"a,b",\n'


def test_rows_are_one_json_object_per_line(tmp_path: Path) -> None:
    rows = files.JsonLines(tmp_path / "m.jsonl")
    assert rows.append_row({"step": 1, "x": 0.1}) == ()
    assert rows.append_row({"step": 2, "x": math.nan, "y": math.inf}) == ("x", "y")
    assert rows.append_row({"step": np.int64(3), "x": np.float32(0.5), "s": "ü"}) == ()
    rows.close()
    assert (tmp_path / "m.jsonl").read_text() == (
        '{"step": 1, "x": 0.1}\n{"step": 2, "x": null, "y": null}\n'
        '{"step": 3, "x": 0.5, "s": "ü"}\n'
    )


def test_length_counts_what_is_still_held_back(tmp_path: Path) -> None:
    rows = files.JsonLines(tmp_path / "m.jsonl")
    rows.append_row({"step": 1})
    length = rows.length
    rows.flush()
    assert length == rows.length == (tmp_path / "m.jsonl").stat().st_size > 0
    rows.close()


def test_much_data_is_not_held_back(tmp_path: Path) -> None:
    file = files.AppendFile(tmp_path / "a")
    for _ in range(100):
        file.append(bytes(1000))
    assert (tmp_path / "a").stat().st_size >= 100_000 - (1 << 16)
    file.close()


def test_truncating_drops_rows_that_were_held_back(tmp_path: Path) -> None:
    rows = files.JsonLines(tmp_path / "m.jsonl")
    rows.append_row({"step": 1})
    rows.flush()
    length = rows.length
    rows.append_row({"step": 2})
    rows.truncate(length)
    rows.append_row({"step": 3})
    rows.close()
    assert (tmp_path / "m.jsonl").read_text() == '{"step": 1}\n{"step": 3}\n'


@pytest.mark.parametrize("torn", ['{"step": 3, "x"', "{" + " " * 9000])
def test_torn_last_line_is_dropped_when_a_log_is_opened(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1}\n' + torn)
    files.JsonLines(path).close()
    assert path.read_text() == '{"step": 1}\n'
    path.write_text(torn)
    files.JsonLines(path).close()
    assert path.read_text() == ""


FULL_DISK = """
import resource
folder = Path(sys.argv[1])
rows = files.JsonLines(folder / "m.jsonl")
rows.append_row({"step": 1})
rows.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for attempt in (
    lambda: files.write_json(folder / "a.json", {"a": "x" * 10_000}),
    lambda: files.copy_atomically(folder / "large", folder / "a.json"),
    lambda: (rows.append_row({"a": "x" * 10_000}), rows.flush()),
):
    try:
        attempt()
    except files.AxiomRLError as error:
        print(error)
"""


def test_full_disk_is_a_clear_error_and_keeps_what_was_there(
    tmp_path: Path, start_python: StartPython
) -> None:
    (tmp_path / "a.json").write_text('{"old": 1}')
    (tmp_path / "large").write_bytes(bytes(10_000))
    output, errors = start_python(FULL_DISK, tmp_path).communicate(timeout=60)
    assert errors == ""
    for name in ("a.json", "a.json", "m.jsonl"):
        assert f"{tmp_path / name}: cannot be written: File too large" in output
    assert output.count("make room") == 3
    assert (tmp_path / "a.json").read_text() == '{"old": 1}'
    assert (tmp_path / "m.jsonl").read_text() == '{"step": 1}\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "large", "m.jsonl"]


KILLED_WRITERS = """
import json, signal, time
folder = Path(sys.argv[1])
for attempt in range(8):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b".")
        count = 0
        while True:
            count += 1
            files.write_json(
                folder / "a.json", {"count": count, "text": "x" * 5000}, durable=False
            )
    os.read(reader, 1)
    time.sleep(0.01 + 0.0037 * attempt)  # a different moment each time
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(json.loads((folder / "a.json").read_text())["count"])
"""


def test_killed_writer_never_leaves_half_a_file(tmp_path: Path, start_python: StartPython) -> None:
    output, errors = start_python(KILLED_WRITERS, tmp_path).communicate(timeout=60)
    assert errors == ""
    counts = [int(line) for line in output.splitlines()]
    assert len(counts) == 8
    assert all(count > 0 for count in counts)
    files.remove_stale_temporaries(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
