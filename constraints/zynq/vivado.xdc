# Timing constraints of the Vivado flow, read for implementation only (names of pins are those of
# synthesized cells).
#
# The clock is not made here. The processing system's IP brings its own constraint: create_clock for
# clk_fpga_0 on FCLKCLK[0] of the PS7, with the period that the block design asks for (clock_mhz of
# the configuration). A second one would override it without a word if the two ever differed. The
# flow asks for clk_fpga_0 after implementation and fails unless its period is the configured one.

# The wrapper asks of its reset no clock: aresetn sets the two registers of its synchronizer
# asynchronously; what leaves them is synchronous and timed. In the block design aresetn comes from a
# register of proc_sys_reset at the same clock, and need not arrive within a cycle all the same. The
# path from FCLK_RESET0_N into proc_sys_reset is a matter of that IP's own constraints.
set_false_path -to [get_pins -hierarchical -filter {NAME =~ *reset_stages_reg*/PRE}]
