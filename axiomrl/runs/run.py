"""One run directory being written: its state, metrics, checkpoints and best checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from axiomrl.config import config_to_mapping, dump_config
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import AxiomRLError, Interrupted, RunAliveError
from axiomrl.runs import files, layout, provenance
from axiomrl.runs.clock import Clock, timestamp, utc_now
from axiomrl.runs.creation import (
    Parent,
    benchmark_block,
    first_metadata,
    make_directory,
    remove_directory,
    unusable_output,
)
from axiomrl.runs.events import EventWriter, event_file_name
from axiomrl.runs.ownership import DirectoryLock, alive_error, refuse_if_alive
from axiomrl.runs.reopening import RunSettings, read_metadata, read_settings

_HEARTBEAT_EVERY = timedelta(seconds=10)


class Run:
    """A run directory that this process alone writes; a context manager that ends the run.

    Leaving the block without an exception completes the run; `Interrupted` and KeyboardInterrupt
    leave it interrupted, any other exception failed. The exception always propagates.
    """

    def __init__(
        self,
        directory: Path,
        metadata: dict[str, Any],
        settings: RunSettings,
        *,
        lock: DirectoryLock,
        now: Clock,
    ) -> None:
        """Only for `create` and `reopen`."""
        self.directory = directory
        self.metadata = metadata
        self._settings = settings
        self._lock = lock
        self._now = now
        self._written_at = now()
        self._rows = files.JsonLines(directory / layout.METRICS)
        self._events = self._open_events() if settings.tensorboard else None

    @classmethod
    def create(
        cls,
        config: TrainConfig,
        *,
        directory: Path | None = None,
        command: Sequence[str] | None = None,
        parent: Parent | None = None,
        device: str = "cpu",
        engine: str = "mlp",
        now: Clock = utc_now,
    ) -> Run:
        """A new directory in `config.output_dir`, with configuration, provenance and metadata.

        `directory` is where exactly, for those that name their runs themselves. `command` is
        argv if it is not given. Raises InputError, leaving nothing behind, when the directory
        cannot be made or written, or `benchmark.manifest` cannot be used.
        """
        values = config_to_mapping(config)
        benchmark = benchmark_block(config, values, parent)
        git, diff = provenance.git()
        directory, created, added = make_directory(config, now, directory)
        lock = DirectoryLock(directory)
        try:
            (directory / layout.CHECKPOINTS).mkdir()
            files.write_text(directory / layout.CONFIG, dump_config(config), durable=False)
            if diff is not None:
                files.write_text(directory / layout.DIFF, diff, durable=False)
            metadata = first_metadata(config, benchmark, directory, created, parent)
            metadata["command"] = provenance.masked_command(command)
            metadata["system"] = provenance.system(device=device, engine=engine)
            metadata["git"] = git
            run = cls(directory, metadata, RunSettings.of(values), lock=lock, now=now)
            run._write_metadata(durable=True)
        except BaseException as error:
            lock.release()
            remove_directory(directory, added)
            if isinstance(error, OSError | AxiomRLError):
                raise unusable_output(directory, error) from error
            raise
        return run

    @classmethod
    def reopen(
        cls,
        directory: Path,
        *,
        command: Sequence[str] | None = None,
        device: str | None = None,
        engine: str | None = None,
        now: Clock = utc_now,
    ) -> Run:
        """Go on writing a run in its directory; `rewind` it before logging.

        Raises RunAliveError if a living process writes it, and RunNotFoundError if it is none or
        cannot be continued.
        """
        directory = Path(os.path.abspath(directory))
        metadata = read_metadata(directory)
        try:
            lock = DirectoryLock(directory)
        except RunAliveError as error:
            raise alive_error(directory, metadata) from error
        try:
            # Read again: what another process wrote before it gave up the lock counts.
            metadata = read_metadata(directory)
            refuse_if_alive(directory, metadata, now=now())
            settings = read_settings(directory)
            files.remove_stale_temporaries(directory)
            (directory / layout.CHECKPOINTS).mkdir(exist_ok=True)
            files.remove_stale_temporaries(directory / layout.CHECKPOINTS)
            run = cls(directory, metadata, settings, lock=lock, now=now)
            run._record_reopening(command, device, engine)
        except BaseException:
            lock.release()
            raise
        return run

    def log(self, metrics: Mapping[str, float], *, step: int, duration_s: float) -> None:
        """One row of metrics.jsonl and one TensorBoard event.

        `duration_s` is training time so far, over all the processes the run has had. A NaN or an
        infinity becomes null and is counted. Rows of evaluation metrics also rewrite metadata.
        """
        values = {name: files.plain_number(value) for name, value in metrics.items()}
        lost = self._rows.append_row({"step": step, "time_s": round(duration_s, 6), **values})
        if self._events is not None:
            self._events.append_scalars(values, step=step)
        for name in lost:
            values[name] = None
            counts = self.metadata["non_finite_metrics"]
            counts[name] = counts.get(name, 0) + 1
        self.metadata["latest_metrics"].update(values)
        if any(name.startswith("eval_") for name in values):
            self.flush()

    def record_progress(self, *, env_steps: int, gradient_steps: int, duration_s: float) -> None:
        """Say how far training is; cheap. Metadata is rewritten at most every 10 seconds."""
        self._set_progress(env_steps, gradient_steps, duration_s)
        if abs(self._now() - self._written_at) >= _HEARTBEAT_EVERY:  # clocks may be set back
            self.flush()

    def save_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        """Save `checkpoints/step_<n>.pt` with what `write(path)` writes, and prune older ones.

        The newest `checkpoint.keep` stay besides the best one; with `checkpoint.every: 0` only
        the first and the newest do. What `write` raises passes through and changes nothing.
        """
        path = self._checkpoints / layout.checkpoint_name(step)
        files.write_atomically(path, write)
        self.metadata["latest_checkpoint_path"] = str(path)
        self._flush_rows()
        self._write_metadata(durable=True)
        self._prune()
        return path

    def mark_best(self, checkpoint: Path, *, step: int, metric: str, value: float) -> None:
        """Make `best.pt` a copy of a checkpoint of this run; the value must be finite."""
        if not math.isfinite(value):
            raise AxiomRLError(f"{metric} is {value} at step {step}: that is never the best")
        best = self._checkpoints / layout.BEST
        files.copy_atomically(checkpoint, best)
        self.metadata["best_checkpoint"] = {
            "path": str(best),
            "step": step,
            "metric_name": metric,
            "metric_value": files.plain_number(value),
        }
        self.metadata["latest_metrics"][f"best_{metric}"] = files.plain_number(value)
        self._write_metadata(durable=True)
        self._prune()

    def positions(self) -> dict[str, int | str]:
        """Where metrics.jsonl and the event file end now, for a checkpoint to remember.

        Everything up to there is on the disk when this returns.
        """
        self._flush_rows(durable=True)
        return {
            "metrics": self._rows.length,
            "events": self._events.length if self._events is not None else 0,
            "events_file": self._events.path.name if self._events is not None else "",
        }

    def rewind(
        self,
        positions: Mapping[str, int | str],
        *,
        step: int,
        best: Mapping[str, Any] | None,
        latest_metrics: Mapping[str, float | None],
        non_finite: Mapping[str, int],
    ) -> None:
        """Return the directory to what it was when the checkpoint of `step` was taken.

        Later rows, events and checkpoints are dropped. Raises AxiomRLError, before anything is
        changed, if metrics.jsonl or the event file has lost rows that were written before.
        """
        events_length = int(positions["events"])
        self._check_length(self._rows, int(positions["metrics"]))
        # Someone may have removed tensorboard/: then scalars begin again here.
        events = self._events
        is_known = (
            events is not None
            and not events.is_new
            and events.path.name == positions["events_file"]
        )
        if events is not None and is_known:
            self._check_length(events, events_length)
        self._remove_checkpoints(after=step)
        self._restore_best(best)
        self._rows.truncate(int(positions["metrics"]))
        if events is not None:
            events.truncate(events_length) if is_known else events.restart()
        latest = self._checkpoints / layout.checkpoint_name(step)
        self.metadata["latest_checkpoint_path"] = str(latest)
        self.metadata["latest_metrics"] = dict(latest_metrics)
        self.metadata["non_finite_metrics"] = dict(non_finite)
        self._write_metadata(durable=True)
        self._prune()  # the kill may have come between a checkpoint and its pruning

    def restart(self) -> None:
        """Return the directory to what it was before the first step: no rows, no checkpoints."""
        self._remove_checkpoints(after=-1)
        self._restore_best(None)
        self._rows.truncate(0)
        if self._events is not None:
            self._events.restart()
        self.metadata.pop("latest_checkpoint_path", None)
        self.metadata["latest_metrics"] = {}
        self.metadata["non_finite_metrics"] = {}
        self._set_progress(0, 0, 0.0)
        self._write_metadata(durable=True)

    def flush(self) -> None:
        """Write buffered rows and events, and metadata with a fresh heartbeat."""
        self._flush_rows()
        self._write_metadata(durable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._end(error)
        except AxiomRLError as problem:
            if error is None:
                raise
            error.add_note(f"the end of the run could not be recorded either: {problem}")
        finally:
            self._lock.release()

    @property
    def _checkpoints(self) -> Path:
        return self.directory / layout.CHECKPOINTS

    def _open_events(self) -> EventWriter:
        """The newest event file, or a new one."""
        folder = self.directory / layout.TENSORBOARD
        folder.mkdir(exist_ok=True)
        existing = sorted(folder.glob("events.out.tfevents.*"))
        name = event_file_name(hostname=self.metadata["system"]["hostname"])
        return EventWriter(existing[-1] if existing else folder / name, clock=time.time)

    def _record_reopening(
        self, command: Sequence[str] | None, device: str | None, engine: str | None
    ) -> None:
        metadata = self.metadata
        before = metadata.get("system") or {}
        metadata["system"] = provenance.system(
            device=device or before.get("device", "cpu"),
            engine=engine or before.get("engine", "mlp"),
        )
        metadata.setdefault("resumes", []).append(
            {
                "at_utc": timestamp(self._now()),
                "command": provenance.masked_command(command),
                "hostname": metadata["system"]["hostname"],
                "versions": provenance.versions(),
            }
        )
        metadata["status"] = "running"
        metadata["output_dir"] = str(self.directory)
        metadata["process"] = provenance.this_process()
        for key in ("ended_at_utc", "error"):
            metadata.pop(key, None)
        for key in ("latest_metrics", "non_finite_metrics", "progress"):
            metadata[key] = metadata.get(key) or {}
        self._write_metadata(durable=True)

    def _set_progress(self, env_steps: int, gradient_steps: int, duration_s: float) -> None:
        self.metadata["progress"] = {
            "env_steps": env_steps,
            "total_timesteps": self._settings.total_timesteps,
            "gradient_steps": gradient_steps,
            "duration_s": duration_s,
            "env_steps_per_s": env_steps / duration_s if duration_s > 0 else None,
        }

    def _flush_rows(self, *, durable: bool = False) -> None:
        self._rows.flush(durable=durable)
        if self._events is not None:
            self._events.flush(durable=durable)

    def _write_metadata(self, *, durable: bool) -> None:
        self._written_at = self._now()
        self.metadata["heartbeat_utc"] = timestamp(self._written_at)
        files.write_json(self.directory / layout.METADATA, self.metadata, durable=durable)

    def _prune(self) -> None:
        saved = layout.checkpoint_files(self.directory)
        best = self.metadata.get("best_checkpoint")
        steps = [step for step in saved if best is None or step != best["step"]]
        kept = set(steps[-self._settings.checkpoint_keep :])
        if self._settings.checkpoint_every == 0:
            kept = {*list(saved)[:1], *steps[-1:]}
        for step in steps:
            if step not in kept:
                saved[step].unlink()

    def _remove_checkpoints(self, *, after: int) -> None:
        """The newest first, and before any row is dropped: each expects its rows to be there."""
        for step, path in reversed(layout.checkpoint_files(self.directory).items()):
            if step > after:
                path.unlink()

    def _check_length(self, file: files.AppendFile, length: int) -> None:
        if file.length < length:
            raise AxiomRLError(
                f"{file.path}: holds {file.length} bytes, but the checkpoint was taken when it "
                f"held {length}: it has been damaged since",
                hint="restore the file, or start the run again",
            )

    def _restore_best(self, best: Mapping[str, Any] | None) -> None:
        copy = self._checkpoints / layout.BEST
        if best is None:
            self.metadata.pop("best_checkpoint", None)
            copy.unlink(missing_ok=True)
            return
        source = self._checkpoints / layout.checkpoint_name(best["step"])
        current = self.metadata.get("best_checkpoint") or {}
        if source.exists():
            files.copy_atomically(source, copy)
        elif current.get("step") != best["step"]:
            copy.unlink(missing_ok=True)  # it came from a later step, and its source is gone
        self.metadata["best_checkpoint"] = {**best, "path": str(copy)}

    def _end(self, error: BaseException | None) -> None:
        try:
            self._rows.close()
            if self._events is not None:
                self._events.close()
        except AxiomRLError as problem:
            self._record_end(error or problem)
            raise
        self._record_end(error)

    def _record_end(self, error: BaseException | None) -> None:
        self.metadata["status"] = _final_status(error)
        self.metadata["ended_at_utc"] = timestamp(self._now())
        if error is not None and self.metadata["status"] == "failed":
            self.metadata["error"] = provenance.described_error(error)
        self._write_metadata(durable=True)


def _final_status(error: BaseException | None) -> str:
    if error is None:
        return "completed"
    return "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
