# Makes the bitstream of one machine for the @{title}: vivado -mode batch -source build.tcl
#
# Written by `fractrain bitstream` from a configuration; change that and write it again. It makes, in
# the folder that it lies in: outputs/ (bitstream and hardware platform), reports/, project/ and,
# as its last act, result.txt. It ends with 1 and one line that says which stage failed otherwise,
# and then there is nothing in outputs/.

set part @{part}
set device @{device}
# Whether the free edition of Vivado leaves the device out.
set licensed @{licensed}
# The processing system: a preset of the IP's own, if it has one for the board, and what is set after it,
# property and value.
set preset {@{preset}}
set ps_settings {@{ps_settings}}
set clock_mhz @{clock_mhz}
set memory_ports @{memory_ports}
set wrapper @{wrapper}
set sources {@{sources}}
set constraints {@{constraints}}
set registers_base @{registers_base}
set gp0_range @{gp0_range}
set ddr_range @{ddr_range}
set bit_name @{bit_name}
set xsa_name @{xsa_name}
set jobs @{jobs}
# One implementation with each of them; the best that passes all checks is taken.
set strategies {@{strategies}}
# Critical warnings, by id, that do not end the build; plain warnings that do: id, and the file that
# the line must name, if any.
set tolerated_messages {@{tolerated}}
set fatal_warnings {@{fatal}}
