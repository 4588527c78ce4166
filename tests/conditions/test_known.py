"""What a model knows: one answer, whether its ISOs are levels, a range or any."""

import types

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tfp_noiseflow.conditions.conditions import Camera, Iso
from tfp_noiseflow.conditions.known import Known

CAMERAS = ("Pixel", "Nexus")
LEVELS = Known.of({"iso": Iso((100, 800)), "camera": Camera(2)}, CAMERAS)
LIMITS = Known.of({"iso": Iso(limits=(50, 6400)), "camera": Camera(2)}, CAMERAS)
ANY = Known.of({"iso": Iso()})
PAIRS = Known.of({"iso": Iso((100, 800)), "camera": Camera(2, ((100.0,), (100.0, 800.0)))}, CAMERAS)
NOTHING = Known.of({})


@pytest.mark.parametrize(
    ("known", "iso", "camera", "is_held"),
    [
        (LEVELS, 100, "Pixel", True),
        (LEVELS, 100.001, "Pixel", True),  # A rounding of the label.
        (LEVELS, 101, "Pixel", False),
        (LEVELS, 100, "Typo", False),
        (LEVELS, None, "Nexus", True),
        (LEVELS, 800, None, True),
        (LEVELS, 800, 1, True),
        (LEVELS, 800, 2, False),
        (LIMITS, 640, "Pixel", True),
        (LIMITS, 40, "Pixel", False),
        (LIMITS, float("nan"), "Pixel", False),
        (ANY, 12345, None, True),
        (ANY, -1, None, False),
        (PAIRS, 800, "Pixel", False),
        (PAIRS, 800, "Nexus", True),
        (PAIRS, None, "Pixel", True),
        (NOTHING, 3, None, True),
        (NOTHING, 0, None, False),
    ],
)
def test_a_camera_at_an_iso_is_held_or_not(known, iso, camera, is_held):
    assert known.holds(iso, camera) is is_held
    if is_held:
        known.require([(camera, iso)])
    else:
        with pytest.raises(ValueError, match=r"expected .*camera.*ISO.*, received "):
            known.require([(camera, iso)])


def test_what_is_required_is_named_with_all_that_is_known():
    with pytest.raises(
        ValueError,
        match=r"expected cameras among \['Pixel', 'Nexus'\] at ISOs among 100, 800, together: "
        r"Pixel at ISO 100, Nexus at ISO 100, Nexus at ISO 800, received 'Pixel' at ISO 800\.",
    ):
        PAIRS.require([("Nexus", 800), ("Pixel", 800)])
    with pytest.raises(ValueError, match=r"ISOs from 50 to 6400, received 'Pixel' at ISO 10000"):
        LIMITS.require([("Pixel", 10000)])


def test_pairs_to_show_are_known_ones():
    assert LEVELS.pairs() == [("Pixel", 100), ("Pixel", 800), ("Nexus", 100), ("Nexus", 800)]
    assert PAIRS.pairs() == [("Pixel", 100), ("Nexus", 100), ("Nexus", 800)]
    assert LIMITS.pairs() == [(name, iso) for name in CAMERAS for iso in (100, 400, 1600, 6400)]
    assert {camera for camera, _ in ANY.pairs()} == {None}
    assert NOTHING.pairs() == [(None, None)]


def captures(**pairs):
    camera = np.array([name for name in pairs for _ in pairs[name]])
    iso = np.array([iso for isos in pairs.values() for iso in isos], np.float64)
    return types.SimpleNamespace(
        path="captures.h5",
        camera=camera.astype(object),
        iso=iso,
        cameras=tuple(sorted(set(camera.tolist()))),
        iso_levels=tuple(sorted(set(iso.tolist()))),
    )


def test_captures_are_checked_with_both_sets_in_the_error():
    for known in (LEVELS, LIMITS, ANY, NOTHING):
        known.check_captures(captures(Pixel=[100, 800], Nexus=[800]))
    with pytest.raises(ValueError, match=r"captures.h5: .*\['Nexus', 'Pixel'\].*unknown: \['X'\]"):
        LEVELS.check_captures(captures(Pixel=[100], X=[100]))
    with pytest.raises(ValueError, match=r"captures.h5: .*ISOs 100, 800 .*ISOs 100, 640"):
        LEVELS.check_captures(captures(Pixel=[100, 640]))
    with pytest.raises(ValueError, match=r"50 to 6400 .*ISOs 100, 9000"):
        LIMITS.check_captures(captures(Pixel=[100, 9000]))
    with pytest.raises(ValueError, match=r"captures.h5: .* together: .*'Pixel' at ISO 800"):
        PAIRS.check_captures(captures(Pixel=[100, 800], Nexus=[800]))


def test_names_go_with_a_condition_of_their_number():
    for conditions, names in (({"camera": Camera(3)}, CAMERAS), ({"camera": Camera(2)}, None)):
        with pytest.raises(ValueError, match=r"names of . cameras, as the bijector declares"):
            Known.of(conditions, names)
    with pytest.raises(ValueError, match="names of no cameras"):
        Known.of({}, CAMERAS)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Iso(), Iso((100, 800)), Iso((100, 800))),
        (Iso((100, 400, 800)), Iso((800, 100)), Iso((100, 800))),
        (Iso(limits=(50, 500)), Iso((100, 800)), Iso((100,))),
        (Iso(limits=(50, 500)), Iso(limits=(200, 900)), Iso(limits=(200, 500))),
        (Iso(is_needed=False), Iso(), Iso()),
        (Camera(2), Camera(2, ((100.0,), ())), Camera(2, ((100.0,), ()))),
        (
            Camera(2, ((100.0, 400.0), (100.0,))),
            Camera(2, ((400.0,), (100.0,))),
            Camera(2, ((400.0,), (100.0,))),
        ),
    ],
)
def test_conditions_meet_in_what_satisfies_both(one, other, both):
    assert one.meet(other) == both
    assert (
        {*(other.meet(one).levels or ())} == {*(both.levels or ())}
        if "levels" in vars(both)
        else other.meet(one) == both
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Iso((100,)), Iso((200,))),
        (Iso(limits=(50, 90)), Iso((100,))),
        (Iso(limits=(50, 90)), Iso(limits=(100, 200))),
        (Camera(2), Camera(3)),
        (Iso(), Camera(2)),
    ],
)
def test_conditions_that_nothing_satisfies_contradict_each_other(one, other):
    for a, b in ((one, other), (other, one)):
        with pytest.raises(ValueError, match="expected conditions that can hold together"):
            a.meet(b)


def test_rules_of_rows_are_those_of_calls():
    """What the server answers a row with is what a call raises."""
    model = nf.CameraNLF(CAMERAS, (100, 800), [[1e-3, np.nan], [1e-3, 2e-3]], np.full((2, 2), 1e-6))
    camera = tf.constant(["Pixel", "Typo", "Pixel", "Nexus", "Pixel"])
    iso = tf.constant([100.0, 100.0, 800.0, 800.0, -3.0])
    rules = model.known.rules(iso, camera)
    is_valid = np.all([rule.is_valid for rule in rules[:-1]], axis=0)
    np.testing.assert_array_equal(is_valid, [True, False, True, True, False])
    np.testing.assert_array_equal(rules[-1].is_valid[2:4], [False, True])
    clean = np.full((1, 2, 2, 4), 0.5)
    for row in range(5):
        rule_holds = all(bool(rule.is_valid[row]) for rule in rules)
        try:
            model(clean, iso=float(iso[row]), camera=camera[row : row + 1])
        except ValueError as error:
            assert not rule_holds
            assert any(
                rule.expected in str(error) for rule in rules if not bool(rule.is_valid[row])
            ), error
        else:
            assert rule_holds
