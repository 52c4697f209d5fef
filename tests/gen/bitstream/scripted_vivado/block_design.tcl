# The block design: cells, pins as the processing system's settings and the wrapper's attributes make
# them, connections. Interfaces are checked as Vivado's validation would: protocol, widths, roles.

namespace eval vivado {
    variable design ""
    variable module ""
    variable nets {}
    variable interface_nets {}
    variable automated 0
    # Names of cells that are a proc_sys_reset.
    variable resets {}
    # Its pins that are used here (PG164), as directions.
    variable reset_pins {
        slowest_sync_clk input ext_reset_in input peripheral_aresetn output
    }
}

proc vivado::create_bd_design {options rest} {
    variable design [lindex $rest 0]
    variable files
    set file [file normalize project/project.srcs/sources_1/bd/$design/$design.bd]
    file mkdir [file dirname $file]
    close [open $file w]
    lappend files $file
}

proc vivado::create_bd_cell {options rest} {
    variable module
    variable resets
    set name [lindex $rest 0]
    switch -- [dict get $options -type] {
        ip {
            switch -- [dict get $options -vlnv] {
                xilinx.com:ip:processing_system7:5.5 {}
                xilinx.com:ip:proc_sys_reset:5.0 {
                    lappend resets $name
                }
                default {
                    unsupported "no IP [dict get $options -vlnv]"
                }
            }
        }
        module {
            set module [dict get $options -reference]
            read_module $module
        }
        default {
            unsupported "create_bd_cell $options"
        }
    }
    return /$name
}

# What the sources say of the module: its interfaces with role and parameters, its single pins.
proc vivado::read_module {name} {
    variable files
    foreach file $files {
        if {[file extension $file] ne ".v"} continue
        set channel [open $file r]
        set text [read $channel]
        close $channel
        if {[regexp "\nmodule $name \\(\n(.*?)\n\\);" $text -> ports]} {
            read_ports $ports
            return
        }
    }
    error "ERROR: \[filemgmt 56-195\] Unable to find reference '$name' in the project"
}

proc vivado::read_ports {text} {
    variable interfaces
    variable directions
    set info {X_INTERFACE_INFO = "([^"]*) (\S+) (\S+)"}
    foreach line [split $text \n] {
        if {[regexp $info $line -> kind interface logical]} {
            set current $interface
            set interfaces($interface,kind) $kind
        } elseif {[regexp {X_INTERFACE_MODE = "(\w+)"} $line -> mode]} {
            set interfaces($current,mode) $mode
        } elseif {[regexp {X_INTERFACE_PARAMETER = "([^"]*)"} $line -> parameters]} {
            foreach parameter [split $parameters ,] {
                lassign $parameter key value
                set interfaces($current,$key) $value
            }
        } elseif {[regexp {^ *(input|output) wire .*?(\w+)$} [string trimright $line ,] -> way port]} {
            set directions($port) $way
            if {![info exists current]} {
                unsupported "$port has no X_INTERFACE_INFO"
            }
        }
    }
}

proc vivado::get_bd_cells {options rest} {
    return /[lindex $rest 0]
}

# Role (master or slave) of an interface pin, empty if there is none of that name.
proc vivado::interface_role {pin} {
    variable interfaces
    lassign [split $pin /] cell name
    if {$cell eq "accelerator"} {
        if {[info exists interfaces($name,mode)]} {
            return $interfaces($name,mode)
        }
        return ""
    }
    if {[regexp {^(M)_AXI_GP([01])$|^(S)_AXI_HP([0-3])$} $name -> m gp s hp]} {
        set side [expr {$m ne "" ? "M_AXI_GP$gp" : "S_AXI_HP$hp"}]
        if {[property /ps7 CONFIG.PCW_USE_$side 0]} {
            return [expr {$m ne "" ? "master" : "slave"}]
        }
    }
    return ""
}

# What a block design compares of the two ends: protocol, data width, ID width, address width.
proc vivado::interface_shape {pin} {
    variable interfaces
    lassign [split $pin /] cell name
    if {$cell eq "accelerator"} {
        set shape {}
        foreach key {PROTOCOL DATA_WIDTH ID_WIDTH ADDR_WIDTH} {
            lappend shape $interfaces($name,$key)
        }
        return $shape
    }
    if {[string match M_AXI_GP* $name]} {
        return {AXI3 32 12 32}
    }
    return [list AXI3 [property /ps7 CONFIG.PCW_[set name]_DATA_WIDTH 64] 6 32]
}

# Direction of a pin, empty if there is none of that name.
proc vivado::pin_direction {pin} {
    variable directions
    variable resets
    variable reset_pins
    lassign [split $pin /] cell name
    if {$cell eq "accelerator"} {
        return [expr {[info exists directions($name)] ? $directions($name) : ""}]
    }
    if {$cell in $resets} {
        return [expr {[dict exists $reset_pins $name] ? [dict get $reset_pins $name] : ""}]
    }
    if {$cell ne "ps7"} {
        return ""
    }
    switch -regexp -- $name {
        ^FCLK_CLK0$ - ^FCLK_RESET0_N$ {
            set setting [expr {$name eq "FCLK_CLK0" ? "CLK0" : "RST0"}]
            return [expr {[property /ps7 CONFIG.PCW_EN_${setting}_PORT 0] ? "output" : ""}]
        }
        ^(M_AXI_GP|S_AXI_HP)[0-3]_ACLK$ {
            set interface [string range $name 0 end-5]
            return [expr {[interface_role ps7/$interface] ne "" ? "input" : ""}]
        }
        ^IRQ_F2P$ {
            set used [property /ps7 CONFIG.PCW_USE_FABRIC_INTERRUPT 0]
            return [expr {$used && [property /ps7 CONFIG.PCW_IRQ_F2P_INTR 0] ? "input" : ""}]
        }
    }
    return ""
}

# As Vivado does: nothing and a warning for what is not there.
proc vivado::found {kind name there} {
    if {$there eq ""} {
        say "WARNING: \[BD 5-235\] No $kind matched 'get_bd_$kind $name'"
        return ""
    }
    return $name
}

proc vivado::get_bd_pins {options rest} {
    set name [lindex $rest 0]
    return [found pins $name [pin_direction $name]]
}

proc vivado::get_bd_intf_pins {options rest} {
    set name [lindex $rest 0]
    return [found intf_pins $name [interface_role $name]]
}

proc vivado::connect_bd_net {options rest} {
    variable nets
    set drivers 0
    foreach pin $rest {
        if {$pin eq ""} {
            error "ERROR: \[BD 5-4\] Error: running connect_bd_net: invalid pin"
        }
        incr drivers [expr {[pin_direction $pin] eq "output"}]
    }
    if {$drivers != 1} {
        error "ERROR: \[BD 41-703\] $drivers drivers of one net: $rest"
    }
    lappend nets $rest
}

proc vivado::connect_bd_intf_net {options rest} {
    variable interface_nets
    lassign $rest one other
    if {$one eq "" || $other eq "" || [llength $rest] != 2} {
        error "ERROR: \[BD 5-4\] Error: running connect_bd_intf_net: invalid pin"
    }
    if {[lsort [list [interface_role $one] [interface_role $other]]] ne {master slave}} {
        error "ERROR: \[BD 41-169\] $one and $other are no master and slave"
    }
    if {[interface_shape $one] ne [interface_shape $other]} {
        error "ERROR: \[BD 41-237\] $one is [interface_shape $one], $other [interface_shape $other]"
    }
    lappend interface_nets $rest
}

proc vivado::apply_bd_automation {options rest} {
    variable automated
    array set config [dict get $options -config]
    if {
        [dict get $options -rule] ne "xilinx.com:bd_rule:processing_system7"
        || $config(make_external) ne "FIXED_IO, DDR" || $config(apply_board_preset) ne "0"
        || $rest ne "/ps7"
    } {
        unsupported "apply_bd_automation $options $rest"
    }
    if {
        [property /ps7 CONFIG.preset None] eq "None"
        && [property /ps7 CONFIG.PCW_UIPARAM_DDR_PARTNO None] eq "None"
    } {
        unsupported "neither preset nor memory before apply_bd_automation"
    }
    set automated 1
}
