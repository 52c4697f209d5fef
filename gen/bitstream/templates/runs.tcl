# ---- project and runs -----------------------------------------------------------------------------

proc check_vivado {} {
    set found [version -short]
    require {[package vcompare [lindex [split $found _] 0] $::oldest_vivado] >= 0} \
        {this is Vivado $found; $::oldest_vivado or newer is needed}
    require {[llength [get_parts -quiet $::part]] == 1} \
        {this Vivado has no $::part: install Zynq-7000 devices[licence_wanted]}
    set ::vivado_version $found
}

proc licence_wanted {} {
    return [expr {$::licensed ? ", and a licence for the $::device" : ""}]
}

proc licence_reason {} {
    return [expr {$::licensed ? ", which its free edition does not cover" : ""}]
}

proc make_project {} {
    foreach name [concat $::sources $::constraints] {
        require {[file isfile $name]} {$name is missing in the folder of build.tcl}
    }
    set_param general.maxThreads [expr {min($::jobs, 8)}]
    create_project -force -part $::part project project
    set_property target_language Verilog [current_project]
    add_files -norecurse -fileset sources_1 $::sources
    add_files -norecurse -fileset constrs_1 $::constraints
    # They name pins of synthesized cells.
    set_property used_in_synthesis false [get_files $::constraints]
    update_compile_order -fileset sources_1
}

# Older Vivados return from wait_on_run after a failure as after a success, newer ones raise an error: the
# run is asked.
proc finish_run {run} {
    set raised [catch {wait_on_run $run} reason]
    set progress [get_property PROGRESS [get_runs $run]]
    set status [get_property STATUS [get_runs $run]]
    # "route_design Complete, Failed Timing!" passes here: the reports shall say by how much.
    if {!$raised && $progress eq "100%" && [string match "* Complete*" $status]} return
    set error [first_error $run]
    # get_parts knows the part with and without one.
    require {[string first "\[Common 17-345\]" $error] < 0} \
        {this Vivado has no licence for the $::device[licence_reason]$error}
    if {$raised && $error eq ""} {
        fail $reason
    }
    fail "$run ended at $progress: $status$error; see [run_log $run]"
}

# What a run itself says of its failure, where it says anything.
proc first_error {run} {
    if {[file isfile [run_log $run]]} {
        foreach line [split [read_file [run_log $run]] \n] {
            if {[string match "ERROR:*" $line]} {
                return "; $line"
            }
        }
    }
    return ""
}

proc run_log {run} {
    return [file join [get_property DIRECTORY [get_runs $run]] runme.log]
}

# For speed: it keeps LUTs apart, as `fractrain synth` counts them, and shift registers of fewer than
# five in flip-flops. Registers that are to stay twice say so in the Verilog (keep, keep_hierarchy).
proc synthesize {} {
    set_property strategy Flow_PerfOptimized_high [get_runs synth_1]
    launch_runs synth_1 -jobs $::jobs
    finish_run synth_1
}

# A run for each strategy, as many at a time as there may be jobs.
proc launch_implementations {} {
    set runs {}
    foreach strategy $::strategies {
        set run impl_[expr {[llength $runs] + 1}]
        if {[llength $runs]} {
            create_run $run -parent_run synth_1 -flow [get_property FLOW [get_runs impl_1]]
        }
        set_property strategy $strategy [get_runs $run]
        # What misses by little after routing is mended here; not every strategy has it.
        set_property STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED true [get_runs $run]
        lappend runs $run
    }
    launch_runs $runs -jobs $::jobs
    return $runs
}

proc write_outputs {} {
    launch_runs $::chosen_run -to_step write_bitstream -jobs $::jobs
    finish_run $::chosen_run
    set written [file join [get_property DIRECTORY [get_runs $::chosen_run]] $::top.bit]
    require {[file isfile $written]} {write_bitstream left no $::top.bit}
    file mkdir outputs
    file copy $written [file join outputs $::bit_name]
}

proc write_platform {} {
    set name [file join outputs $::xsa_name]
    # It takes the bitstream of the current run.
    current_run [get_runs $::chosen_run]
    write_hw_platform -fixed -include_bit -force -file $name
    require {[file isfile $name]} {write_hw_platform left no $name}
}
