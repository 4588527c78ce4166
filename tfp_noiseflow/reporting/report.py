"""The report of an evaluation: report.json, report.md with its pictures, report.html."""

from __future__ import annotations

import os
import tempfile

from tfp_noiseflow.atomic_write import write_json, write_text
from tfp_noiseflow.evaluation.measurement import Measurement
from tfp_noiseflow.evaluation.report_content import MODEL
from tfp_noiseflow.models.model_directory import read_history
from tfp_noiseflow.reporting import plots
from tfp_noiseflow.reporting.html import html
from tfp_noiseflow.reporting.markdown import CAPTIONS, markdown
from tfp_noiseflow.reporting.plots.looks import evaluated_name


def write_report(
    measurement: Measurement,
    output_dir: str | os.PathLike,
    *,
    model_dir: str | os.PathLike | None = None,
) -> list[str]:
    """Writes report.json, report.md and the pictures that it shows, and report.html.

    All is written beside its place and renamed at the end, report.json as the last: where it is
    there, the report is whole, and a report that fails leaves the one before as it was.

    Args:
      measurement: of `measure`.
      output_dir: made if it is not there; files of an earlier report are replaced.
      model_dir: where `history.csv`, the training log, is looked for; without one the pictures of
        training are left out.

    Returns:
      The paths written.
    """
    output_dir = os.fspath(output_dir)
    os.makedirs(output_dir, exist_ok=True)
    report = measurement.report
    name = evaluated_name(report)

    history = plots.history_columns([] if model_dir is None else read_history(model_dir))
    # Beside the report that may be there, which stays whole when something fails.
    with tempfile.TemporaryDirectory(dir=output_dir, suffix=".partial") as beside:

        def place(name):
            return os.path.join(beside, name)

        # Steps scale too: with them beta1 and gamma alone mean nothing.
        has_steps = "x" in str(report["models"][MODEL].get("name"))
        is_drawn = {
            "pictures.png": plots.plot_pictures(
                measurement.examples, place("pictures.png"), model_name=name
            ),
            "patches.png": plots.plot_patches(
                measurement.examples, place("patches.png"), model_name=name
            ),
            "histograms.png": plots.plot_histograms(
                measurement.conditions,
                measurement.edges,
                measurement.counts,
                place("histograms.png"),
                model_name=name,
            ),
            "photon_transfer.png": plots.plot_photon_transfer(
                report["photon_transfer"], place("photon_transfer.png"), model_name=name
            ),
            "dark_patches.png": plots.plot_dark_patches(
                report["dark_patches"], place("dark_patches.png"), model_name=name
            ),
            "training.png": plots.plot_training(history, place("training.png")),
            "beta.png": not has_steps and plots.plot_beta(history, place("beta.png")),
            "gain.png": plots.plot_gain(history, place("gain.png")),
        }
        pictures = [name for name in CAPTIONS if is_drawn[name]]
        text = markdown(report, pictures)
        write_text(place("report.md"), text)
        write_text(place("report.html"), html(text, beside))
        write_json(place("report.json"), report)
        # From here on there are renames alone. Pictures of an earlier report that this one lacks
        # would pass for its own.
        for name in ("report.json", *CAPTIONS):
            if os.path.exists(os.path.join(output_dir, name)):
                os.remove(os.path.join(output_dir, name))
        for name in (*pictures, "report.md", "report.html", "report.json"):
            os.replace(place(name), os.path.join(output_dir, name))
    written = ("report.json", "report.md", "report.html", *pictures)
    return [os.path.join(output_dir, name) for name in written]
