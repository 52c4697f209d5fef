# Pins of the ZC706, for tops of your own: no flow reads this file, as the accelerator needs no pin
# of the FPGA. Delete what your top has no port for; a constraint without its port fails the build.
#
# Source: ZC706 Evaluation Board User Guide (UG954), clock sources, user switches and LEDs. Bank 34
# (LVCMOS15, LVDS) has a fixed 1.5 V. The LVCMOS25 pins follow VADJ, which some boards have at 1.8 V:
# measure before you drive them.

# SYSCLK, the 200 MHz oscillator (bank 34).
set_property -dict {PACKAGE_PIN H9 IOSTANDARD LVDS} [get_ports sysclk_p]
set_property -dict {PACKAGE_PIN G9 IOSTANDARD LVDS} [get_ports sysclk_n]
create_clock -period 5.000 -name sysclk [get_ports sysclk_p]

# CPU_RESET, the push button; asynchronous to everything.
set_property -dict {PACKAGE_PIN A8 IOSTANDARD LVCMOS15} [get_ports cpu_reset]
set_false_path -from [get_ports cpu_reset]

# The four user LEDs: left, centre, right, 0.
set_property -dict {PACKAGE_PIN Y21 IOSTANDARD LVCMOS25} [get_ports led_left]
set_property -dict {PACKAGE_PIN G2 IOSTANDARD LVCMOS15} [get_ports led_centre]
set_property -dict {PACKAGE_PIN W21 IOSTANDARD LVCMOS25} [get_ports led_right]
set_property -dict {PACKAGE_PIN A17 IOSTANDARD LVCMOS15} [get_ports led_0]
set_false_path -to [get_ports {led_left led_centre led_right led_0}]
