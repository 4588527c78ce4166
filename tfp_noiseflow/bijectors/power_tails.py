"""A transformation that gives a standard normal number power-law tails and skew, standardised.

```none
tails     z = x sqrt(q(r) / r),  r = x^2,  q(r) = r + c ((e^(h r) - 1) / h - r)
skew      y = (C z + S sqrt(1 + z^2) - m) / s,  C = sqrt(1 + S^2)
```

c >= 0 is how much of the tails there is and h their index: P(|z| > a) falls as a^(-1 / h). With
c = 1 z is nearly Student's t with 1 / h degrees of freedom, of which x is Wallace's normal
deviate; with 0 < c < 1 a Gaussian's body with such tails, as read noise with rare jumps has. S is
sinh of the shift e of a sinh-arcsinh transformation. c = 0 and S = 0 is the identity.

m and s are the mean and the standard deviation, so that y has the mean 0 and the variance 1:

```none
V   = E z^2 = 1 + c (((1 - 2 h)^(-1/2) - 1) / h - 1)
m   = S A,  A = E sqrt(1 + z^2)
s^2 = (1 + 2 S^2) V + S^2 (1 - A^2)
```

A is a polynomial in c and h, within 0.0021 for c up to 4 and h from 0.01 to 0.3: the mean of y is
within 0.0021 |S| of 0 and its variance within 0.006 S^2 of 1, both exact where S = 0.

The inverse solves q(r) = z^2, two steps of Halley's method and one of Newton's from a bound above,
which leave less than a rounding; what else there is has closed forms.

References: Wallace. Bounds on normal approximations to Student's and the chi-square distributions.
Annals of Mathematical Statistics 1959. Jones, Pewsey. Sinh-arcsinh distributions. Biometrika 2009.
"""

from __future__ import annotations

import math

import tensorflow as tf

# What A is at c = 0, and its polynomial by powers of h for c, c^2 and c^3, each from h on.
NORMAL_A = 1.35453081
A_OF_C = ((0.273780, 0.894409), (0.027509, -0.329360), (-0.004105, 0.036124))

# Up to which A is that.
LARGEST_AMOUNT = 4.0
LARGEST_INDEX = 0.3

# h r up to which tails are a power law; beyond, z is proportional to x. At h = 0.3 that is from 10
# standard deviations of x on, where z is some 10^6.
FARTHEST = 30.0

# By dtype, how many steps of Halley's method leave 1e-4 and 1e-12 of r.
STEPS = {tf.float32: 2, tf.float64: 3}

# Below, tails are taken as this for the bound from which the steps start.
LEAST_AMOUNT = 1e-9

# For quotients that are 0 / 0.
SMALLEST = 1e-30


class StandardPowerTails:
    """The transformation, of each value by its own parameters.

    Args:
      skew: S, a tensor that broadcasts with the values.
      amount: c, likewise, in [0, 4].
      index: h, likewise, in (0, 0.3].
    """

    def __init__(self, skew: tf.Tensor, amount: tf.Tensor, index: tf.Tensor):
        self._skew, self._amount, self._index = skew, amount, index
        square = tf.square(skew)
        of_tails = (tf.math.rsqrt(1 - 2 * index) - 1) / index - 1
        variance = 1 + amount * of_tails
        first, second, third = (index * (a + index * b) for a, b in A_OF_C)
        length = NORMAL_A + amount * (first + amount * (second + amount * third))
        self._cosh = tf.sqrt(1 + square)
        self._mean = skew * length
        self._deviation = tf.sqrt(variance + square * (1 + 2 * variance - tf.square(length)))

    def forward(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """y and log dy/dx, of each value."""
        u = self._index * tf.square(x)
        growth, slope = _growth(u)
        ratio = 1 + self._amount * ((growth + SMALLEST) / (u + SMALLEST) - 1)
        root = tf.sqrt(ratio)
        z = x * root
        length = tf.sqrt(1 + tf.square(z))
        y = (self._cosh * z + self._skew * length - self._mean) / self._deviation
        # q'(r) x / z.
        of_tails = (1 + self._amount * (slope - 1)) / root
        of_skew = self._cosh + self._skew * z / length
        return y, tf.math.log(of_tails * of_skew / self._deviation)

    def inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """x and log dx/dy, of each value."""
        raw = self._mean + self._deviation * y
        z, of_skew = self._without_skew(raw)
        root, _, slope = self._without_tails(z)
        return z * root, tf.math.log(of_skew * self._deviation / (slope * root))

    def inverse_interval(
        self, middle: tf.Tensor, half_width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The middle and half the width of what an interval of y is carried to.

        Not by a difference of its edges, which would lose digits where the interval is narrow. With
        k = x / z at both edges, the difference of x is that of z times

            (k1 + k2) / 2 + ((z1 + z2) / 2)^2 (1 / D - k1^2) / (z2^2 (k1 + k2) / 2),

        where D is the mean of q' between the edges, known without a difference too, and z2 is the
        farther edge.

        Args:
          middle, half_width: of intervals, of one shape; a width of 0 but for rounding is carried
            by the slope.
        """
        raw, half = self._mean + self._deviation * middle, self._deviation * half_width
        below, _ = self._without_skew(raw - half)
        above, _ = self._without_skew(raw + half)
        lengths = tf.sqrt(1 + tf.square(raw - half)) + tf.sqrt(1 + tf.square(raw + half))
        half *= self._cosh - self._skew * 2 * raw / lengths

        is_above = above + below >= 0
        near, far = tf.where(is_above, below, above), tf.where(is_above, above, below)
        near_root, near_u, _ = self._without_tails(near)
        far_root, far_u, _ = self._without_tails(far)
        root = 0.5 * (near_root + far_root)
        # q' is 1 - c + c e^u, e^u not growing beyond the farthest u: its mean between the edges.
        start = tf.minimum(near_u, FARTHEST)
        apart = tf.maximum(tf.minimum(far_u, FARTHEST) - start, 0)
        mean = tf.exp(start) * (tf.math.expm1(apart) + SMALLEST) / (apart + SMALLEST)
        share = (apart + SMALLEST) / (tf.maximum(far_u - near_u, 0) + SMALLEST)
        beyond = share * mean + (1 - share) * math.exp(FARTHEST)
        # Not by the share alone: e^30 would magnify its rounding where it is 1.
        mean = tf.where(far_u > FARTHEST, beyond, mean)
        slope = 1 + self._amount * (mean - 1)
        centre = tf.square(0.5 * (near + far)) / (tf.square(far) + SMALLEST)
        ratio = root + centre * (1 / slope - tf.square(near_root)) / root
        return 0.5 * (near * near_root + far * far_root), half * ratio

    def _without_skew(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z and dz / d raw, for raw = C z + S sqrt(1 + z^2)."""
        length = tf.sqrt(1 + tf.square(raw))
        return self._cosh * raw - self._skew * length, self._cosh - self._skew * raw / length

    def _without_tails(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """x / z, h r and q'(r)."""
        scaled = self._index * tf.square(z)
        u = _solved(scaled, self._amount)
        root = tf.sqrt((u + SMALLEST) / (scaled + SMALLEST))
        _, slope = _growth(u)
        return root, u, 1 + self._amount * (slope - 1)


def _growth(u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """e^u - 1 and its slope, a line from the farthest u on."""
    near = tf.minimum(u, FARTHEST)
    growth = tf.math.expm1(near)
    slope = 1 + growth
    return growth + (u - near) * slope, slope


def _solved(target: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """u >= 0 with u + c (e^u - 1 - u) = target."""

    def residual(u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        growth, slope = _growth(u)
        return u + amount * (growth - u) - target, 1 + amount * (slope - 1), amount * slope

    dtype = target.dtype
    # Both are above the solution, or it is beyond the farthest.
    amount_of_bound = tf.clip_by_value(amount, LEAST_AMOUNT, 1)
    u = tf.minimum(target, tf.math.log1p(target / amount_of_bound))
    for _ in range(STEPS[dtype]):
        value, slope, bend = residual(u)
        bend = tf.where(u > FARTHEST, tf.zeros_like(bend), bend)
        u -= 2 * value * slope / (2 * tf.square(slope) - value * bend)
    # The last step carries the gradients, which are those of the solution.
    u = tf.stop_gradient(u)
    value, slope, _ = residual(u)
    return tf.maximum(u - value / tf.stop_gradient(slope), 0)
