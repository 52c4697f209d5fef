# Runs: in processes of their own in Vivado, hence with logs and results of their own. A fault NAME@RUN is
# one of that run only.

namespace eval vivado {
    variable run
    array set run {
        synth_1,PROGRESS 0% synth_1,STATUS "Not started" impl_1,PROGRESS 0% impl_1,STATUS "Not started"
    }
    variable opened ""
    variable current impl_1
}

proc vivado::of_run {name run otherwise} {
    return [fault $name@$run [fault $name $otherwise]]
}

# A fault of the run that is open.
proc vivado::opened_fault {name otherwise} {
    variable opened
    return [fault $name@$opened $otherwise]
}

proc vivado::create_run {options rest} {
    variable run
    set name [lindex $rest 0]
    if {
        [info exists run($name,PROGRESS)] || [dict get $options -parent_run] ne "synth_1"
        || [dict get $options -flow] ne "Vivado Implementation 2023" || ![string match impl_* $name]
    } {
        unsupported "create_run $options $rest"
    }
    set run($name,PROGRESS) 0%
    set run($name,STATUS) "Not started"
}

proc vivado::current_run {options rest} {
    variable current [lindex $rest 0]
    variable run
    if {![info exists run($current,PROGRESS)]} {
        unsupported "current_run $rest"
    }
}

# A strategy sets the properties of all steps: what was set before is lost.
proc vivado::set_strategy {object value} {
    variable run
    variable properties
    set kind [lindex [split $object _] 0]
    if {![info exists run($object,PROGRESS)] || $value ni $::known_strategies($kind)} {
        unsupported "$object has no strategy $value"
    }
    set run($object,STRATEGY) $value
    array unset properties $object,STEPS.*
}

proc vivado::get_runs {options rest} {
    variable run
    if {![info exists run([lindex $rest 0],PROGRESS)]} {
        unsupported "no run $rest"
    }
    return [lindex $rest 0]
}

proc vivado::run_property {name object} {
    variable run
    if {$name eq "FLOW"} {
        return "Vivado Implementation 2023"
    }
    if {$name eq "DIRECTORY"} {
        return [file normalize project/project.runs/$object]
    }
    return $run($object,$name)
}

proc vivado::launch_runs {options rest} {
    variable run
    foreach name [lindex $rest 0] {
        set step [expr {$name eq "synth_1" ? "synth_design" : "route_design"}]
        if {[dict exists $options -to_step]} {
            set step [dict get $options -to_step]
        }
        if {$step ni {synth_design route_design write_bitstream} || [dict get $options -jobs] < 1} {
            unsupported "launch_runs $options $rest"
        }
        if {$name ne "synth_1" && $run(synth_1,PROGRESS) ne "100%"} {
            unsupported "implementation before synthesis"
        }
        if {![info exists run($name,STRATEGY)]} {
            unsupported "$name is launched without a strategy"
        }
        set run($name,step) $step
        set run($name,PROGRESS) 0%
    }
}

proc vivado::wait_on_run {options rest} {
    variable run
    set name [lindex $rest 0]
    set step $run($name,step)
    set folder project/project.runs/$name
    file mkdir $folder
    set log [open $folder/runme.log a]
    puts $log "WARNING: \[Synth 8-3331\] design has unconnected port"
    set message [of_run ${step}_message $name ""]
    if {$message ne ""} {
        puts $log $message
    }
    close $log
    # The session repeats what the run says.
    say "\[Mon Nov 30 12:00:00 2026\] Waiting for $name to finish..."
    if {$message ne ""} {
        say $message
    }
    set run($name,PROGRESS) [of_run ${step}_progress $name 100%]
    set run($name,STATUS) [of_run ${step}_status $name "$step Complete!"]
    if {$step eq "write_bitstream" && ![fault no_bit 0]} {
        file copy -force [made .bit] $folder/system_wrapper.bit
    }
    if {$run($name,PROGRESS) ne "100%" && [fault failed_runs_raise 0]} {
        error "ERROR: \[Common 17-39\] 'wait_on_runs' failed due to earlier errors."
    }
}

proc vivado::made {suffix} {
    return [lindex [glob -directory $::env(SCRIPTED_VIVADO_FILES) *$suffix] 0]
}

proc vivado::open_run {options rest} {
    variable opened
    if {$opened ne ""} {
        unsupported "open_run $rest while $opened is open"
    }
    get_runs {} $rest
    set opened [lindex $rest 0]
}

proc vivado::close_design {options rest} {
    need_design
    variable opened ""
}

proc vivado::current_design {options rest} {
    variable opened
    return $opened
}

proc vivado::write_checkpoint {options rest} {
    need_design
    set channel [open [lindex $rest 0] w]
    puts $channel checkpoint
    close $channel
}

# As the processing system's automation names what it makes external.
proc vivado::get_ports {options rest} {
    need_design
    return [concat {DDR_addr[0] DDR_cas_n FIXED_IO_mio[0] FIXED_IO_ps_clk} [fault own_ports ""]]
}

proc vivado::write_hw_platform {options rest} {
    variable current
    if {![file isfile project/project.runs/$current/system_wrapper.bit]} {
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
