# ---- project and runs -----------------------------------------------------------------------------

proc check_vivado {} {
    set found [version -short]
    require {[package vcompare [lindex [split $found _] 0] $::oldest_vivado] >= 0} \
        {this is Vivado $found; $::oldest_vivado or newer is needed}
    require {[llength [get_parts -quiet $::part]] == 1} \
        {this Vivado has no $::part: install Zynq-7000 devices, and a licence for the Z-7045}
    set ::vivado_version $found
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

# wait_on_run returns after a failure as after a success, so the run is asked.
proc finish_run {run} {
    wait_on_run $run
    set progress [get_property PROGRESS [get_runs $run]]
    set status [get_property STATUS [get_runs $run]]
    # "route_design Complete, Failed Timing!" passes here: the reports shall say by how much.
    require {$progress eq "100%" && [string match "* Complete*" $status]} \
        {$run ended at $progress: $status[first_error $run]; see [run_log $run]}
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

proc synthesize {} {
    launch_runs synth_1 -jobs $::jobs
    finish_run synth_1
}

# Both directives and the two extra steps spend run time on timing.
proc implement {} {
    set run [get_runs impl_1]
    set_property STEPS.PLACE_DESIGN.ARGS.DIRECTIVE Explore $run
    set_property STEPS.PHYS_OPT_DESIGN.IS_ENABLED true $run
    set_property STEPS.ROUTE_DESIGN.ARGS.DIRECTIVE Explore $run
    set_property STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED true $run
    launch_runs impl_1 -jobs $::jobs
    finish_run impl_1
    open_run impl_1
}

proc write_outputs {} {
    close_design
    launch_runs impl_1 -to_step write_bitstream -jobs $::jobs
    finish_run impl_1
    set written [file join [get_property DIRECTORY [get_runs impl_1]] $::top.bit]
    require {[file isfile $written]} {write_bitstream left no $::top.bit}
    file mkdir outputs
    file copy $written [file join outputs $::bit_name]
}

proc write_platform {} {
    set name [file join outputs $::xsa_name]
    write_hw_platform -fixed -include_bit -force -file $name
    require {[file isfile $name]} {write_hw_platform left no $name}
}
