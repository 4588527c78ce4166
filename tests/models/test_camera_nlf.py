"""Camera NLF: tables of beta1 and beta2 by camera and ISO, for all channels or for each."""

import json

import numpy as np
import pytest

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, LAWS_BY_CHANNEL, images

# [2, M, K, C]
TABLES = np.stack([np.stack(law(ISO_LEVELS)) for law in LAWS_BY_CHANNEL], axis=1)


def case():
    clean = np.abs(images((3, 4, 6, 4), seed=1)) % 1
    return clean, images(clean.shape, seed=2, scale=0.02)


def test_a_table_by_channel_gives_each_channel_its_own_variance():
    clean, noise = case()
    model = nf.CameraNLF(CAMERAS, ISO_LEVELS, *TABLES, dtype="float64")
    assert model.channels == 4
    given = {"iso": ISO_LEVELS, "camera": [2, 0, 1]}
    rows = TABLES[:, [2, 0, 1], [0, 1, 2]][:, :, np.newaxis, np.newaxis]
    variance = rows[0] * clean + rows[1]
    expected = -0.5 * np.sum(noise**2 / variance + np.log(2 * np.pi * variance), axis=(1, 2, 3))
    np.testing.assert_allclose(model(clean, **given).log_prob(noise), expected, rtol=1e-12)


def test_tables_of_laws_are_the_laws_at_their_isos():
    clean, noise = case()
    given = {"iso": ISO_LEVELS, "camera": [2, 0, 1]}
    table = nf.CameraNLF(CAMERAS, ISO_LEVELS, *TABLES, dtype="float64")
    law = nf.NoiseFlow.from_laws(LAWS_BY_CHANNEL, dtype="float64")
    expected = law(clean, **given).log_prob(noise)
    np.testing.assert_allclose(table(clean, **given).log_prob(noise), expected, rtol=1e-12)


def test_a_camera_is_unknown_at_an_iso_where_a_channel_is_nan():
    tables = TABLES.copy()
    tables[1, 0, 2, 3] = np.nan
    model = nf.CameraNLF(CAMERAS, ISO_LEVELS, *tables)
    assert not model.known.holds(1600, "Alpha") and model.known.holds(1600, "Beta")
    clean = np.full((1, 4, 4, 4), 0.5, np.float32)
    with pytest.raises(ValueError, match="known together"):
        model(clean, iso=1600, camera="Alpha")
    config = json.loads(json.dumps(model.get_config()))
    again = nf.CameraNLF.from_config(config)
    np.testing.assert_array_equal(again.beta1, model.beta1)
    np.testing.assert_array_equal(again.beta2, model.beta2)


def test_cameras_of_two_tables_by_channel_are_joined():
    both = nf.CameraNLF(CAMERAS[:2], ISO_LEVELS, *TABLES[:, :2]).with_cameras_of(
        nf.CameraNLF(CAMERAS[2:], ISO_LEVELS, *TABLES[:, 2:])
    )
    assert both.cameras == CAMERAS
    np.testing.assert_allclose(both.beta1, TABLES[0], rtol=1e-6)
    shared = nf.CameraNLF(CAMERAS[2:], ISO_LEVELS, *TABLES[:, 2:, :, 0])
    with pytest.raises(ValueError, match="of channels=4, received channels=None"):
        nf.CameraNLF(CAMERAS[:2], ISO_LEVELS, *TABLES[:, :2]).with_cameras_of(shared)


def test_images_of_other_channels_are_refused():
    model = nf.CameraNLF(CAMERAS, ISO_LEVELS, *TABLES)
    with pytest.raises(ValueError, match="of 4 channels, received"):
        model(np.full((1, 4, 4, 1), 0.5, np.float32), iso=100, camera="Alpha")


@pytest.mark.parametrize(
    "beta1", [TABLES[0, :2], TABLES[0, ..., :3], TABLES[0, 0], TABLES[0, 0, 0]]
)
def test_tables_of_other_shapes_are_refused(beta1):
    with pytest.raises(ValueError, match=r"expected tables of shape \[3, 3\]"):
        nf.CameraNLF(CAMERAS, ISO_LEVELS, beta1, TABLES[1])
