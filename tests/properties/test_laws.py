"""What holds of every camera's law."""

import json

import numpy as np
import pytest
from hypothesis import strategies as st

import tfp_noiseflow as nf
from tests.properties.cases import for_all, isos, names, seeds

# Of cameras, and of numbers far from any; in units that are 100 times as large too, beta1 is below
# 1 at ISO 100.
numbers = st.lists(st.floats(-40.0, -6.0), min_size=5, max_size=5).map(np.array)
factors = st.floats(0.01, 100.0)


@for_all(50, logs=numbers, iso=isos, factor=factors, camera=names)
def test_a_law_in_other_units_of_iso_is_the_same_law(logs, iso, factor, camera):
    law = nf.CameraLaw.from_five_numbers(logs, camera=camera)
    powers = np.array([1, 0, 2, 1, 0])
    other = nf.CameraLaw.from_five_numbers(logs - powers * np.log(factor), camera=camera)
    np.testing.assert_allclose(law(iso), other(iso * factor), rtol=1e-9)
    # More ISO is never less noise.
    assert np.all(np.array(law(2 * iso)) >= np.array(law(iso)))
    np.testing.assert_allclose(law.five_numbers(), logs, rtol=1e-12)
    again = nf.CameraLaw.from_config(json.loads(json.dumps(law.to_config())))
    assert again == law and hash(again) == hash(law)


@for_all(
    40,
    logs=numbers,
    ratios=st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4),
    channels=st.sampled_from((3, 4)),
    iso=isos,
)
def test_laws_of_colours_are_told_in_other_channels(logs, ratios, channels, iso):
    law = nf.CameraLaw.from_five_numbers(logs[:, None] + ratios[:channels])
    for other in (1, 3, 4):
        told = law.in_channels(other)
        assert told.channels == other
        for own, values in zip(law(iso), told(iso), strict=True):
            assert own.min() * (1 - 1e-9) <= np.min(values)
            assert np.max(values) <= own.max() * (1 + 1e-9)
    assert nf.noise_profile(law, iso, 3).shape == (6,)
    np.testing.assert_allclose(
        nf.noise_profile(law, iso, 1), np.ravel(law.in_channels(1)(iso)), rtol=1e-12
    )


@for_all(8, seed=seeds, count=st.integers(1, 4))
def test_generic_cameras_are_the_same_again_and_so_is_the_law_of_their_table(seed, count):
    laws = nf.generic_cameras(seed, count)
    assert laws[0] == nf.generic_cameras(seed, 1)[0]
    for law in laws:
        table_isos = np.geomspace(50, 25600, 8)
        fit = nf.CameraTable(law.camera, table_isos, *law(table_isos)).fit()
        assert np.abs(fit.relative_residual_beta1).max() < 1e-6
        assert np.abs(fit.relative_residual_beta2).max() < 1e-6
        np.testing.assert_allclose(fit.law(3000.0), law(3000.0), rtol=1e-6)


@for_all(30, beta1=st.lists(st.floats(), max_size=3), beta2=st.lists(st.floats(), max_size=4))
def test_numbers_that_are_no_law_are_refused(beta1, beta2):
    values = [*beta1, *beta2]
    is_law = (
        (len(beta1), len(beta2)) == (2, 3)
        and all(0 <= value < np.inf for value in values)
        and any(beta1)
        and any(beta2)
        and sum(beta1) <= 1
    )
    if is_law:
        nf.CameraLaw(tuple(beta1), tuple(beta2))
    else:
        with pytest.raises(ValueError, match="expected"):
            nf.CameraLaw(tuple(beta1), tuple(beta2))
