"""Reports of training runs from their folders: figures, tables, comparisons, one HTML page.

    records      JSON files, and JSON lines that may be torn
    units        numbers as people read them: three digits and a unit
    quantities   costs of a run: computed, modelled or measured
    step_log     log.jsonl as columns
    run          one run folder
    savings      runs against FW8/BW8, at equal steps and at equal accuracy
    headline     the result, in a sentence
    published    the paper's results for the same task
    settings     configurations side by side
    tables       all of it as rows with a column for each run, for terminal and page
    document     the same as one JSON document
    svg          pictures in the page's colours; curves, axis_scales, names, end_labels: their parts
    accuracy_figures, step_figures, heat_maps    the pictures, standalone as files of their own
    template     pages from them: page of runs, sweep_page of a sweep

Nothing here trains or needs an accelerator; only the pictures and the page need more than NumPy
(the extra ``report``).
"""
