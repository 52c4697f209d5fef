# ---- everything, in order -------------------------------------------------------------------------

# Run by hand it may lie anywhere; what Vivado's own scripts and makefiles take is less.
proc check_folder {} {
    if {![regexp {^[A-Za-z0-9/:._+@-]+$} [pwd]]} {
        fail "the path [pwd] has other characters than letters, digits and ._+@-: move the folder"
    }
}

proc build {} {
    check_folder
    stage "Vivado and its devices"
    check_vivado
    stage project
    make_project
    stage "block design"
    make_block_design
    stage "generation of the block design"
    generate_block_design
    check_messages
    stage synthesis
    synthesize
    check_messages
    implement
    stage bitstream
    write_outputs
    stage "hardware platform"
    write_platform
    stage result
    check_messages $::chosen_run
    write_result
}

cd [file dirname [file normalize [info script]]]
remove_outputs
file delete -force reports attempts project
file mkdir reports
if {[catch build message]} {
    remove_outputs
    puts "FRACTRAIN FAILED $current_stage: [join [split [string trim $message]] { }]"
    exit 1
}
puts "FRACTRAIN DONE"
exit 0
