# ---- reports and the result -----------------------------------------------------------------------

proc write_reports {} {
    report_timing_summary -delay_type min_max -report_unconstrained -check_timing_verbose \
        -max_paths 10 -file reports/timing_summary.rpt
    report_utilization -file reports/utilization.rpt
    report_utilization -hierarchical -file reports/utilization_hierarchical.rpt
    report_route_status -file reports/route_status.rpt
    report_drc -file reports/drc.rpt
    report_methodology -file reports/methodology.rpt
    report_cdc -details -file reports/cdc.rpt
    report_clock_utilization -file reports/clock_utilization.rpt
    # From default activities: an estimate, no measurement.
    report_power -file reports/power.rpt
}

proc used {report what} {
    require {[regexp "\\| *$what *\\| *(\[0-9.\]+) *\\|" $report -> count]} \
        {report_utilization does not say how many $what are used}
    return $count
}

# Last of all: whoever finds result.txt knows that everything before it went well.
proc write_result {} {
    set lines [list \
        "format fractrain-vivado-result/1" \
        "vivado $::vivado_version" \
        "run $::chosen_run" \
        "strategy [get_property STRATEGY [get_runs $::chosen_run]]" \
        "clock_mhz $::actual_mhz" \
        "setup_slack_ns $::setup_slack" \
        "hold_slack_ns $::hold_slack" \
        {*}$::utilization \
        "end"]
    write_file result.txt.part "[join $lines \n]\n"
    file rename result.txt.part result.txt
}

proc read_utilization {} {
    set report [read_file reports/utilization.rpt]
    set ::utilization [list \
        "lut [used $report {Slice LUTs}]" \
        "memory_lut [used $report {LUT as Memory}]" \
        "ff [used $report {Slice Registers}]" \
        "bram36 [used $report {Block RAM Tile}]" \
        "dsp [used $report DSPs]"]
}
