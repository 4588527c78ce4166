import numpy as np
import pytest

from tfp_noiseflow.captures.bayer import pack_bayer, unpack_bayer

# A 4 x 4 mosaic whose values are 10 * row + column.
MOSAIC = 10 * np.arange(4)[:, None] + np.arange(4)

# The value that the first 2x2 cell holds under each colour, written out by hand.
FIRST_CELL = {
    "RGGB": {"R": 0, "Gr": 1, "Gb": 10, "B": 11},
    "GRBG": {"Gr": 0, "R": 1, "B": 10, "Gb": 11},
    "GBRG": {"Gb": 0, "B": 1, "R": 10, "Gr": 11},
    "BGGR": {"B": 0, "Gb": 1, "Gr": 10, "R": 11},
}


@pytest.mark.parametrize("cfa", FIRST_CELL)
def test_packing_puts_r_gr_gb_b_in_this_order(cfa):
    packed = pack_bayer(MOSAIC, cfa)
    assert packed.shape == (2, 2, 4)
    first = [FIRST_CELL[cfa][color] for color in ("R", "Gr", "Gb", "B")]
    for row in range(2):
        for column in range(2):
            expected = np.array(first) + 20 * row + 2 * column
            np.testing.assert_array_equal(packed[row, column], expected)


@pytest.mark.parametrize("cfa", FIRST_CELL)
def test_gr_shares_its_row_with_red_and_gb_with_blue(cfa):
    rows = pack_bayer(MOSAIC, cfa)[0, 0] // 10
    assert rows[0] == rows[1] and rows[2] == rows[3] and rows[0] != rows[2]


@pytest.mark.parametrize("cfa", FIRST_CELL)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_unpacking_undoes_packing_for_any_batch(cfa, dtype):
    mosaic = np.random.default_rng(0).integers(0, 1024, (2, 3, 6, 8)).astype(dtype)
    packed = pack_bayer(mosaic, cfa)
    assert packed.shape == (2, 3, 3, 4, 4)
    restored = unpack_bayer(packed, cfa)
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, mosaic)


@pytest.mark.parametrize("shape", [(3, 4), (4, 5), (4,)])
def test_odd_sizes_are_refused_with_the_shape(shape):
    with pytest.raises(ValueError, match=rf"H and W even.*received shape \[{shape[0]}"):
        pack_bayer(np.zeros(shape), "RGGB")


def test_an_image_that_is_not_packed_is_refused():
    with pytest.raises(ValueError, match=r"H/2, W/2, 4.*received shape \[2, 2, 3\]"):
        unpack_bayer(np.zeros((2, 2, 3)), "RGGB")


@pytest.mark.parametrize("function", [pack_bayer, unpack_bayer])
def test_an_unknown_cfa_is_refused_with_the_known_ones(function):
    with pytest.raises(ValueError, match=r"RGGB.*GRBG.*GBRG.*BGGR.*received 'RYYB'"):
        function(np.zeros((4, 4, 4)), "RYYB")
