# ---- block design: the processing system and the accelerator --------------------------------------
#
# The names of cells, properties and segments are those of block designs that are built every day:
# Analog Devices' HDL library, projects/common/zc706/zc706_system_bd.tcl (preset, interrupts, FCLK);
# designs written by write_bd_tcl (HPn_DDR_LOWOCM, reg0 of a module reference, PCW_ACT_..., the pins of
# proc_sys_reset).

proc processing_system_settings {} {
    # IRQ_F2P[0] is interrupt 61 (SPI 29) in DIRECT mode only.
    set settings [list \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_M_AXI_GP1 0 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1 \
        CONFIG.PCW_IRQ_F2P_MODE DIRECT \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_EN_CLK1_PORT 0 \
        CONFIG.PCW_EN_CLK2_PORT 0 \
        CONFIG.PCW_EN_CLK3_PORT 0 \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $::clock_mhz]
    for {set port 0} {$port < 4} {incr port} {
        set used [expr {$port < $::memory_ports}]
        lappend settings CONFIG.PCW_USE_S_AXI_HP$port $used
        if {$used} {
            lappend settings CONFIG.PCW_S_AXI_HP${port}_DATA_WIDTH 64
        }
    }
    return $settings
}

proc make_processing_system {} {
    set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps7]
    # The preset first: it sets everything, what follows changes a little of it. It comes with the IP,
    # or it is the target's list of settings: no board files need to be installed.
    if {$::preset ne ""} {
        set_property -dict [list CONFIG.preset $::preset] $cell
    }
    if {[llength $::ps_settings]} {
        set_property -dict $::ps_settings $cell
    }
    set_property -dict [processing_system_settings] $cell
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {
        make_external "FIXED_IO, DDR" apply_board_preset "0" Master "Disable" Slave "Disable"
    } $cell
}

proc connect_pins {source args} {
    set pins [list [get_bd_pins $source]]
    foreach name $args {
        lappend pins [get_bd_pins $name]
    }
    connect_bd_net {*}$pins
}

proc connect_interfaces {master slave} {
    connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins $slave]
}

# FCLK_RESET0_N belongs to no clock. Straight to a pin that is associated with one it is a critical
# warning ([BD 41-1347]), so a reset block in between hands it on with the clock. Its polarity
# follows from what drives it; the inputs that are left open are tied off by the IP: dcm_locked to 1,
# aux_reset_in and mb_debug_sys_rst so that they reset nothing.
proc connect_reset {} {
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset
    connect_pins ps7/FCLK_RESET0_N reset/ext_reset_in
    connect_pins reset/peripheral_aresetn accelerator/aresetn
}

# AXI3 to AXI3 of the same widths at one clock: no interconnect stands between.
proc connect_accelerator {} {
    create_bd_cell -type module -reference $::wrapper accelerator
    connect_reset
    set clocked [list ps7/M_AXI_GP0_ACLK accelerator/aclk reset/slowest_sync_clk]
    connect_interfaces ps7/M_AXI_GP0 accelerator/s_axi_gp0
    for {set port 0} {$port < $::memory_ports} {incr port} {
        connect_interfaces accelerator/m_axi_hp$port ps7/S_AXI_HP$port
        lappend clocked ps7/S_AXI_HP${port}_ACLK
    }
    connect_pins ps7/FCLK_CLK0 {*}$clocked
    connect_pins accelerator/interrupt ps7/IRQ_F2P
}

proc assign_segment {space segment offset range} {
    set spaces [get_bd_addr_spaces $space]
    set segments [get_bd_addr_segs $segment]
    require {[llength $spaces] == 1} {the block design has no address space $space}
    require {[llength $segments] == 1} {the block design has no address segment $segment}
    assign_bd_address -offset $offset -range $range -target_address_space $spaces $segments
}

# The slave has 32 address bits, answers 4 KB of them and refuses everything else itself, so it gets all of
# GP0: nothing stands between the two.
proc assign_addresses {} {
    assign_segment ps7/Data accelerator/s_axi_gp0/reg0 $::registers_base $::gp0_range
    for {set port 0} {$port < $::memory_ports} {incr port} {
        assign_segment accelerator/m_axi_hp$port ps7/S_AXI_HP$port/HP${port}_DDR_LOWOCM \
            0x00000000 $::ddr_range
    }
}

# The frequency that the processing system really makes of what it was asked for.
proc actual_clock_mhz {} {
    set actual [get_property CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ [get_bd_cells ps7]]
    require {[string is double -strict $actual]} {Vivado does not say what FCLK_CLK0 will be}
    require {abs($actual - $::clock_mhz) < 0.001} \
        {FCLK_CLK0 would be $actual MHz, asked for were $::clock_mhz MHz}
    return $actual
}

proc make_block_design {} {
    create_bd_design $::design
    make_processing_system
    connect_accelerator
    assign_addresses
    validate_bd_design
    save_bd_design
    set ::actual_mhz [actual_clock_mhz]
}

proc block_design_file {} {
    set files [get_files $::design.bd]
    require {[llength $files] == 1} {the project has no $::design.bd}
    return $files
}

# One synthesis of everything, so that one log has every message.
proc generate_block_design {} {
    set_property synth_checkpoint_mode None [block_design_file]
    generate_target all [block_design_file]
    add_files -norecurse -fileset sources_1 [make_wrapper -files [block_design_file] -top]
    set_property top $::top [get_filesets sources_1]
    update_compile_order -fileset sources_1
}
