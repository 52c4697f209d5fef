// Plays passes into the bare MAC array, one per cycle, and collects what comes out.
//
// The structure is mirrored in array.py; both sides must change together.

#include "model.h"

extern "C" {

struct Play {
    const std::uint8_t* control;  // pass_count x CONTROL_BYTES
    const std::uint8_t* rows;     // pass_count x ROWS_BYTES
    const std::uint8_t* columns;  // pass_count x COLUMNS_BYTES
    std::int64_t* results;        // capacity x RESULTS_PER_BEAT, written
    std::uint8_t* last;           // capacity, written
    std::uint64_t pass_count;
    std::uint64_t repeats;
    std::uint64_t drain_cycles;  // cycles without a pass at the end
    std::uint64_t capacity;      // beats beyond it enter the checksum only
    // written:
    std::uint64_t beats;
    std::uint64_t checksum;
    std::uint64_t cycles;
};

}  // extern "C"

namespace {

class Collector {
  public:
    explicit Collector(Play& play) : play_{play} {}

    template <typename Results>
    void sample(const Results& port) {
        if (!bit_of(reinterpret_cast<const std::uint8_t*>(&port), RESULTS_VALID_BIT)) return;
        static_assert(sizeof(Results) + PADDING <= sizeof(bytes_), "the port fits the buffer");
        std::memcpy(bytes_, &port, sizeof(Results));
        std::int64_t beat[RESULTS_PER_BEAT];
        unpack_results(bytes_, RESULTS_DATA_BIT, beat);
        for (const std::int64_t result : beat) {
            checksum_ = (checksum_ ^ static_cast<std::uint64_t>(result)) * 0x100000001B3ull;
        }
        if (play_.beats < play_.capacity) {
            std::memcpy(play_.results + play_.beats * RESULTS_PER_BEAT, beat, sizeof beat);
            play_.last[play_.beats] = bit_of(bytes_, RESULTS_LAST_BIT);
        }
        ++play_.beats;
        play_.checksum = checksum_;
    }

  private:
    Play& play_;
    std::uint64_t checksum_ = 0xCBF29CE484222325ull;
    std::uint8_t bytes_[RESULTS_BYTES + 8 + PADDING] = {};
};

}  // namespace

extern "C" {

EXPORT Machine* machine_open() { return Machine::open(); }
EXPORT void machine_close(Machine* machine) { delete machine; }

EXPORT void machine_play(Machine* machine, Play* play) {
    Vmodel& model = *machine->model;
    const std::uint64_t start = machine->cycles();
    Collector collector{*play};
    const auto cycle = [&] {
        machine->settle();
        collector.sample(model.PORT_results);
        machine->clock();
    };
    for (std::uint64_t repeat = 0; repeat < play->repeats; ++repeat) {
        for (std::uint64_t pass = 0; pass < play->pass_count; ++pass) {
            store_bytes(model.PORT_control, play->control + pass * CONTROL_BYTES, CONTROL_BYTES);
            store_bytes(model.PORT_rows, play->rows + pass * ROWS_BYTES, ROWS_BYTES);
            store_bytes(model.PORT_columns, play->columns + pass * COLUMNS_BYTES, COLUMNS_BYTES);
            cycle();
        }
    }
    store_bytes(model.PORT_control, "", 0);
    for (std::uint64_t drained = 0; drained < play->drain_cycles; ++drained) cycle();
    play->cycles = machine->cycles() - start;
}

}  // extern "C"
