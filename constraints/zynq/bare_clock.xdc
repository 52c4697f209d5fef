# The clock of the open flow: what leaves the BUFG behind FCLKCLK[0] of the bare PS7. The flow puts
# in the period, 1000 / clock_mhz of the configuration, in ns.
#
# nextpnr-xilinx takes create_clock on ports and nets, no pins, and passes over every other timing
# command (its source: xilinx/xdc.cc). It places with default delays: what it reports about this
# clock is no evidence.
create_clock -period @{period_ns} -name fclk0 [get_nets clock]
