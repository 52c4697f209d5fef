"""What training runs left behind, read again: figures, tables, comparisons, one HTML page.

    records      JSON files, and JSON lines that may be torn
    quantities   what a run costs: computed, modelled or measured, and in which units it is shown
    step_log     log.jsonl as columns
    run          one run folder
    savings      runs against FW8/BW8, at equal steps and at equal accuracy
    published    what the paper reports for the same task
    settings     configurations side by side
    tables       all of it as rows with a column for each run, for terminal and page
    document     the same as one JSON document
    svg, curves, heat_maps, figures, page   the HTML page

Nothing here trains or needs an accelerator; only the pictures and the page need more than NumPy
(the extra ``report``).
"""
