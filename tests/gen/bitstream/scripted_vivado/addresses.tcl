# Address map and validation of the block design, and what is generated from it.

namespace eval vivado {
    variable assigned {}
}

proc vivado::get_bd_addr_spaces {options rest} {
    set name [lindex $rest 0]
    if {$name eq "ps7/Data"} {
        return $name
    }
    return [expr {[interface_role $name] eq "master" ? $name : ""}]
}

proc vivado::get_bd_addr_segs {options rest} {
    set name [lindex $rest 0]
    lassign [split $name /] cell interface segment
    if {[interface_role $cell/$interface] ne "slave"} {
        return ""
    }
    set expected reg0
    if {$cell eq "ps7"} {
        set expected [string map {S_AXI_ ""} $interface]_DDR_LOWOCM
    }
    return [expr {$segment eq $expected && ![fault no_segments 0] ? $name : ""}]
}

proc vivado::assign_bd_address {options rest} {
    variable assigned
    set range [dict get $options -range]
    set offset [dict get $options -offset]
    if {$range < 4096 || $range & ($range - 1) || $offset % $range} {
        error "ERROR: \[BD 41-1051\] offset $offset does not fit the range $range"
    }
    lappend assigned [list [dict get $options -target_address_space] [lindex $rest 0] $offset $range]
}

proc vivado::connected_to {pin} {
    variable nets
    variable interface_nets
    foreach net [concat $nets $interface_nets] {
        if {$pin in $net} {
            return [lsearch -all -inline -not -exact $net $pin]
        }
    }
    return ""
}

proc vivado::validate_bd_design {options rest} {
    variable automated
    variable directions
    variable interfaces
    if {!$automated} {
        error "ERROR: \[BD 41-758\] The processing system is not connected to DDR and FIXED_IO"
    }
    set clocks [connected_to ps7/FCLK_CLK0]
    foreach {key mode} [array get interfaces *,mode] {
        set name [string range $key 0 end-5]
        if {![info exists interfaces($name,DATA_WIDTH)]} {
            if {[connected_to accelerator/$name] eq ""} {
                error "ERROR: \[BD 41-758\] accelerator/$name is not connected"
            }
            continue
        }
        set other [connected_to accelerator/$name]
        if {$other eq ""} {
            say "CRITICAL WARNING: \[BD 41-759\] accelerator/$name is not connected"
        } elseif {"[lindex $other 0]_ACLK" ni $clocks} {
            error "ERROR: \[BD 41-758\] [lindex $other 0]_ACLK has no clock"
        }
        check_assigned [expr {$mode eq "master" ? "accelerator/$name" : "ps7/Data"}]
    }
    check_resets $clocks
    say_faulty validate_message
}

# The pin that drives the net of another, empty if there is none.
proc vivado::driver {pin} {
    foreach other [connected_to $pin] {
        if {[pin_direction $other] eq "output"} {
            return $other
        }
    }
    return ""
}

# A reset that is associated with a clock must come from a block that gives it with that clock.
proc vivado::check_resets {clocks} {
    variable interfaces
    variable resets
    foreach cell $resets {
        if {"$cell/slowest_sync_clk" ni $clocks} {
            error "ERROR: \[BD 41-758\] $cell/slowest_sync_clk has no clock"
        }
        if {[driver $cell/ext_reset_in] eq ""} {
            say "CRITICAL WARNING: \[BD 41-759\] The input pin $cell/ext_reset_in is not connected"
        }
    }
    foreach {key reset} [array get interfaces *,ASSOCIATED_RESET] {
        set clock [lindex [split $key ,] 0]
        set source [driver accelerator/$reset]
        if {[lindex [split $source /] 0] ni $resets} {
            say "CRITICAL WARNING: \[BD 41-1347\] Reset pin /accelerator/$reset (associated clock\
                /accelerator/$clock) is connected to asynchronous reset source /$source. This may\
                prevent design from meeting timing."
        }
    }
}

proc vivado::check_assigned {space} {
    variable assigned
    foreach entry $assigned {
        if {[lindex $entry 0] eq $space} return
    }
    say "CRITICAL WARNING: \[BD 41-1356\] a slave of $space is not assigned into its address space"
}

# A message that a test asks for.
proc vivado::say_faulty {name} {
    set message [fault $name ""]
    if {$message ne ""} {
        say $message
    }
}

proc vivado::save_bd_design {options rest} {}

proc vivado::generate_target {options rest} {
    if {[lindex $rest 0] ne "all" || [file extension [lindex $rest 1]] ne ".bd"} {
        unsupported "generate_target $rest"
    }
}

proc vivado::make_wrapper {options rest} {
    variable design
    if {![dict exists $options -top] || [file extension [dict get $options -files]] ne ".bd"} {
        unsupported "make_wrapper $options"
    }
    set file [file normalize project/project.gen/sources_1/bd/$design/hdl/${design}_wrapper.v]
    file mkdir [file dirname $file]
    close [open $file w]
    return $file
}
