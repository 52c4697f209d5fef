# Timing constraints of the Vivado flow, read for implementation only (names of pins are those of
# synthesized cells).
#
# The clock is not made here. The processing system's IP brings its own constraint: create_clock for
# clk_fpga_0 on FCLKCLK[0] of the PS7, with the period that the block design asks for (clock_mhz of
# the configuration). A second one would override it without a word if the two ever differed. The
# flow asks for clk_fpga_0 after implementation and fails unless its period is the configured one.

# FCLK_RESET0_N of the processing system belongs to no clock. It sets the two registers of the
# wrapper's reset synchronizer asynchronously; what leaves them is synchronous and timed.
set_false_path -to [get_pins -hierarchical -filter {NAME =~ *reset_stages_reg*/PRE}]
