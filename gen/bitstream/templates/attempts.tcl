# ---- implementations: each is looked at when it has ended, the best that passes is taken ------------

set chosen_run impl_1

# Says in the log which implementation the lines below are of.
proc about_run {run} {
    puts "FRACTRAIN RUN $run"
    flush stdout
}

proc examine {run} {
    stage implementation
    finish_run $run
    stage reports
    open_run $run
    write_reports
    read_utilization
    stage "checks of the routed design"
    check_slacks
    check_clock
    check_constrained
    check_routes
    check_rules reports/drc.rpt
    check_rules reports/methodology.rpt
    check_messages $run
}

# What a run is worth, as a list: 1 if it passes, its slack, its name, stage and reason of a failure.
# Its reports go to attempts/RUN, with the routed design if it failed.
proc judge {run} {
    about_run $run
    set ::setup_slack ""
    set failed [catch {examine $run} reason]
    set opened [llength [current_design -quiet]]
    if {$failed && $opened} {
        # The reason stays that of the failure, whatever becomes of this.
        catch {write_checkpoint -force reports/routed.dcp}
    }
    if {$opened} {
        close_design
    }
    file mkdir attempts
    file rename reports [file join attempts $run]
    file mkdir reports
    set slack [expr {$::setup_slack eq "" ? -1e9 : $::setup_slack}]
    if {!$failed} {
        set ::figures($run) [list $::setup_slack $::hold_slack $::utilization]
    }
    return [list [expr {!$failed}] $slack $run $::current_stage $reason]
}

proc better {one other} {
    foreach index {0 1} {
        set a [lindex $one $index]
        set b [lindex $other $index]
        if {$a != $b} {
            return [expr {$a > $b}]
        }
    }
    return 0
}

# Leaves the figures of the best run, and its reports in reports/.
proc implement {} {
    stage implementation
    set runs [launch_implementations]
    set best {}
    foreach run $runs {
        set found [judge $run]
        if {![llength $best] || [better $found $best]} {
            set best $found
        }
    }
    lassign $best passes slack run stage reason
    set ::chosen_run $run
    about_run $run
    file delete -force reports
    file rename [file join attempts $run] reports
    if {!$passes} {
        set ::current_stage $stage
        set others [expr {[llength $runs] > 1 ? " ($run, the best of [llength $runs])" : ""}]
        fail "$reason$others"
    }
    lassign $::figures($run) ::setup_slack ::hold_slack ::utilization
}
