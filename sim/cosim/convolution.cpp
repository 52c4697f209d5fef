// Runs the convolution engine on its ports (AXI3 memory, AXI-Lite registers, result stream and
// interrupt) without a call from Python per cycle.
//
// The structures here and in the headers are mirrored in convolution_library.py. The model is one
// `with_registered_inputs`.

#include <type_traits>

#include "axi_memory.h"
#include "model.h"
#include "stalling.h"
#include "verdict.h"

namespace {

// A beat is its results and, above them, the flag of the last beat of a tile.
constexpr std::size_t LAST_BIT = RESULTS_PER_BEAT * ACCUMULATOR_BITS;

}  // namespace

extern "C" {

struct Setting {
    MemoryModel model;
    StallRates stalls[CHANNELS];
    std::uint64_t seed;
};

// Where result beats go: `capacity` x RESULTS_PER_BEAT numbers and as many flags. A beat more
// breaks a rule, unless `overflow` allows it: then it is only counted.
struct Collection {
    std::int64_t* results;
    std::uint8_t* last;
    std::uint64_t capacity;
    std::uint64_t overflow;
};

struct State {
    std::uint64_t cycles;
    std::uint64_t interrupt;
    std::uint64_t beats;
    PortTraffic traffic[MEMORY_PORTS];
    Verdict verdict;
};

}  // extern "C"

namespace {

// Receives the result stream.
class Sink {
  public:
    Sink(Vmodel& model, Judge& judge) : model_{model}, judge_{judge} {}

    void set_stalls(StallRates rates, std::uint64_t seed) { stalling_ = {rates, seed}; }
    void collect(const Collection& collection) {
        collection_ = collection;
        beats = 0;
    }
    void forget() {
        offer_.forget();
        excused_ = 0;
    }
    void excuse(std::uint64_t cycles) { excused_ = cycles; }

    void drive() { model_.PORT_port__ready = !stalling_.next(); }

    void sample() {
        const bool valid = model_.PORT_port__valid, ready = model_.PORT_port__ready;
        const Rule rule = offer_.sample(valid, ready, model_.PORT_port__payload);
        if (excused_ > 0) {
            --excused_;
            if (rule != KEPT) offer_.forget();
        } else {
            judge_.report(rule, RESULT_PORT);
        }
        if (valid && ready) take();
    }

    std::uint64_t beats = 0;

  private:
    using Payload = std::remove_reference_t<decltype(Vmodel::PORT_port__payload)>;
    static_assert(8 * sizeof(Payload) > LAST_BIT, "the port has all results and the flag");

    void take() {
        if (beats < collection_.capacity) {
            std::memcpy(bytes_, &model_.PORT_port__payload, sizeof(Payload));
            unpack_results(bytes_, 0, collection_.results + beats * RESULTS_PER_BEAT);
            collection_.last[beats] = bit_of(bytes_, LAST_BIT);
        } else if (!collection_.overflow) {
            judge_.report(TOO_MANY_BEATS, RESULT_PORT);
        }
        ++beats;
    }

    Vmodel& model_;
    Judge& judge_;
    Stalling stalling_;
    Offer<Payload> offer_;
    std::uint64_t excused_ = 0;
    Collection collection_{};
    std::uint8_t bytes_[sizeof(Payload) + PADDING] = {};
};

// One access on AXI-Lite at a time.
class Registers {
  public:
    Registers(Vmodel& model, Judge& judge) : model_{model}, judge_{judge} {}

    void set_stalls(StallRates rates, std::uint64_t seed) {
        for (unsigned line = 0; line < LINES; ++line) stalls_[line] = {rates, seed + line};
    }
    void forget() { to_address_ = to_data_ = to_read_ = pending_ = reading_ = false; }

    void write(std::uint32_t address, std::uint32_t data) {
        address_ = address;
        data_ = data;
        to_address_ = to_data_ = pending_ = true;
        reading_ = false;
    }
    void read(std::uint32_t address) {
        address_ = address;
        to_read_ = pending_ = reading_ = true;
    }
    bool pending() const { return pending_; }

    void drive() {
        if (!pending_ && !driven_) return;  // the lines are at rest
        driven_ = pending_;
        begin(model_.PORT_axi_lite__awvalid, to_address_, 0);
        begin(model_.PORT_axi_lite__wvalid, to_data_, 1);
        begin(model_.PORT_axi_lite__arvalid, to_read_, 2);
        model_.PORT_axi_lite__awaddr = model_.PORT_axi_lite__araddr = address_;
        model_.PORT_axi_lite__wdata = data_;
        model_.PORT_axi_lite__wstrb = 0xF;
        model_.PORT_axi_lite__bready = pending_ && !reading_ && !stalls_[3].next();
        model_.PORT_axi_lite__rready = pending_ && reading_ && !stalls_[4].next();
    }

    void sample() {
        if (model_.PORT_axi_lite__awvalid && model_.PORT_axi_lite__awready) to_address_ = false;
        if (model_.PORT_axi_lite__wvalid && model_.PORT_axi_lite__wready) to_data_ = false;
        if (model_.PORT_axi_lite__arvalid && model_.PORT_axi_lite__arready) to_read_ = false;
        answered(model_.PORT_axi_lite__bvalid, model_.PORT_axi_lite__bready,
                 !reading_ && !to_address_ && !to_data_, model_.PORT_axi_lite__bresp);
        if (answered(model_.PORT_axi_lite__rvalid, model_.PORT_axi_lite__rready,
                     reading_ && !to_read_, model_.PORT_axi_lite__rresp))
            result = model_.PORT_axi_lite__rdata;
    }

    std::uint32_t result = 0;
    CData response = 0;

  private:
    static constexpr unsigned LINES = 5;

    // `valid` may begin late, but stays until the transfer.
    void begin(CData& valid, bool wanted, unsigned line) {
        const bool stalled = stalls_[line].next();
        valid = wanted && (valid || !stalled);
    }

    bool answered(bool valid, bool ready, bool expected, CData answer) {
        if (!valid) return false;
        if (!pending_ || !expected) judge_.report(REGISTER_ANSWER, REGISTERS, 0, address_);
        if (!ready) return false;
        response = answer;
        pending_ = false;
        return true;
    }

    Vmodel& model_;
    Judge& judge_;
    Stalling stalls_[LINES];
    std::uint32_t address_ = 0, data_ = 0;
    bool to_address_ = false, to_data_ = false, to_read_ = false;
    bool pending_ = false, reading_ = false, driven_ = true;
};

}  // namespace

struct Board {
    explicit Board(Machine* opened) : machine{opened} {}

    // The inputs have registers: they take what is driven at the edge with which the cycle begins.
    void cycle() {
        memory.drive();
        sink.drive();
        registers.drive();
        machine->settle();
        machine->clock();
        memory.sample();
        sink.sample();
        registers.sample();
        interrupt = machine->model->PORT_interrupt;
        ++bank.cycle;
    }

    void forget() {
        memory.forget();
        sink.forget();
        registers.forget();
        judge.clear();
        interrupt = false;
        bank.cycle = 0;
    }

    std::unique_ptr<Machine> machine;
    Bank bank;
    Judge judge{bank.cycle};
    AxiMemory memory{*machine->model, bank, judge};
    Sink sink{*machine->model, judge};
    Registers registers{*machine->model, judge};
    bool interrupt = false;
};

extern "C" {

EXPORT Board* machine_open() { return new Board{Machine::open()}; }
EXPORT void machine_close(Board* board) { delete board; }

EXPORT void machine_reset(Board* board) {
    board->forget();
    board->memory.drive();
    board->registers.drive();
    board->machine->reset();
}

EXPORT void machine_trace(Board* board, const char* file, std::uint64_t first, std::uint64_t end,
                          std::uint64_t half_period) {
    board->machine->trace(file, first, end, half_period);
}
EXPORT void machine_end_trace(Board* board) { board->machine->end_trace(); }

EXPORT void machine_attach(Board* board, std::uint8_t* bytes, std::uint64_t base,
                           std::uint64_t size) {
    board->bank.bytes = bytes;
    board->bank.base = base;
    board->bank.size = size;
}

EXPORT void machine_configure(Board* board, const Setting* setting) {
    board->bank.model = setting->model;
    const std::uint64_t seed = setting->seed << 16;
    board->memory.set_stalls(setting->stalls, seed);
    board->sink.set_stalls(setting->stalls[RESULT_PORT], seed + 1000);
    board->registers.set_stalls(setting->stalls[REGISTERS], seed + 2000);
}

EXPORT void machine_inject(Board* board, const BusFaults* faults) { board->bank.faults = *faults; }

EXPORT void machine_collect(Board* board, const Collection* collection) {
    board->sink.collect(*collection);
    board->memory.clear_traffic();
}

// The result stream may take back what it offers in the next cycles: the engine is being stopped.
EXPORT void machine_forget_offer(Board* board, std::uint64_t cycles) {
    board->sink.excuse(cycles);
}

// Clock for `cycles` cycles, or until the interrupt (of the last cycle: none if it was there
// already) if that is asked for, or a broken rule.
EXPORT void machine_advance(Board* board, std::uint64_t cycles, std::uint64_t until_interrupt) {
    for (; cycles > 0 && !board->judge.broken(); --cycles) {
        if (until_interrupt && board->interrupt) break;
        board->cycle();
    }
    board->machine->flush();
}

// An access has this many cycles; returns its response, or -1 if none came.
EXPORT std::int64_t register_access(Board* board, std::uint64_t limit) {
    while (board->registers.pending() && !board->judge.broken()) {
        if (limit-- == 0) return -1;
        board->cycle();
    }
    return board->registers.response;
}
EXPORT std::int64_t register_write(Board* board, std::uint32_t address, std::uint32_t data,
                                   std::uint64_t limit) {
    board->registers.write(address, data);
    return register_access(board, limit);
}
EXPORT std::int64_t register_read(Board* board, std::uint32_t address, std::uint32_t* data,
                                  std::uint64_t limit) {
    board->registers.read(address);
    const std::int64_t response = register_access(board, limit);
    *data = board->registers.result;
    return response;
}

EXPORT void machine_state(const Board* board, State* state) {
    state->cycles = board->bank.cycle;
    state->interrupt = board->interrupt;
    state->beats = board->sink.beats;
    for (unsigned port = 0; port < MEMORY_PORTS; ++port)
        state->traffic[port] = board->memory.traffic(port);
    state->verdict = board->judge.verdict();
}

}  // extern "C"
