# Reports of an opened run, in the words of Vivado's, as short as they can be.

namespace eval vivado {}

proc vivado::need_design {} {
    variable opened
    if {$opened eq ""} {
        error "ERROR: \[Common 17-53\] User Exception: No open design."
    }
}

# Into the file of -file, or back.
proc vivado::report {options text} {
    need_design
    if {[dict exists $options -file]} {
        set channel [open [dict get $options -file] w]
        puts $channel $text
        close $channel
        return ""
    }
    return $text
}

proc vivado::get_clocks {options rest} {
    need_design
    return [fault clocks [lindex $rest 0]]
}

proc vivado::get_timing_paths {options rest} {
    need_design
    if {[dict get $options -delay_type] ni {max min} || [dict get $options -max_paths] != 1} {
        unsupported "get_timing_paths $options"
    }
    set path path_[dict get $options -delay_type]
    return [expr {[fault no_paths 0] ? "" : $path}]
}

# Kinds, with what each counts, one line a text.
namespace eval vivado {
    variable timing_kinds {
        no_clock {"register/latch pins with no clock."}
        constant_clock {"register/latch pins with constant_clock."}
        pulse_width_clock {"register/latch pins which need pulse_width check"}
        unconstrained_internal_endpoints {
            "pins that are not constrained for maximum delay."
            "pins that are not constrained for maximum delay due to constant clock."
        }
        no_input_delay {
            "input ports with no input delay specified."
            "input ports with no input delay but user has a false path constraint."
        }
        no_output_delay {
            "ports with no output delay specified."
            "ports with no output delay but user has a false path constraint"
            "ports with no output delay but with a timing clock defined on it or propagating through it"
        }
        multiple_clock {"register/latch pins with multiple clocks."}
        generated_clocks {"generated clocks that are not connected to a clock source."}
        loops {"combinational loops in the design."}
        partial_input_delay {"input ports with partial input delay specified."}
        partial_output_delay {"ports with partial output delay specified."}
        latch_loops {"combinational latch loops in the design through latch input"}
    }
}

# With counts in the headings, or (old_check_timing) in the lines below them only. Each heading comes
# twice: the table of contents has it, too.
proc vivado::check_timing {options rest} {
    variable timing_kinds
    need_design
    set contents [list "check_timing report" "" "Table of Contents" "-----------------"]
    set sections {}
    set number 0
    foreach {kind texts} $timing_kinds {
        set count [fault check:$kind 0]
        set heading "[incr number]. checking $kind"
        if {![fault old_check_timing 0]} {
            append heading " ($count)"
        }
        lappend contents $heading
        lappend sections "" $heading [string repeat - [string length $heading]]
        # All of them are of the last sort, so that none of the lines can be passed over.
        foreach text [lrange $texts 0 end-1] {
            lappend sections " There are 0 $text" ""
        }
        lappend sections " There are $count [lindex $texts end]" ""
    }
    return [fault check_timing [join [concat $contents $sections] \n]]
}

proc vivado::report_timing_summary {options rest} {
    variable opened
    set text "Timing Summary of $opened\n[fault timing_path {Slack (MET) : 0.137ns}]\n"
    append text [fault timing_verdict "All user specified timing constraints are met."]
    return [report $options $text]
}

proc vivado::report_utilization {options rest} {
    if {[dict exists $options -hierarchical]} {
        return [report $options "| Instance | Module | Total LUTs |"]
    }
    set text [join {
        "| Site Type             | Used   | Fixed | Prohibited | Available | Util% |"
        "| Slice LUTs            | 123456 |     0 |          0 |    218600 | 56.48 |"
        "|   LUT as Logic        | 120000 |     0 |          0 |    218600 | 54.89 |"
        "|   LUT as Memory       |   3456 |     0 |          0 |     70400 |  4.91 |"
        "| Slice Registers       | 234567 |     0 |          0 |    437200 | 53.65 |"
        "| Block RAM Tile        |  221.5 |     0 |          0 |       545 | 40.64 |"
        "|   RAMB36/FIFO*        |    220 |     0 |          0 |       545 | 40.37 |"
        "| DSPs                  |    512 |     0 |          0 |       900 | 56.89 |"
        "|   DSP48E1 only        |    512 |       |            |           |       |"
    } \n]
    return [report $options [fault utilization $text]]
}

proc vivado::report_route_status {options rest} {
    set lines [list "Design Route Status" \
        "   # of logical nets.......................... :        3000 :" \
        "       # of routable nets..................... :        2000 :" \
        "           # of fully routed nets............. :        [fault routed 2000] :" \
        "       # of nets with routing errors.......... :           [fault route_errors 0] :"]
    return [report $options [fault route_status [join $lines \n]]]
}

proc vivado::rules {options name} {
    set lines [list \
        "| Rule    | Severity         | Description       | Violations |" \
        "| DPIP-1  | Warning          | Input pipelining  | 12         |" \
        [fault ${name}_row "| RTSTAT-10 | Warning | No routable loads | 1 |"]]
    return [report $options [join $lines \n]]
}

proc vivado::report_drc {options rest} {
    return [rules $options drc]
}

proc vivado::report_methodology {options rest} {
    return [rules $options methodology]
}

proc vivado::report_cdc {options rest} {
    return [report $options "CDC Report"]
}

proc vivado::report_clock_utilization {options rest} {
    return [report $options "Clock Utilization Report"]
}

proc vivado::report_power {options rest} {
    return [report $options "Power Report (estimate)"]
}
