"""TensorBoard's file, written by ourselves: torch's writer has a thread that dies at a full disk with all it holds."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from system.files import append

VERSION = "brain.Event:2"
"""Of the file's form."""


class Events:
    """One events file, from one iteration on."""

    def __init__(self, run_dir: Path, iteration: int) -> None:
        """A file of its own for what comes after `iteration`; TensorBoard drops what others say about that."""
        self.path = run_dir / f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        start = Event(wall_time=time.time(), step=iteration + 1, session_log=SessionLog(status=SessionLog.START))
        self.waiting = _record(Event(wall_time=time.time(), file_version=VERSION)) + _record(start)

    def append(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Add an iteration; raises an OSError if it cannot be written yet."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        self.waiting += _record(Event(wall_time=time.time(), step=iteration, summary=Summary(value=values)))
        append(self.path, self.waiting)
        self.waiting = b""


def _record(event: Event) -> bytes:
    """An event as it stands in the file: with its length and checksums."""
    buffer = io.BytesIO()
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()
