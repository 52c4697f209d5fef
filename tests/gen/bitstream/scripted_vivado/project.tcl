# The project: files on the disk, filesets, properties of objects.

namespace eval vivado {
    variable files {}
    variable properties
    array set properties {}
}

proc vivado::version {options rest} {
    return [fault version 2023.2]
}

proc vivado::set_param {options rest} {
    lassign $rest name value
    if {$name ne "general.maxThreads" || $value < 1 || $value > 8} {
        unsupported "set_param $rest"
    }
}

proc vivado::get_parts {options rest} {
    return [expr {[fault no_part 0] ? "" : [lindex $rest 0]}]
}

proc vivado::create_project {options rest} {
    lassign $rest name folder
    if {![regexp {^xc7z(045ffg900-2|020clg(484|400)-1)$} [dict get $options -part]]} {
        unsupported "part [dict get $options -part]"
    }
    file mkdir [file join $folder $name.srcs/sources_1/bd]
    file mkdir [file join $folder $name.gen/sources_1/bd]
}

proc vivado::current_project {options rest} {
    return project
}

proc vivado::get_filesets {options rest} {
    if {[lindex $rest 0] ni {sources_1 constrs_1}} {
        unsupported "get_filesets $rest"
    }
    return [lindex $rest 0]
}

proc vivado::add_files {options rest} {
    variable files
    if {[dict get $options -fileset] ni {sources_1 constrs_1}} {
        unsupported "no fileset [dict get $options -fileset]"
    }
    foreach file [lindex $rest 0] {
        if {![file isfile $file]} {
            error "ERROR: \[Vivado 12-172\] File or Directory '$file' does not exist"
        }
        lappend files $file
    }
}

proc vivado::get_files {options rest} {
    variable files
    set found {}
    foreach pattern [lindex $rest 0] {
        foreach file $files {
            if {[file tail $file] eq [file tail $pattern]} {
                lappend found $file
            }
        }
    }
    return $found
}

proc vivado::update_compile_order {options rest} {
    if {[dict get $options -fileset] ne "sources_1"} {
        unsupported "update_compile_order $options"
    }
}

proc vivado::set_property {options rest} {
    variable properties
    if {[dict exists $options -dict]} {
        set settings [dict get $options -dict]
        set objects [lindex $rest 0]
    } else {
        lassign $rest name value objects
        set settings [list $name $value]
    }
    if {![llength $objects]} {
        error "ERROR: \[Common 17-55\] 'set_property' expects at least one object."
    }
    foreach object $objects {
        foreach {name value} $settings {
            if {$name eq "strategy"} {
                set_strategy $object $value
                continue
            }
            check_property $object $name $value
            set properties($object,$name) $value
        }
    }
}

proc vivado::check_property {object name value} {
    upvar #0 [expr {$object eq "/ps7" ? "known_ps7" : "known_properties"}] known
    if {![info exists known($name)]} {
        unsupported "$object has no property $name"
    }
    if {![regexp $known($name) $value]} {
        unsupported "$name of $object cannot be $value"
    }
}

# The value that a property was set to, or what it is by itself.
proc vivado::property {object name otherwise} {
    variable properties
    if {[info exists properties($object,$name)]} {
        return $properties($object,$name)
    }
    return $otherwise
}

proc vivado::get_property {options rest} {
    lassign $rest name object
    switch -glob -- $name,$object {
        CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ,/ps7 {
            set asked [property /ps7 CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 50]
            return [fault actual_mhz [format %.6f $asked]]
        }
        PROGRESS,*_? - STATUS,*_? - DIRECTORY,*_? - STRATEGY,*_? - FLOW,*_? {
            return [run_property $name $object]
        }
        SLACK,path_* {
            set delay_type [string range $object 5 end]
            set slack [fault ${delay_type}_slack [expr {$delay_type eq "max" ? 0.137 : 0.021}]]
            return [opened_fault ${delay_type}_slack $slack]
        }
        PERIOD,clk_fpga_0 {
            set asked [property /ps7 CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 50]
            return [fault period [format %.3f [expr {1000.0 / $asked}]]]
        }
    }
    unsupported "get_property $rest"
}
