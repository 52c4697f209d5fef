// Random stalls of a stream's far side.

#pragma once

#include <cstdint>

#include "model.h"

// A stream stalls in runs: in each cycle it begins one with probability `enter`, and ends one
// with probability `leave`.
struct StallRates {
    double enter;
    double leave;
};

class Stalling {
  public:
    Stalling() = default;
    Stalling(StallRates rates, std::uint64_t seed) : rates_{rates}, random_{seed} {}

    // Whether this cycle stalls; call once per cycle.
    bool next() {
        if (rates_.enter <= 0) return false;
        stalled_ = stalled_ ? !random_.chance(rates_.leave) : random_.chance(rates_.enter);
        return stalled_;
    }

  private:
    StallRates rates_{0, 1};
    Generator random_;
    bool stalled_ = false;
};
