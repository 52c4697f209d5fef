# ---- checks of the routed design: each ends the build ---------------------------------------------

# Every critical warning ends the build unless its id is in tolerated_messages, and so does a plain
# warning of fatal_warnings; of those, "id file" counts only on lines that name the file. The session's
# log repeats those of runs that were waited for: what is of another implementation than run is left out.
proc check_messages {{run ""}} {
    set logs [list vivado.log [run_log synth_1]]
    if {$run ne ""} {
        lappend logs [run_log $run]
    }
    foreach log $logs {
        if {![file isfile $log]} continue
        set about ""
        foreach line [split [read_file $log] \n] {
            regexp {^FRACTRAIN RUN (\S+)$} $line -> about
            if {$about eq "" || $about eq $run} {
                check_message $line
            }
        }
    }
}

proc check_message {line} {
    if {![regexp {^(CRITICAL WARNING|WARNING|ERROR): \[([^\]]+)\]} $line -> severity id]} return
    if {$severity eq "WARNING"} {
        foreach {fatal file} $::fatal_warnings {
            if {$id eq $fatal && ($file eq "" || [string first $file $line] >= 0)} {
                fail "a warning that matters: $line"
            }
        }
    } elseif {[lsearch -exact $::tolerated_messages $id] < 0} {
        fail $line
    }
}

proc worst_slack {delay_type} {
    set paths [get_timing_paths -delay_type $delay_type -max_paths 1]
    require {[llength $paths] == 1} {no path was timed ($delay_type)}
    set slack [get_property SLACK [lindex $paths 0]]
    require {[string is double -strict $slack]} {the worst path ($delay_type) has no slack}
    return $slack
}

proc check_slacks {} {
    set ::setup_slack [worst_slack max]
    set ::hold_slack [worst_slack min]
    require {$::setup_slack >= 0} {timing is not met: setup slack $::setup_slack ns}
    require {$::hold_slack >= 0} {timing is not met: hold slack $::hold_slack ns}
    # Pulse widths and whatever else the summary looks at.
    set summary [report_timing_summary -return_string]
    require {[string first VIOLATED $summary] < 0} {the timing summary has a VIOLATED path}
    require {[string first "All user specified timing constraints are met." $summary] >= 0} \
        {the timing summary does not say that all constraints are met}
}

proc check_clock {} {
    set clocks [get_clocks clk_fpga_0]
    require {[llength $clocks] == 1} {the design has no clock clk_fpga_0}
    set period [get_property PERIOD $clocks]
    require {abs($period - 1000.0 / $::clock_mhz) < 0.001} \
        {clk_fpga_0 is constrained to $period ns, [expr {1000.0 / $::clock_mhz}] ns are wanted}
}

# Kind -> count, of what check_timing says. The count is in the heading,
#
#     4. checking unconstrained_internal_endpoints (0)
#
# or, of older Vivados, in the lines below it, and then the sum of them counts:
#
#     4. checking unconstrained_internal_endpoints
#     --------------------------------------------
#      There are 0 pins that are not constrained for maximum delay.
proc counts_by_kind {report} {
    set counts {}
    set kind ""
    foreach line [split $report \n] {
        if {[regexp {^ *\d+\. checking (\w+)(?: \((\d+)\))? *$} $line -> heading count]} {
            set kind [expr {$count eq "" ? $heading : ""}]
            if {$count ne ""} {
                dict set counts $heading $count
            }
        } elseif {$kind ne "" && [regexp {^ *There (?:is|are) (\d+) } $line -> count]} {
            dict incr counts $kind $count
        }
    }
    return $counts
}

# Ports of the top that are not the processing system's own pads. Those have no delays to be given, and
# whether Vivado counts them differs from version to version.
proc own_ports {} {
    set own {}
    foreach port [get_ports -quiet] {
        if {![string match DDR_* $port] && ![string match FIXED_IO_* $port]} {
            lappend own $port
        }
    }
    return $own
}

# Every kind must be 0; delays at ports, if any of these is the design's.
proc check_constrained {} {
    set counts [counts_by_kind [check_timing -return_string]]
    set delays_matter [llength [own_ports]]
    foreach {kind count} $counts {
        if {!$delays_matter && [regexp {_(input|output)_delay$} $kind]} continue
        require {$count == 0} {check_timing: $kind at $count places; see reports/timing_summary.rpt}
    }
    foreach kind {no_clock unconstrained_internal_endpoints loops latch_loops} {
        require {[dict exists $counts $kind]} {check_timing says nothing about $kind}
    }
}

proc count_nets {status what} {
    require {[regexp "# of $what\\.* *: *(\\d+)" $status -> count]} \
        {report_route_status does not say how many $what there are}
    return $count
}

proc check_routes {} {
    set status [report_route_status -return_string]
    set routable [count_nets $status "routable nets"]
    set routed [count_nets $status "fully routed nets"]
    set errors [count_nets $status "nets with routing errors"]
    require {$errors == 0} {$errors nets have routing errors; see reports/route_status.rpt}
    require {$routable > 0 && $routed == $routable} \
        {$routed of $routable nets are routed; see reports/route_status.rpt}
}

# A row of the summary of report_drc or report_methodology: | rule | severity | description | n |
proc check_rules {file} {
    foreach line [split [read_file $file] \n] {
        if {
            [regexp {^\| *(\S+) *\| *(Error|Critical Warning|Fatal) *\|} $line -> rule severity]
            && [lsearch -exact $::tolerated_messages $rule] < 0
        } {
            fail "$rule is violated ($severity); see $file"
        }
    }
}
