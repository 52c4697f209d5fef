"""All claims, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from fractrain.host.rebuttal import (
    against_eyeriss,
    bit_fusion,
    macs,
    method,
    on_the_zc706,
    quoted,
)
from fractrain.host.rebuttal.claim import Claim
from fractrain.host.rebuttal.inputs import Inputs
from fractrain.host.rebuttal.models import Models


def all_claims(inputs: Inputs, say: Callable[[str], None] = lambda text: None) -> list[Claim]:
    """Each with its figures, computed now from ``inputs``."""
    models = Models(say)
    return [
        macs.effective_macs(inputs),
        bit_fusion.published_table(models),
        against_eyeriss.against_eyeriss(models),
        on_the_zc706.savings(models, inputs),
        on_the_zc706.rivals(models),
        macs.backward_8(inputs),
        method.sensitivity(inputs),
        method.one_precision(models, inputs),
        method.mini_batch_gates(inputs),
        quoted.standard_split(inputs),
        macs.deep(models),
        quoted.accuracies(inputs),
        quoted.watts(),
        quoted.asics(),
    ]
