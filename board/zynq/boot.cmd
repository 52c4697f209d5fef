# Boots the board from the first partition of its SD card: mkimage -A arm -T script -d boot.cmd boot.scr
#
# Bitstream first, where it lies beside the kernel: mainline Linux cannot load one. A kernel that can
# (linux-xlnx) does without the file. The kernel arguments are those of bootargs.txt.
if fatload mmc 0:1 0x10000000 fractrain.bit; then fpga loadb 0 0x10000000 ${filesize}; fi
setenv bootargs "console=ttyPS0,115200 root=/dev/mmcblk0p2 rootwait rw cma=128M uio_pdrv_genirq.of_id=generic-uio"
fatload mmc 0:1 ${kernel_addr_r} zImage
fatload mmc 0:1 ${fdt_addr_r} fractrain.dtb
bootz ${kernel_addr_r} - ${fdt_addr_r}
