"""The claims of the authors' rebuttal, each beside what comes of it here.

    published    what the paper and the rebuttal say, as data
    claim        a claim, and its figures: quoted, measured, modelled
    inputs       committed runs and their traces, the committed sweep
    models       machines asked about traces, each once
    macs, bit_fusion, against_eyeriss, on_the_zc706, method    the claims, by subject
    document     all of it as JSON; page, pictures: as HTML; terminal: as text

Nothing is looked up: every figure of ours is computed from a trace, a summary or a mix when the
command runs.
"""
