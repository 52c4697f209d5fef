// Lets the simulation run inside a Python process instead of loading Python into its own.
//
// cocotb loads libpython into the simulator. Debian's Python has none: its symbols are in the
// program itself. So the simulation is linked as a shared library, preloaded into a Python
// process, and takes over where that would have entered its own main.
//
// Compiled with -Dmain=simulation_main, which renames the main of cocotb's verilator.cpp.

#include <dlfcn.h>
#include <stdlib.h>

int simulation_main(int argc, char** argv);

extern "C" {

using Main = int (*)(int, char**, char**);
using Hook = void (*)();

static int enter(int argc, char** argv, char**) {
    unsetenv("LD_PRELOAD");  // not for the processes that this one may start
    return simulation_main(argc, argv);
}

// What the C library calls at the start of every program.
int __libc_start_main(Main, int argc, char** argv, Hook init, Hook fini, Hook rtld_fini, void* stack_end) {
    using Start = int (*)(Main, int, char**, Hook, Hook, Hook, void*);
    const auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
    return start(enter, argc, argv, init, fini, rtld_fini, stack_end);
}

}  // extern "C"
