// A DDR memory behind AXI3 ports of 64 bits, as sim/memory_model.py describes it, and the rules
// that a master there must keep.
//
// In every cycle `drive` sets the engine's inputs from what is known before the cycle, and
// `sample` sees, after the combinational paths have settled, what was transferred.

#pragma once

#include <cstdint>
#include <cstring>

#include "stalling.h"
#include "verdict.h"

constexpr unsigned BEAT_BYTES = 8;
constexpr unsigned MOST_REGIONS = 8;

extern "C" {

// The structures here are mirrored in convolution_library.py.
struct MemoryModel {
    std::uint64_t earned_credit;  // per cycle; 0: no limit
    std::uint64_t read_cost;      // of a beat
    std::uint64_t write_cost;
    std::uint64_t mixed_cost;
    std::uint64_t read_latency_cycles;
    std::uint64_t write_latency_cycles;
    std::uint64_t accepted_bursts;
    std::uint64_t write_buffer_beats;
};

// Addresses that answer with an error.
struct Region {
    std::uint64_t first;
    std::uint64_t last;
    std::uint64_t reads;
    std::uint64_t writes;
    std::uint64_t response;
};

struct BusFaults {
    Region regions[MOST_REGIONS];
    std::uint64_t region_count;
    std::uint64_t stuck_from;   // cycles of the machine in which no answer comes: from .. until - 1
    std::uint64_t stuck_until;
    std::uint64_t stuck_requests;  // then nothing is accepted either
};

struct PortTraffic {
    std::uint64_t read_beats;
    std::uint64_t write_beats;
};

}  // extern "C"

// The pins of one port; `PORT_PINS(n)` binds them.
struct Pins {
    const IData &araddr, &awaddr;
    const CData &arlen, &arsize, &arburst, &arid, &arlock, &arcache, &arprot, &arqos, &arvalid;
    const CData &awlen, &awsize, &awburst, &awid, &awlock, &awcache, &awprot, &awqos, &awvalid;
    const QData& wdata;
    const CData &wstrb, &wid, &wlast, &wvalid, &rready, &bready;
    QData& rdata;
    CData &arready, &rresp, &rid, &rlast, &rvalid, &awready, &wready, &bresp, &bid, &bvalid;
};

#define PIN(n, name) model.PORT_hp##n##__##name
#define PINS_OF_REQUEST(n, a) \
    PIN(n, a##len), PIN(n, a##size), PIN(n, a##burst), PIN(n, a##id), PIN(n, a##lock), \
        PIN(n, a##cache), PIN(n, a##prot), PIN(n, a##qos), PIN(n, a##valid)
#define PORT_PINS(n)                                                                          \
    Pins {                                                                                    \
        PIN(n, araddr), PIN(n, awaddr), PINS_OF_REQUEST(n, ar), PINS_OF_REQUEST(n, aw),       \
            PIN(n, wdata), PIN(n, wstrb), PIN(n, wid), PIN(n, wlast), PIN(n, wvalid),         \
            PIN(n, rready), PIN(n, bready), PIN(n, rdata), PIN(n, arready), PIN(n, rresp),    \
            PIN(n, rid), PIN(n, rlast), PIN(n, rvalid), PIN(n, awready), PIN(n, wready),      \
            PIN(n, bresp), PIN(n, bid), PIN(n, bvalid)                                        \
    }

template <typename Item, unsigned SIZE>
class Ring {
  public:
    bool empty() const { return count_ == 0; }
    unsigned count() const { return count_; }
    Item& front() { return items_[first_]; }
    void push(const Item& item) { items_[(first_ + count_++) % SIZE] = item; }
    void pop() {
        first_ = (first_ + 1) % SIZE;
        --count_;
    }
    void clear() { first_ = count_ = 0; }

  private:
    Item items_[SIZE];
    unsigned first_ = 0;
    unsigned count_ = 0;
};

// What the ports share: the bytes, the settings, the time.
struct Bank {
    std::uint8_t* bytes = nullptr;
    std::uint64_t base = 0;
    std::uint64_t size = 0;
    MemoryModel model{};
    BusFaults faults{};
    std::uint64_t cycle = 0;

    bool stuck() const { return cycle >= faults.stuck_from && cycle < faults.stuck_until; }
    bool accepting() const { return !(stuck() && faults.stuck_requests); }
    bool contains(std::uint64_t address, std::uint64_t count) const {
        return address >= base && address + count <= base + size;
    }
    std::uint8_t* at(std::uint64_t address) const { return bytes + (address - base); }
    CData response(std::uint64_t address, bool write) const {
        for (std::uint64_t index = 0; index < faults.region_count; ++index) {
            const Region& each = faults.regions[index];
            const bool meant = write ? each.writes : each.reads;
            if (meant && address + BEAT_BYTES > each.first && address <= each.last)
                return each.response;
        }
        return 0;
    }
};

struct Request {
    std::uint32_t address;
    CData length, size, burst, id, lock, cache, prot, qos;
};
struct WriteBeat {
    std::uint64_t data;
    CData strobe, id, last, unused[5];
};
static_assert(sizeof(Request) == 12 && sizeof(WriteBeat) == 16, "no padding: compared as bytes");

class AxiPort {
  public:
    AxiPort(Pins pins, unsigned number, Bank& bank, Judge& judge)
        : pins_{pins}, number_{number}, bank_{bank}, judge_{judge} {}

    void set_stalls(const StallRates* rates, std::uint64_t seed) {
        for (unsigned channel = AR; channel <= B; ++channel)
            stalls_[channel] = {rates[channel], seed + channel};
    }

    void forget() {
        reads_.clear();
        writes_.clear();
        beats_.clear();
        answers_.clear();
        read_answer_.valid = write_answer_.valid = false;
        ar_.forget();
        aw_.forget();
        w_.forget();
    }

    void drive() {
        const bool accepting = bank_.accepting();
        const MemoryModel& model = bank_.model;
        const unsigned writing = writes_.count() + answers_.count();
        pins_.arready = accepting && reads_.count() < model.accepted_bursts && !stalls_[AR].next();
        pins_.awready = accepting && writing < model.accepted_bursts && !stalls_[AW].next();
        pins_.wready = accepting && beats_.count() < model.write_buffer_beats && !stalls_[W].next();
        pins_.rvalid = read_answer_.valid;
        pins_.rdata = read_answer_.data;
        pins_.rid = read_answer_.id;
        pins_.rlast = read_answer_.last;
        pins_.rresp = read_answer_.response;
        pins_.bvalid = write_answer_.valid;
        pins_.bid = write_answer_.id;
        pins_.bresp = write_answer_.response;
    }

    void sample() {
        if (pins_.rready) read_answer_.valid = false;
        if (pins_.bready) write_answer_.valid = false;
        if (pins_.arvalid) {
            const Request request{pins_.araddr, pins_.arlen,   pins_.arsize, pins_.arburst,
                                  pins_.arid,   pins_.arlock, pins_.arcache, pins_.arprot,
                                  pins_.arqos};
            judge_.report(ar_.sample(true, pins_.arready, request), AR, number_, request.address);
            if (pins_.arready && legal(request, AR)) {
                reads_.push({request.address, request.length + 1u, request.id,
                             bank_.cycle + bank_.model.read_latency_cycles - 1});
            }
        } else {
            judge_.report(ar_.sample(false, false, {}), AR, number_);
        }
        if (pins_.awvalid) {
            const Request request{pins_.awaddr, pins_.awlen,   pins_.awsize, pins_.awburst,
                                  pins_.awid,   pins_.awlock, pins_.awcache, pins_.awprot,
                                  pins_.awqos};
            judge_.report(aw_.sample(true, pins_.awready, request), AW, number_, request.address);
            if (pins_.awready && legal(request, AW))
                writes_.push({request.address, request.length + 1u, request.id, 0, 0});
        } else {
            judge_.report(aw_.sample(false, false, {}), AW, number_);
        }
        if (pins_.wvalid) {
            const WriteBeat beat{pins_.wdata, pins_.wstrb, pins_.wid, pins_.wlast, {}};
            judge_.report(w_.sample(true, pins_.wready, beat), W, number_);
            if (pins_.wready) beats_.push(beat);
        } else {
            judge_.report(w_.sample(false, false, {}), W, number_);
        }
    }

    // After the DDR has moved its beats.
    void give_answer() {
        const bool stalled = stalls_[B].next();
        if (stalled || answers_.empty() || write_answer_.valid || bank_.stuck()) return;
        const Burst& burst = answers_.front();
        if (bank_.cycle < burst.due) return;
        write_answer_ = {true, burst.id, burst.response, false, 0};
        answers_.pop();
    }

    // Whether a beat could move between the DDR and this port at the end of this cycle; call once
    // per cycle.
    bool can_read() {
        return !stalls_[R].next() && !reads_.empty() && !read_answer_.valid &&
               bank_.cycle >= reads_.front().due && !bank_.stuck();
    }
    bool can_write() const { return !beats_.empty() && !writes_.empty(); }

    void move_read() {
        Burst& burst = reads_.front();
        ++traffic.read_beats;
        const CData response = bank_.response(burst.address, false);
        read_answer_ = {true, burst.id, response, burst.beats == 1, 0};
        if (!response) std::memcpy(&read_answer_.data, bank_.at(burst.address), BEAT_BYTES);
        burst.address += BEAT_BYTES;
        if (--burst.beats == 0) reads_.pop();
    }

    void move_write() {
        Burst& burst = writes_.front();
        const WriteBeat& beat = beats_.front();
        ++traffic.write_beats;
        if (beat.id != burst.id) judge_.report(WRITE_ID, W, number_, burst.address);
        if (beat.last != (burst.beats == 1)) judge_.report(LAST_PLACE, W, number_, burst.address);
        const CData response = bank_.response(burst.address, true);
        if (response) burst.response = response;
        if (!response) store(bank_.at(burst.address), beat);
        beats_.pop();
        burst.address += BEAT_BYTES;
        if (--burst.beats == 0) {
            burst.due = bank_.cycle + bank_.model.write_latency_cycles - 1;
            answers_.push(burst);
            writes_.pop();
        }
    }

    PortTraffic traffic{};

  private:
    struct Burst {
        std::uint32_t address;  // of the next beat
        unsigned beats;         // still to move
        CData id;
        std::uint64_t due;  // earliest cycle at whose end the answer can be put on the port
        CData response;
    };
    struct Answer {  // on the port in the next cycle
        bool valid;
        CData id, response;
        bool last;
        std::uint64_t data;
    };
    static constexpr unsigned MOST_BURSTS = 64;  // as MemoryModel allows
    static constexpr unsigned MOST_BEATS = 256;

    static void store(std::uint8_t* to, const WriteBeat& beat) {
        if (beat.strobe == 0xFF) {
            std::memcpy(to, &beat.data, BEAT_BYTES);
            return;
        }
        for (unsigned byte = 0; byte < BEAT_BYTES; ++byte)
            if (beat.strobe >> byte & 1) to[byte] = beat.data >> (8 * byte);
    }

    bool legal(const Request& request, Channel channel) {
        const std::uint64_t count = BEAT_BYTES * (request.length + 1u);
        const auto report = [&](Rule rule) {
            judge_.report(rule, channel, number_, request.address);
            return false;
        };
        if (request.size != 3) return report(BURST_SIZE);
        if (request.burst != 1) return report(BURST_TYPE);
        if (request.address % BEAT_BYTES) return report(BURST_ALIGNMENT);
        if (request.address / 4096 != (request.address + count - 1) / 4096)
            return report(BURST_BOUNDARY);
        if (!bank_.contains(request.address, count)) return report(OUTSIDE_MEMORY);
        return true;
    }

    Pins pins_;
    unsigned number_;
    Bank& bank_;
    Judge& judge_;
    Stalling stalls_[B + 1];
    Answer read_answer_{}, write_answer_{};
    Offer<Request> ar_, aw_;
    Offer<WriteBeat> w_;
    Ring<Burst, MOST_BURSTS> reads_, writes_, answers_;
    Ring<WriteBeat, MOST_BEATS> beats_;
};

// The ports and the budget that they share.
class AxiMemory {
  public:
    AxiMemory(Vmodel& model, Bank& bank, Judge& judge)
        : bank_{bank}, ports_ {
        {PORT_PINS(0), 0, bank, judge},
#if MEMORY_PORTS > 1
            {PORT_PINS(1), 1, bank, judge},
#endif
#if MEMORY_PORTS > 2
            {PORT_PINS(2), 2, bank, judge},
#endif
#if MEMORY_PORTS > 3
            {PORT_PINS(3), 3, bank, judge},
#endif
    }
    {}

    void set_stalls(const StallRates* rates, std::uint64_t seed) {
        for (unsigned port = 0; port < MEMORY_PORTS; ++port)
            ports_[port].set_stalls(rates, seed + port * CHANNELS);
    }

    void forget() {
        for (AxiPort& port : ports_) port.forget();
    }

    void drive() {
        for (AxiPort& port : ports_) port.drive();
    }

    void sample() {
        for (AxiPort& port : ports_) port.sample();
        share();
        for (AxiPort& port : ports_) port.give_answer();
    }

    PortTraffic traffic(unsigned port) const { return ports_[port].traffic; }
    void clear_traffic() {
        for (AxiPort& port : ports_) port.traffic = {};
    }

  private:
    static constexpr unsigned REQUESTERS = 2 * MEMORY_PORTS;

    // Each port and direction may move a beat, in turn, as long as the budget lasts.
    void share() {
        bool wants[REQUESTERS], reading = false, writing = false;
        for (unsigned port = 0; port < MEMORY_PORTS; ++port) {
            reading |= wants[2 * port] = ports_[port].can_read();
            writing |= wants[2 * port + 1] = ports_[port].can_write();
        }
        const MemoryModel& model = bank_.model;
        const std::uint64_t cost = !reading   ? model.write_cost
                                   : !writing ? model.read_cost
                                              : model.mixed_cost;
        const bool limited = model.earned_credit != 0;
        credit_ += model.earned_credit;
        for (unsigned step = 0; step < REQUESTERS; ++step) {
            const unsigned requester = (turn_ + step) % REQUESTERS;
            if (!wants[requester]) continue;
            if (limited) {
                if (credit_ < cost) break;
                credit_ -= cost;
            }
            AxiPort& port = ports_[requester / 2];
            requester % 2 ? port.move_write() : port.move_read();
        }
        if (credit_ >= cost) credit_ = cost - 1;
        turn_ = (turn_ + 1) % REQUESTERS;
    }

    Bank& bank_;
    AxiPort ports_[MEMORY_PORTS];
    std::uint64_t credit_ = 0;
    unsigned turn_ = 0;
};
