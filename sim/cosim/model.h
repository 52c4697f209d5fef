// A compiled model with a clock: what every harness builds on.
//
// Two evaluations per cycle. `settle` lets the combinational paths follow the inputs of this
// cycle; outputs are read after it. `clock` is the rising edge. So a harness reads what the
// registers on the far side of the wire would sample.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vmodel.h"
#include "ports.h"  // PORT_<name>: the model's member for a port; the harness's constants
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

// What Python may call; the rest of the library stays hidden.
#define EXPORT __attribute__((visibility("default")))

// Ports have the type that their width asks for: an integer of 1, 2, 4 or 8 bytes, or an array
// of 4-byte words. All hold the least significant byte first on the machines we compile for.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "port bytes are taken as they lie");

template <typename Port>
inline void store_bytes(Port& port, const void* bytes, std::size_t count) {
    if (count < sizeof(Port)) std::memset(static_cast<void*>(&port), 0, sizeof(Port));
    std::memcpy(static_cast<void*>(&port), bytes, count < sizeof(Port) ? count : sizeof(Port));
}

// Bytes that must be readable beyond the end of what `unpack_results` reads.
constexpr std::size_t PADDING = 16;

inline bool bit_of(const std::uint8_t* bytes, std::size_t index) {
    return bytes[index / 8] >> (index % 8) & 1;
}

// One beat: RESULTS_PER_BEAT two's complement numbers, the first at bit `offset`.
inline void unpack_results(const std::uint8_t* bytes, std::size_t offset, std::int64_t* results) {
    static_assert(ACCUMULATOR_BITS <= 57, "a result and its bit offset fit one 8-byte load");
    for (std::size_t index = 0; index < RESULTS_PER_BEAT; ++index) {
        const std::size_t position = offset + index * ACCUMULATOR_BITS;
        std::uint64_t word;
        std::memcpy(&word, bytes + position / 8, sizeof word);
        word <<= 64 - ACCUMULATOR_BITS - position % 8;
        results[index] = static_cast<std::int64_t>(word) >> (64 - ACCUMULATOR_BITS);
    }
}

class Machine {
  public:
    // The model, out of reset.
    static Machine* open() {
        std::unique_ptr<Machine> machine{new Machine};
        machine->reset();
        return machine.release();
    }

    ~Machine() {
        model->final();
        end_trace();
    }

    // From now on all signals go to `file`, of those cycles only that begin between `first` and
    // `end`, counted from now. Time begins at 0, a cycle is twice `half_period` picoseconds. The
    // model must have been compiled for it.
    void trace(const char* file, std::uint64_t first, std::uint64_t end,
               std::uint64_t half_period) {
#if VM_TRACE
        half_period_ = half_period;
        first_time_ = 2 * half_period * first;
        end_time_ = end > UINT64_MAX / (2 * half_period) ? UINT64_MAX : 2 * half_period * end;
        context_.time(0);
        context_.traceEverOn(true);
        trace_.reset(new Trace);
        model->trace(trace_.get(), 99);
        trace_->open(file);
#endif
    }

    // Finish the file: nothing more is recorded.
    void end_trace() {
#if VM_TRACE
        if (trace_) trace_->close();
        trace_.reset();
#endif
    }

    void settle() {
        model->PORT_clk = 0;
        evaluate();
    }

    void clock() {
        model->PORT_clk = 1;
        evaluate();
        ++cycles_;
    }

    // Inputs keep their values; `cycles` starts again from 0.
    void reset() {
        model->PORT_rst = 1;
        for (int cycle = 0; cycle < RESET_CYCLES; ++cycle) {
            settle();
            clock();
        }
        model->PORT_rst = 0;
        cycles_ = 0;
    }

    // What has been recorded goes to the file.
    void flush() {
#if VM_TRACE
        if (trace_) trace_->flush();
#endif
    }

    std::uint64_t cycles() const { return cycles_; }

  private:
    static constexpr int RESET_CYCLES = 4;

    Machine() : model{new Vmodel{&context_}} {}

    void evaluate() {
        model->eval();
#if VM_TRACE
        const std::uint64_t time = context_.time();
        if (trace_ && time >= first_time_ && time < end_time_) trace_->dump(time);
#endif
        context_.timeInc(half_period_);
    }

    VerilatedContext context_;
    std::uint64_t half_period_ = 1;
#if VM_TRACE
    std::unique_ptr<Trace> trace_;
    std::uint64_t first_time_ = 0, end_time_ = 0;
#endif
    std::uint64_t cycles_ = 0;

  public:
    std::unique_ptr<Vmodel> model;
};

// Random numbers of our own (splitmix64): the same on every machine, cheap, one state per user.
class Generator {
  public:
    explicit Generator(std::uint64_t seed = 0) : state_{seed} {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }

    // True with `probability`.
    bool chance(double probability) {
        return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
    }

  private:
    std::uint64_t state_;
};
