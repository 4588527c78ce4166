"""What is chosen by name, and what where nothing is said.

Plain data that imports nothing: commands show it in their help, and tell wrong names, before
TensorFlow is imported, which takes seconds.
"""

# A law, rows and shape, without steps; letters in `models/letters.py`.
RECOMMENDED_ARCHITECTURE = "L-R-P"

# Those of the paper's table 2, and flows of any ISO: a law for each camera, alone and with as many
# steps as the paper's half and whole. The last one is the reports' own model.
EXPERIMENT_ARCHITECTURES = (
    "S-G",
    "S-G-CAM",
    "S-Ax1-G-Ax1-CAM",
    "L",
    "L-Ax4",
    "L-Ax8",
    "S-Ax4-G-Ax4-CAM",
)

# Where captures are kept in training, see `captures/cached_captures.py`.
CACHES = ("none", "memory", "device", "auto")

# Of tf.distribute, see `training/replicas.py`.
STRATEGIES = ("one", "mirrored", "multi_worker")

# What gives simulated captures their noise, see `simulation/simulate_captures.py`.
PROCESSES = ("sensor", "second_sensor", "gaussian", "reference")

# How frames lie in a folder, see `calibration/frame_pairs.py` and `calibration/dark_bank.py`.
FRAME_LAYOUTS = ("folder", "sid", "eld")
DARK_FRAME_LAYOUTS = ("folder", "aim2025")

# What denoisers are trained on, by the name of their folders, and by which loss.
DENOISER_SOURCES = {
    "gaussian": "Gaussian, random sigma",
    "camera_nlf": "camera NLF, as reported",
    "recalibrated_nlf": "recalibrated NLF",
    "noise_flow": "Noise Flow",
    "real": "the captures' own pairs",
}
DENOISER_LOSSES = ("squared_error", "log_error")

# A new camera's few numbers start near where they end; small batches give few captures as many
# steps. An experiment adds cameras with so many captures.
NEW_CAMERA_BATCH_SIZE, NEW_CAMERA_LEARNING_RATE = 16, 5e-2
NEW_CAMERA_PATCHES = (64, 256, 1024)
