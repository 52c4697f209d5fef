// The first rule that the design has broken.

#pragma once

#include <cstdint>
#include <cstring>

// Mirrored in convolution_library.py.
enum Rule : std::uint64_t {
    KEPT,
    VALID_DROPPED,
    PAYLOAD_CHANGED,
    BURST_SIZE,        // not 8 bytes per beat
    BURST_TYPE,        // not INCR
    BURST_ALIGNMENT,   // does not begin at a multiple of 8
    BURST_BOUNDARY,    // crosses a multiple of 4096
    OUTSIDE_MEMORY,
    LAST_PLACE,        // WLAST not exactly on the last beat
    WRITE_ID,          // WID is not the AWID of its burst
    TOO_MANY_BEATS,    // more result beats than the host has room for
    REGISTER_ANSWER,   // an answer on AXI-Lite that nobody waits for, or a second one
};

// Where: a channel of an HP port, or one of the others. Mirrored in convolution_library.py.
enum Channel : std::uint64_t { AR, R, AW, W, B, RESULT_PORT, REGISTERS, CHANNELS };

struct Verdict {
    std::uint64_t rule;
    std::uint64_t channel;
    std::uint64_t port;
    std::uint64_t address;
    std::uint64_t cycle;

    bool broken() const { return rule != KEPT; }
};

class Judge {
  public:
    explicit Judge(const std::uint64_t& cycle) : cycle_{cycle} {}

    void report(Rule rule, Channel channel, std::uint64_t port = 0, std::uint64_t address = 0) {
        if (rule != KEPT && !verdict_.broken()) verdict_ = {rule, channel, port, address, cycle_};
    }
    void clear() { verdict_ = {}; }
    const Verdict& verdict() const { return verdict_; }
    bool broken() const { return verdict_.broken(); }

  private:
    const std::uint64_t& cycle_;
    Verdict verdict_{};
};

// Holds one stream of the design to its rule: what is offered stays until it is taken.
template <typename Item>
class Offer {
  public:
    Rule sample(bool valid, bool ready, const Item& item) {
        if (!waiting_ && (!valid || ready)) return KEPT;  // nearly always
        if (waiting_) {
            if (!valid) return VALID_DROPPED;
            if (std::memcmp(&item, &held_, sizeof(Item)) != 0) return PAYLOAD_CHANGED;
        }
        waiting_ = !ready;
        if (waiting_) std::memcpy(&held_, &item, sizeof(Item));
        return KEPT;
    }
    void forget() { waiting_ = false; }

  private:
    bool waiting_ = false;
    Item held_{};
};
