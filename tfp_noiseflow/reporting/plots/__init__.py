"""Pictures, one a file. Matplotlib is imported when one is drawn, not with the library.

Each function writes a PNG and returns whether there was anything to draw.
"""

from tfp_noiseflow.reporting.plots.dark_patches import plot_dark_patches
from tfp_noiseflow.reporting.plots.histograms import plot_histograms
from tfp_noiseflow.reporting.plots.history import history_columns
from tfp_noiseflow.reporting.plots.layers import plot_beta, plot_gain
from tfp_noiseflow.reporting.plots.learning_curves import plot_training, plot_trainings
from tfp_noiseflow.reporting.plots.likelihood_and_cost import plot_likelihood_and_cost
from tfp_noiseflow.reporting.plots.patches import plot_patches
from tfp_noiseflow.reporting.plots.photon_transfer import plot_photon_transfer
from tfp_noiseflow.reporting.plots.pictures import plot_pictures

__all__ = [
    "history_columns",
    "plot_beta",
    "plot_dark_patches",
    "plot_gain",
    "plot_histograms",
    "plot_likelihood_and_cost",
    "plot_patches",
    "plot_photon_transfer",
    "plot_pictures",
    "plot_training",
    "plot_trainings",
]
