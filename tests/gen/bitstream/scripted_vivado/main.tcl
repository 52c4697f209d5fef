# A scripted Vivado for tclsh: enough of its commands to carry out our build.tcl, and strict about
# what it is asked. usage: tclsh main.tcl SCRIPT
#
# What it does not know it refuses: commands and their options (known.tcl), properties, pins and
# interfaces that the processing system would not have, modules that the sources do not define,
# interfaces that the wrapper does not declare. It is no simulator of Vivado: that these commands do
# in Vivado what they do here is what nobody could check without Vivado.
#
# Environment: SCRIPTED_VIVADO_FILES  folder with the files that it "makes": a .bit and an .xsa
#              SCRIPTED_VIVADO_RECORD file to which every call is appended, one Tcl list a line
#              SCRIPTED_VIVADO_FAULTS what goes wrong, a Tcl list of names and values (faults.tcl)

set here [file dirname [file normalize [info script]]]
foreach part {known faults project block_design addresses runs reports} {
    source [file join $here $part.tcl]
}

proc record {call} {
    if {[info exists ::env(SCRIPTED_VIVADO_RECORD)]} {
        set channel [open $::env(SCRIPTED_VIVADO_RECORD) a]
        puts $channel [string map {\n " "} $call]
        close $channel
    }
}

# Splits the arguments of a command into options and the rest, and refuses unknown ones.
proc parse {command arguments} {
    array set known $::known_options($command)
    set options {}
    set rest {}
    while {[llength $arguments]} {
        set arguments [lassign $arguments argument]
        if {[string match {-[a-z]*} $argument]} {
            if {![info exists known($argument)]} {
                unsupported "$command has no option $argument"
            }
            if {$known($argument)} {
                if {![llength $arguments]} {
                    unsupported "$command: $argument needs a value"
                }
                set arguments [lassign $arguments value]
                dict set options $argument $value
            } else {
                dict set options $argument 1
            }
        } else {
            lappend rest $argument
        }
    }
    return [list $options $rest]
}

# A call that no Vivado would understand: a mistake of build.tcl, not an injected fault.
proc unsupported {reason} {
    puts stderr "SCRIPTED VIVADO: $reason"
    exit 99
}

proc unknown {command args} {
    if {![info exists ::known_options($command)]} {
        unsupported "there is no command $command"
    }
    record [list $command {*}$args]
    inject $command
    lassign [parse $command $args] options rest
    return [vivado::$command $options $rest]
}

# Vivado's session has its own log of all that it prints, of what the script prints, too.
rename puts tcl_puts
proc puts {args} {
    tcl_puts {*}$args
    if {[llength $args] == 1} {
        set channel [open vivado.log a]
        tcl_puts $channel [lindex $args 0]
        close $channel
    }
}

proc say {line} {
    puts $line
}

say "****** Vivado v2023.2 (64-bit), scripted"
set script [lindex $argv 0]
set argv {}
source $script
