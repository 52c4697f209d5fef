# What a test lets go wrong: SCRIPTED_VIVADO_FAULTS, names and values.
#
#   fail:COMMAND text   COMMAND fails with that text       kill:COMMAND 1   Vivado is killed there
#   hang:COMMAND 1      it never returns
#   anything else       the value that one of the `fault` calls below gives instead of its own

array set faults {}
if {[info exists env(SCRIPTED_VIVADO_FAULTS)]} {
    array set faults $env(SCRIPTED_VIVADO_FAULTS)
}

proc fault {name otherwise} {
    if {[info exists ::faults($name)]} {
        return $::faults($name)
    }
    return $otherwise
}

proc inject {command} {
    if {[info exists ::faults(kill:$command)]} {
        exec kill -9 [pid]
    }
    if {[info exists ::faults(hang:$command)]} {
        puts "hanging in $command"
        flush stdout
        after 600000
    }
    if {[info exists ::faults(fail:$command)]} {
        say "ERROR: \[Scripted 1-1\] $::faults(fail:$command)"
        error "ERROR: \[Common 17-39\] '$command' failed due to earlier errors."
    }
}
