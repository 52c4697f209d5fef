# What the commands used here are known to take: option -> does a value follow?
#
# Sources: Vivado Design Suite Tcl Command Reference (UG835) for commands and options; for their use in
# block designs, scripts that write_bd_tcl wrote, and Analog Devices' HDL library (projects/scripts/
# adi_project_xilinx.tcl, projects/common/zc706).

array set known_options {
    version {-short 0}
    set_param {}
    get_parts {-quiet 0}
    create_project {-force 0 -part 1}
    current_project {}
    get_filesets {}
    add_files {-norecurse 0 -fileset 1}
    get_files {}
    update_compile_order {-fileset 1}
    set_property {-dict 1}
    get_property {}
    create_bd_design {}
    create_bd_cell {-type 1 -vlnv 1 -reference 1}
    get_bd_cells {}
    get_bd_pins {}
    get_bd_intf_pins {}
    get_bd_addr_spaces {}
    get_bd_addr_segs {}
    connect_bd_net {}
    connect_bd_intf_net {}
    apply_bd_automation {-rule 1 -config 1}
    assign_bd_address {-offset 1 -range 1 -target_address_space 1}
    validate_bd_design {}
    save_bd_design {}
    generate_target {}
    make_wrapper {-files 1 -top 0}
    create_run {-parent_run 1 -flow 1}
    current_run {}
    launch_runs {-jobs 1 -to_step 1}
    wait_on_run {}
    get_runs {}
    open_run {}
    close_design {}
    current_design {-quiet 0}
    write_checkpoint {-force 0}
    get_ports {-quiet 0}
    get_clocks {}
    get_timing_paths {-delay_type 1 -max_paths 1}
    check_timing {-return_string 0}
    report_timing_summary {
        -return_string 0 -file 1 -delay_type 1 -max_paths 1 -report_unconstrained 0
        -check_timing_verbose 0
    }
    report_utilization {-file 1 -hierarchical 0}
    report_route_status {-file 1 -return_string 0}
    report_drc {-file 1}
    report_methodology {-file 1}
    report_cdc {-file 1 -details 0}
    report_clock_utilization {-file 1}
    report_power {-file 1}
    write_hw_platform {-fixed 0 -include_bit 0 -force 0 -file 1}
}

# Properties of the processing system (PG082, and every design that write_bd_tcl wrote with a
# processing_system7 in it) with the values they take.
array set known_ps7 {
    CONFIG.preset ^(ZC702|ZC706|ZedBoard|None)$
    CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ ^[0-9.]+$
    CONFIG.PCW_UIPARAM_DDR_PARTNO ^MT41
    CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {^(16|32) Bit$}
    CONFIG.PCW_USE_M_AXI_GP0 ^[01]$
    CONFIG.PCW_USE_M_AXI_GP1 ^[01]$
    CONFIG.PCW_USE_S_AXI_HP0 ^[01]$
    CONFIG.PCW_USE_S_AXI_HP1 ^[01]$
    CONFIG.PCW_USE_S_AXI_HP2 ^[01]$
    CONFIG.PCW_USE_S_AXI_HP3 ^[01]$
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH ^(32|64)$
    CONFIG.PCW_S_AXI_HP1_DATA_WIDTH ^(32|64)$
    CONFIG.PCW_S_AXI_HP2_DATA_WIDTH ^(32|64)$
    CONFIG.PCW_S_AXI_HP3_DATA_WIDTH ^(32|64)$
    CONFIG.PCW_USE_FABRIC_INTERRUPT ^[01]$
    CONFIG.PCW_IRQ_F2P_INTR ^[01]$
    CONFIG.PCW_IRQ_F2P_MODE ^(DIRECT|REVERSE)$
    CONFIG.PCW_EN_CLK0_PORT ^[01]$
    CONFIG.PCW_EN_CLK1_PORT ^[01]$
    CONFIG.PCW_EN_CLK2_PORT ^[01]$
    CONFIG.PCW_EN_CLK3_PORT ^[01]$
    CONFIG.PCW_EN_RST0_PORT ^[01]$
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ ^[0-9.]+$
}

# Properties of everything else (UG912; of runs: list_property [get_runs impl_1]).
array set known_properties {
    target_language ^(Verilog|VHDL)$
    used_in_synthesis ^(true|false)$
    synth_checkpoint_mode ^(None|Singular|Hierarchical)$
    top ^[A-Za-z_]\\w*$
    STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED ^(true|false)$
}

# Strategies that every Vivado since 2020.1 has: of synthesis (UG901) and of implementation (UG904).
array set known_strategies {
    synth {Flow_PerfOptimized_high Flow_AreaOptimized_high}
    impl {
        Performance_Explore Performance_ExplorePostRoutePhysOpt Performance_NetDelay_high
        Performance_NetDelay_low Performance_Retiming Performance_ExtraTimingOpt
        Performance_RefinePlacement Congestion_SpreadLogic_high Congestion_SpreadLogic_medium
    }
}
