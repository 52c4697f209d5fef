# ---- stages: what is said while it runs, and how it ends if one fails -----------------------------

set design system
set top ${design}_wrapper
# [version -short] of the oldest Vivado whose assign_bd_address knows -offset and -range; .xsa files
# came a little earlier.
set oldest_vivado 2020.1
set current_stage start

proc stage {name} {
    if {$name eq $::current_stage} return
    set ::current_stage $name
    puts "FRACTRAIN STAGE $name"
    flush stdout
}

# Ends the build with a reason of our own, where no command of Vivado failed.
proc fail {reason} {
    return -code error $reason
}

proc require {condition reason} {
    if {![uplevel 1 [list expr $condition]]} {
        fail [uplevel 1 [list subst $reason]]
    }
}

proc remove_outputs {} {
    file delete -force outputs result.txt result.txt.part
}

proc read_file {name} {
    set channel [open $name r]
    set text [read $channel]
    close $channel
    return $text
}

proc write_file {name text} {
    set channel [open $name w]
    puts -nonewline $channel $text
    close $channel
}
