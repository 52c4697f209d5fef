#!/bin/sh
# Makes the bitstream of one machine for the @{title} with open tools: sh build.sh
#
# Written by `fractrain bitstream --flow openxc7` from a configuration. Needs yosys, nextpnr-xilinx,
# fasm2frames and xc7frames2bit on PATH, and in the environment
#   CHIPDB          nextpnr-xilinx's chip database of the part (its bbaexport.py and bbasm make it)
#   PRJXRAY_DB_DIR  the database of Project X-Ray, the folder that has @{xray_database}/
# It leaves outputs/@{bit_name} and reports/ in the folder that it lies in.
#
# The commands are those of nextpnr-xilinx's own examples (xilinx/examples/artyz7-20/blinky.sh).
# nextpnr places and routes with default delays: its timing is no evidence that the clock is met.
set -eu
cd "$(dirname "$0")"

part=@{part}
database="${PRJXRAY_DB_DIR:?is not set: the database of Project X-Ray}/@{xray_database}"
: "${CHIPDB:?is not set: the chip database of nextpnr-xilinx}"

stage() {
    echo "FRACTRAIN STAGE $1"
}

rm -rf outputs reports netlist.json routed.fasm frames.txt
mkdir outputs reports

stage versions
{
    yosys -V
    nextpnr-xilinx --version || true
} > reports/versions.txt 2>&1

# Everything is laid flat, modules that other flows keep, too.
# The constraints name the net clock, which would else keep another of its names only.
# splitnets in the middle: abc9's names for single bits can clash with those of other wires, on which
# Yosys stops (YosysHQ/yosys 4349). Scope information is no cell of the FPGA.
stage synthesis
yosys -l reports/synthesis.log -p '
    read_verilog @{sources}
    setattr -mod -unset keep_hierarchy *
    setattr -set keep 1 @{top}/w:clock
    synth_xilinx -flatten -abc9 -family @{family} -top @{top} -run begin:map_luts
    splitnets
    synth_xilinx -flatten -abc9 -family @{family} -top @{top} -run map_luts:
    delete t:$scopeinfo
    check -assert
    tee -q -o reports/stat.json stat -json
    write_json netlist.json'

stage "placement and routing"
nextpnr-xilinx --chipdb "$CHIPDB" --xdc @{constraints} --json netlist.json \
    --log reports/placement_and_routing.log --fasm routed.fasm

stage frames
fasm2frames --part "$part" --db-root "$database" routed.fasm > frames.txt

stage bitstream
xc7frames2bit --part_file "$database/$part/part.yaml" --part_name "$part" \
    --frm_file frames.txt --output_file outputs/bitstream.part
mv outputs/bitstream.part "outputs/@{bit_name}"
