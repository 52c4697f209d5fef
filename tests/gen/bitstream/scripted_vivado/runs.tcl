# Runs: in processes of their own in Vivado, hence with logs and results of their own.

namespace eval vivado {
    variable run
    array set run {
        synth_1,PROGRESS 0% synth_1,STATUS "Not started" impl_1,PROGRESS 0% impl_1,STATUS "Not started"
    }
    variable opened ""
}

proc vivado::get_runs {options rest} {
    if {[lindex $rest 0] ni {synth_1 impl_1}} {
        unsupported "no run $rest"
    }
    return [lindex $rest 0]
}

proc vivado::run_property {name object} {
    variable run
    if {$name eq "DIRECTORY"} {
        return [file normalize project/project.runs/$object]
    }
    return $run($object,$name)
}

proc vivado::launch_runs {options rest} {
    variable run
    set name [lindex $rest 0]
    set step [expr {$name eq "synth_1" ? "synth_design" : "route_design"}]
    if {[dict exists $options -to_step]} {
        set step [dict get $options -to_step]
    }
    if {$step ni {synth_design route_design write_bitstream} || [dict get $options -jobs] < 1} {
        unsupported "launch_runs $options $rest"
    }
    if {$name eq "impl_1" && $run(synth_1,PROGRESS) ne "100%"} {
        unsupported "implementation before synthesis"
    }
    set run($name,step) $step
    set run($name,PROGRESS) 0%
}

proc vivado::wait_on_run {options rest} {
    variable run
    set name [lindex $rest 0]
    set step $run($name,step)
    set folder project/project.runs/$name
    file mkdir $folder
    set log [open $folder/runme.log a]
    puts $log "WARNING: \[Synth 8-3331\] design has unconnected port"
    set message [fault ${step}_message ""]
    if {$message ne ""} {
        puts $log $message
    }
    close $log
    set run($name,PROGRESS) [fault ${step}_progress 100%]
    set run($name,STATUS) [fault ${step}_status "$step Complete!"]
    if {$step eq "write_bitstream" && ![fault no_bit 0]} {
        file copy -force [made .bit] $folder/system_wrapper.bit
    }
}

proc vivado::made {suffix} {
    return [lindex [glob -directory $::env(SCRIPTED_VIVADO_FILES) *$suffix] 0]
}

proc vivado::open_run {options rest} {
    variable opened [lindex $rest 0]
}

proc vivado::close_design {options rest} {
    variable opened ""
}

proc vivado::write_hw_platform {options rest} {
    variable run
    if {![file isfile project/project.runs/impl_1/system_wrapper.bit]} {
        error "ERROR: \[Project 1-1918\] no bitstream in the implementation run"
    }
    foreach option {-fixed -include_bit} {
        if {![dict exists $options $option]} {
            unsupported "write_hw_platform without $option"
        }
    }
    if {![fault no_xsa 0]} {
        file copy -force [made .xsa] [dict get $options -file]
    }
}
