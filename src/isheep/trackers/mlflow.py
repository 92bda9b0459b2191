"""MLflow, through its client: MLFLOW_TRACKING_URI says where, by default the folder STORE/mlruns."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

# Before the import: what it reads from the environment. Its makers are not told that it is used, files are a store
# like any other, and a server that is away is given up after seconds and not after minutes.
for _name, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("MLFLOW_ALLOW_FILE_STORE", "true"),
    ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
    ("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
):
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param  # noqa: E402

from isheep.trackers.base import About, Points  # noqa: E402

#: The tag by which a run is found again.
TAG = "isheep.id"
#: Most of each that one call may hold, and the longest value (MLflow's own limits).
METRICS, PARAMS, LONGEST = 1000, 100, 500


class MLflow:
    def start(self, about: About) -> None:
        place = os.environ.get("MLFLOW_TRACKING_URI") or (about.store / "mlruns").as_uri()
        self._client = MlflowClient(tracking_uri=place)
        known = self._client.get_experiment_by_name(about.project)
        experiment = known.experiment_id if known else self._client.create_experiment(about.project)
        found = self._client.search_runs([experiment], f"tags.`{TAG}` = '{about.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        self._id = self._client.create_run(experiment, run_name=about.name, tags={TAG: about.id}).info.run_id
        params = [Param(name, str(value)[:LONGEST]) for name, value in _flat(about.config)]
        while params:
            self._client.log_batch(self._id, params=params[:PARAMS])
            params = params[PARAMS:]

    def metrics(self, points: Sequence[Points]) -> None:
        now = int(time.time() * 1000)
        rest = (Metric(name, value, now, p.at) for p in points for name, value in p.values.items())
        while batch := list(islice(rest, METRICS)):
            self._client.log_batch(self._id, metrics=batch)

    def artifact(self, path: Path) -> None:
        self._client.log_artifact(self._id, str(path))

    def finish(self) -> None:
        self._client.set_terminated(self._id)


def _flat(config: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{name}.")
        else:
            yield head + name, value
