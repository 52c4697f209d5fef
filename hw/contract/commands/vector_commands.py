"""Commands of the vector stage. As in `commands`, docstrings are normative."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.commands.enums import RowPixels, Second
from fractrain.hw.contract.commands.vector_loads import Headed


@dataclass(frozen=True, kw_only=True)
class Shape(Headed):
    """An entry of the shape table: the pixels of a tensor, and strides.

    Block ``b = (i * tiles_y + y) * tiles_x + x`` of image i < ``images`` holds what a tile of a
    STORE with these fields holds; B = ``images * tiles_y * tiles_x``. Channel c of block b in group
    g < ``channel_groups`` is

    - line ``first + (g * B + b) * C + c`` in staging and side memory, where ``first`` is even, else
      it is ADDRESS;
    - in word ``first + p * plane_stride + g * plane_group_stride + b`` of the plane memory, p its
      plane;
    - in the word at ``first + word_bytes * ((q + p) * stash_stride + g * stash_group_stride + b)``
      in memory, where q is 0 for x̂, ``mask_plane``, ``activation_plane`` or ``residual_plane``.

    Its records and moments are those of number g * C + c from the first on. Pixels outside the
    image are 0 in all that is made, and count nowhere. Planes are the most significant first.
    """

    entry: int
    channel_groups: int = 1
    row_pixels: RowPixels = RowPixels.WHOLE
    tiles_x: int = 1
    tiles_y: int = 1
    images: int = 1
    valid_x: int = 255
    valid_y: int = 255
    plane_stride: int = 0
    plane_group_stride: int = 0
    stash_stride: int = 0
    stash_group_stride: int = 0
    mask_plane: int = 0
    activation_plane: int = 0
    residual_plane: int = 0


@dataclass(frozen=True, kw_only=True)
class Channel(Headed):
    """The numbers of each channel of a chunk, from its moments: of ``channel_groups * C`` channels.

    n = ``pixels``, as docs/numerics.md has it without running statistics (λ = 0, δ = 0): a
    ``share`` of them other than 0 is COUNT, as are 2^17 pixels. Forward, with Σy and Σy² of the
    moments,

        μ' = round(16 * Σy / n)              D = n * Σy² - (Σy)²
        M  = the reciprocal root of D' = max(D, n² * 32²), n

    go to the chunk record, whose other fields become 0. Backward, with ΣE and ΣE·x̂ of the moments,
    γC of the norm record, ``gain_shift`` of the scale record, g of the bits of x̂:

        T₁' = sat20(round(16 * ΣE / n))      T₂' = round(2^(6-g) * ΣE·x̂ / n)
        A  = sat18(round(γC * M * 2^-gain_shift))
        B̄  = -clip25(round(A * T₂' * 2^-9))

    To memory, from ``address`` on, go forward the chunk records, 16 bytes each, and behind them Σy
    and D of each channel, 8 bytes each; backward ΣE and ΣE·x̂, 8 bytes each.
    """

    pixels: int
    backward: bool = False
    end: bool = False
    kept_slot: int = 0
    channel_groups: int = 1
    share: int = 0
    scale: int = 0
    norm: int = 0
    chunk: int = 0
    moments: int = 0
    address: int = 0


@dataclass(frozen=True, kw_only=True)
class Normalize(Headed):
    """x̂ of a shortcut, which a FORM adds later.

        x̂ = clip12(round((16 y - μ') * M * 2^-18))

    of the y at ``source`` goes to ``destination``, which may be the same; with ``stashed``, at the
    OUTER bits of ``kept_slot``, ``clip(round(x̂ * 2^-(8-g)))`` to the stash.
    """

    shape: int
    kept_slot: int = 0
    source: int = 0
    destination: int = 0
    chunk: int = 0
    stashed: bool = False
    stash: int = 0


@dataclass(frozen=True, kw_only=True)
class Form(Headed):
    """z of a batch norm and what is added to it, and all that is made of z.

        x̂ = clip(round((16 y - μ') * M * 2^-(26-g)))       INNER bits; with ``end`` 12 bits, g = 8
        z = (G * x̂ + B if ``normalized``) + second
        a = clip(round(z * 2^-(19-b)), 0, 2^b - 1)          b: activation bits of ``form_slot``
        r = clip(round(z * 2^-(19-c)), 0, 2^c - 1)          c: ``residual_bits``
        mask = z > 0

    ``second`` is nothing; RESIDUAL: ``round(ρ * r' * 2^-(c-8))``, r' the line of the side memory,
    ρ of the scale record ``second_record``; SHORTCUT: ``G * x̂' + B``, x̂' the line of the staging
    memory, of the norm records from ``second_record`` on. Where a residual is all there is, r is
    r'.

    With ``planed`` a goes to the plane memory, with ``kept`` r and the mask to the side memory.
    To the stash go x̂ (with ``end`` rounded to the OUTER bits of ``kept_slot``, as NORMALIZE does),
    mask, a, and the top 8 planes of r, each by its flag. Without activation bits in ``form_slot``
    there is no a. With ``pooled`` the sum of r over the image, 32 bits, goes to byte ``pool + 4 *
    ((i * channel_groups + g) * C + c)``. Peak ``peak`` becomes the greatest z if that is more,
    unless a residual is all there is.

    With ``skipped`` the command is carried out only if operand or partner have 0 bits.
    """

    shape: int
    skipped: bool = False
    normalized: bool = True
    end: bool = False
    second: Second = Second.NONE
    planed: bool = False
    kept: bool = False
    stash_normalized: bool = False
    stash_mask: bool = False
    stash_activations: bool = False
    stash_residual: bool = False
    pooled: bool = False
    kept_slot: int = 0
    form_slot: int = 0
    residual_bits: int = 8
    source: int = 0
    second_address: int = 0
    norm: int = 0
    chunk: int = 0
    second_record: int = 0
    planes: int = 0
    side: int = 0
    stash: int = 0
    pool: int = 0
    peak: int = 0


@dataclass(frozen=True, kw_only=True)
class Recompute(Headed):
    """Activations inside a block, from the x̂ in the side memory, as FORM has made them:
    ``z = G * x̂ + B``, a to the plane memory, and the mask beside x̂."""

    shape: int
    kept_slot: int = 0
    form_slot: int = 0
    side: int = 0
    norm: int = 0
    planes: int = 0


@dataclass(frozen=True, kw_only=True)
class Carry(Headed):
    """The error of another tensor as E of this one.

        total = mask * sat24(round(E' * 2^-stream_shift))       of the scale record
        E = sat16(total)

    of the E' at ``source`` goes to ``destination``, which may be the same. With ``spread`` E' is
    one value for all pixels of an image and channel: number c of line ``source + i * channel_groups
    + g``. Mask, moments and peak are as of JOIN. With ``skipped`` the command is carried out only
    if operand or partner have 0 bits.
    """

    shape: int
    skipped: bool = False
    spread: bool = False
    source: int = 0
    destination: int = 0
    scale: int = 0
    masked: bool = False
    mask_slot: int = 0
    side_address: int = 0
    totals: bool = False
    start: bool = True
    moments: int = 0
    peak: int = 0


@dataclass(frozen=True, kw_only=True)
class Apply(Headed):
    """The quantized error before a batch norm, into the plane memory.

        W = (16 E - T₁') * A + B̄ * x̂ * 2^(7-g)              of the chunk records
        e = clip(floor(W * 2^-F + (2 u + 1) / 512))          F = 32 - bits

    ``bits`` are those of ``operand``, the error. e is within ±(2^(bits-1) - 1), of one bit -1 or 0.
    u are the 8 random bits of `hw.contract.random_bits`: of the registers' seed and step, of
    ``tensor``, and of image ``first_image + i``, channel g * C + c, and the pixel's number in the
    image, where a row has the pixels that are inside of all of its tiles. A row of one tile is
    filled whole, to a half or to a quarter, several tiles are whole blocks, else it is COUNT. Peak
    ``peak`` becomes the greatest |W| if that is more.
    """

    shape: int
    end: bool = False
    kept_slot: int = 0
    source: int = 0
    side: int = 0
    chunk: int = 0
    planes: int = 0
    tensor: int = 0
    first_image: int = 0
    peak: int = 0


@dataclass(frozen=True, kw_only=True)
class Spill(Headed):
    """Lines of the staging memory into memory, whatever the slot: FILL the other way."""

    address: int
    runs: int = 1
    lines: int = 1
    run_stride: int = 0
    source: int = 0
    source_run_stride: int = 0


@dataclass(frozen=True, kw_only=True)
class Report(Headed):
    """Peaks into memory, 8 bytes each, whatever the slot: ``blocks`` blocks from ``address`` on, of
    the peaks from ``first`` on, which become 0."""

    address: int
    first: int = 0
    blocks: int = 1


@dataclass(frozen=True, kw_only=True)
class Quantize(Headed):
    """Weights of ``blocks`` blocks, in planes.

        q = clip(round(w * mantissa * 2^-shift))      of the scale record

    ``bits`` are those of ``operand``, the weight. w is 32 bits signed, pixel m, channel c of block
    b at ``source + 4 * ((b * P + m) * C + c)``; q is within ±(2^(bits-1) - 1), of one bit -1 or 0,
    and its plane p in the word at ``destination + word_bytes * (p * plane_stride + b)``.
    """

    scale: int = 0
    source: int = 0
    destination: int = 0
    blocks: int = 1
    plane_stride: int = 0


@dataclass(frozen=True, kw_only=True)
class Update(Headed):
    """New weights and momenta of the two half-blocks, a and b, of a tile of the gradient memory.

        v = sat32(momentum(v) + decay(w) + gradient(round(sum * 2^-before)))
        w = sat32(w - floor(v * mantissa * 2^-shift + (2 u + 1) / 512))       of ``rate``, sat33

    The factors are those of the update record, each ``sat33(round(x * mantissa * 2^-shift))``; the
    sum is cut to 32 bits behind its shift, which loses nothing if ``before`` is chosen so. A
    ``rate`` with a shift of 8 or less is such a factor, too, without u.

    Half-block j = 0 (a), 1 (b): filter f, channel c has the sum of row j C + c, column f of the
    tile whose beats begin at ``gradient_address``. Its w is at ``address + 4 * (f * C + c)``, its v
    ``velocity`` bytes behind. u are random bits of ``tensor``: of image 0, channel ``filter_group *
    C + f`` and pixel ``(group * C + c) * taps + tap``. Half-blocks that are not enabled are not
    touched. If operand or partner have 0 bits, sums count as 0.

    Peak ``peak`` becomes the greatest |w| if that is more; the next one grows by Σs², with s =
    sat16(round(w * 2^-16)).
    """

    gradient_address: int = 0
    a_enable: bool = False
    a_address: int = 0
    a_group: int = 0
    a_tap: int = 0
    b_enable: bool = False
    b_address: int = 0
    b_group: int = 0
    b_tap: int = 0
    velocity: int = 0
    filter_group: int = 0
    taps: int = 1
    rule: int = 0
    tensor: int = 0
    peak: int = 0
