# Makes the ZC706 bitstream of one machine: vivado -mode batch -source build.tcl
#
# Written by `fractrain bitstream` from a configuration; change that and write it again. It makes, in
# the folder that it lies in: outputs/ (bitstream and hardware platform), reports/, project/ and,
# as its last act, result.txt. It ends with 1 and one line that says which stage failed otherwise,
# and then there is nothing in outputs/.

set part @{part}
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
