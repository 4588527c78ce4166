"""Commands that two processes on loopback share, as the workers of a cluster do."""

import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Mapping


def two_workers(script: str, flags: Mapping, logs: pathlib.Path) -> list[subprocess.Popen]:
    """The processes of both, which write logs/worker-0.log and worker-1.log.

    Args:
      script: of train/. flags: by name. logs: a folder.
    """
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in (first, second)]
    command = [sys.executable, "-m", f"train.{script}", "--strategy=multi_worker"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        with open(logs / f"worker-{index}.log", "ab") as log:
            workers.append(
                subprocess.Popen(
                    command,
                    env=os.environ | {"TF_CONFIG": json.dumps(task)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    return workers


def finish(workers: list[subprocess.Popen], logs: pathlib.Path) -> None:
    """Waits for their ends, which are to be good."""
    for index, worker in enumerate(workers):
        assert worker.wait(timeout=240) == 0, (logs / f"worker-{index}.log").read_text()[-3000:]
