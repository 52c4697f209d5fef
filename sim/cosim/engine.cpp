// Runs programs on the engine's ports without a call from Python per cycle.
//
// The structures at the top are mirrored in engine.py; both sides must change together.

#include "model.h"

namespace {

constexpr std::size_t COMMAND_BYTES = 16;
constexpr std::size_t PAYLOAD_BITS = RESULTS_PER_BEAT * ACCUMULATOR_BITS + 1;
constexpr std::size_t PAYLOAD_BYTES = (PAYLOAD_BITS + 7) / 8;

enum Stream { COMMANDS, LOAD, RESULTS, STREAMS };
enum Status { DONE, FAULT, CYCLE_LIMIT, VALID_DROPPED, PAYLOAD_CHANGED, TOO_MANY_RESULTS };

}  // namespace

extern "C" {

// A stream stalls in runs: in each cycle it begins one with probability `enter`, and ends one
// with probability `leave`.
struct StallRates {
    double enter;
    double leave;
};

struct Run {
    const std::uint8_t* commands;  // command_count x 16 bytes
    const std::uint8_t* blocks;    // block_count x BLOCK_BYTES
    std::int64_t* results;         // beat_count x RESULTS_PER_BEAT, written
    std::uint8_t* last;            // beat_count, written
    std::uint64_t command_count;
    std::uint64_t block_count;
    std::uint64_t beat_count;
    std::uint64_t seed;
    std::uint64_t cycle_limit;
    StallRates stalls[STREAMS];
    // written:
    std::uint64_t cycles;
    std::uint64_t commands_taken;
    std::uint64_t blocks_taken;
    std::uint64_t beats_taken;
    std::uint64_t status;
};

}  // extern "C"

namespace {

class Stalling {
  public:
    Stalling(StallRates rates, std::uint64_t seed) : rates_{rates}, random_{seed} {}

    // Whether this cycle stalls; call once per cycle.
    bool next() {
        if (rates_.enter <= 0) return false;
        stalled_ = stalled_ ? !random_.chance(rates_.leave) : random_.chance(rates_.enter);
        return stalled_;
    }

  private:
    StallRates rates_;
    Generator random_;
    bool stalled_ = false;
};

// Offers items of an input stream in order. Once offered, an item stays until it is taken.
class Source {
  public:
    Source(const std::uint8_t* items, std::uint64_t count, std::size_t bytes, Stalling stalling)
        : items_{items}, count_{count}, bytes_{bytes}, stalling_{stalling} {}

    template <typename Payload>
    void drive(Payload& payload, CData& valid) {
        const bool stalled = stalling_.next();
        if (!offering_ && !stalled && taken < count_) {
            offering_ = true;
            store_bytes(payload, items_ + taken * bytes_, bytes_);
        }
        valid = offering_;
    }

    void sample(bool ready) {
        if (offering_ && ready) {
            offering_ = false;
            ++taken;
        }
    }

    bool finished() const { return taken == count_; }

    std::uint64_t taken = 0;

  private:
    const std::uint8_t* items_;
    std::uint64_t count_;
    std::size_t bytes_;
    Stalling stalling_;
    bool offering_ = false;
};

// Receives the result stream and holds it to the stream rules.
class Sink {
  public:
    Sink(Run& run, Stalling stalling) : run_{run}, stalling_{stalling} {}

    bool drive() { return accepting_ = !stalling_.next(); }

    // What the design shows in this cycle; returns the rule it breaks, else DONE.
    template <typename Payload>
    Status sample(const Payload& payload, bool valid) {
        if (!valid) return offered_ ? VALID_DROPPED : DONE;
        if (offered_ && std::memcmp(&payload, bytes_, sizeof(Payload)) != 0) return PAYLOAD_CHANGED;
        static_assert(sizeof(Payload) <= sizeof(bytes_), "the port fits the buffer");
        std::memcpy(bytes_, &payload, sizeof(Payload));
        offered_ = !accepting_;
        if (!accepting_) return DONE;
        if (taken == run_.beat_count) return TOO_MANY_RESULTS;
        unpack_results(bytes_, 0, run_.results + taken * RESULTS_PER_BEAT);
        run_.last[taken] = bit_of(bytes_, PAYLOAD_BITS - 1);
        ++taken;
        return DONE;
    }

    std::uint64_t taken = 0;

  private:
    Run& run_;
    Stalling stalling_;
    bool accepting_ = false;
    bool offered_ = false;  // shown in an earlier cycle and not taken yet
    std::uint8_t bytes_[PAYLOAD_BYTES + PADDING] = {};
};

void stop_streams(Machine& machine) {
    machine.model->PORT_commands__valid = 0;
    machine.model->PORT_load__valid = 0;
    machine.model->PORT_results__ready = 0;
    machine.settle();
}

Stalling stalling_of(const Run& run, Stream stream) {
    return {run.stalls[stream], run.seed * STREAMS + stream};
}

}  // namespace

extern "C" {

// Null if the trace file cannot be written.
EXPORT Machine* machine_open(const char* trace_file) { return Machine::open(trace_file); }
EXPORT void machine_close(Machine* machine) { delete machine; }
EXPORT std::uint64_t machine_cycles(const Machine* machine) { return machine->cycles(); }

EXPORT void machine_reset(Machine* machine) {
    machine->reset();
    machine->flush();
}

EXPORT void register_write(Machine* machine, std::uint32_t address, std::uint32_t value) {
    Vmodel& model = *machine->model;
    model.PORT_registers__address = address;
    model.PORT_registers__write_data = value;
    model.PORT_registers__write = 1;
    machine->settle();
    machine->clock();
    model.PORT_registers__write = 0;
    machine->settle();
}

// The data is there in the cycle after the address.
EXPORT std::uint32_t register_read(Machine* machine, std::uint32_t address) {
    machine->model->PORT_registers__address = address;
    machine->settle();
    machine->clock();
    machine->settle();
    return machine->model->PORT_registers__read_data;
}

// Ends when everything was taken and the engine is idle, at a fault, at the cycle limit or when
// the design breaks a stream rule; `status` says which.
EXPORT void machine_run(Machine* machine, Run* run) {
    Vmodel& model = *machine->model;
    Source commands{run->commands, run->command_count, COMMAND_BYTES, stalling_of(*run, COMMANDS)};
    Source load{run->blocks, run->block_count, BLOCK_BYTES, stalling_of(*run, LOAD)};
    Sink results{*run, stalling_of(*run, RESULTS)};
    Status status = CYCLE_LIMIT;
    std::uint64_t cycle = 0;
    for (; cycle < run->cycle_limit; ++cycle) {
        const bool complete = commands.finished() && results.taken == run->beat_count;
        commands.drive(model.PORT_commands__payload, model.PORT_commands__valid);
        load.drive(model.PORT_load__payload, model.PORT_load__valid);
        model.PORT_results__ready = results.drive();
        machine->settle();
        if (model.PORT_fault) {
            status = FAULT;
            break;
        }
        const Status rules = results.sample(model.PORT_results__payload, model.PORT_results__valid);
        if (rules != DONE) {
            status = rules;
            break;
        }
        if (complete && model.PORT_idle) {
            status = DONE;
            break;
        }
        commands.sample(model.PORT_commands__ready);
        load.sample(model.PORT_load__ready);
        machine->clock();
    }
    stop_streams(*machine);
    machine->flush();
    run->cycles = cycle;
    run->commands_taken = commands.taken;
    run->blocks_taken = load.taken;
    run->beats_taken = results.taken;
    run->status = status;
}

}  // extern "C"
