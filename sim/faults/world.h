#ifndef BERTH_SIM_FAULTS_WORLD_H_
#define BERTH_SIM_FAULTS_WORLD_H_

// One seed of the fault simulation: a center of a few nodes with its scheduler, its agents and its
// users, on one timeline. One thread; several worlds may live beside each other.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/faults/coverage.h"
#include "sim/faults/fault_schedule.h"
#include "sim/faults/fence_command.h"
#include "sim/faults/machine.h"
#include "sim/faults/network.h"
#include "sim/faults/observer.h"
#include "sim/faults/scheduler_disk.h"
#include "sim/faults/scheduler_host.h"
#include "sim/faults/sqlite_disk.h"
#include "sim/faults/timeline.h"
#include "sim/faults/users.h"

namespace berth::sim {

struct SeedResult {
  uint64_t seed = 0;
  std::string invariant;  // the first that did not hold; empty: all held
  std::string detail;
  std::vector<std::string> last_events;  // of a seed that failed
  int64_t events = 0;
  int64_t executions = 0;
  uint64_t hash = 0;
  Coverage coverage;
};

class World {
 public:
  // Some seeds have the real store, on a copy of `database`.
  World(uint64_t seed, const NewDatabase& database);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // To the end of all jobs, or to the first invariant that does not hold.
  SeedResult Run();

 private:
  void Connect();
  // Requires: the scheduler has started.
  void Play();
  SeedResult Result() const;
  void RunUntil(int64_t until_us);
  // After the faults: looks now and then until everything has ended.
  void Settle();
  bool IsSettled() const;
  std::string WhatIsLeft() const;

  const uint64_t seed_;
  Timeline timeline_;
  Observer observer_;
  Coverage coverage_;
  const int nodes_;
  Network network_;
  std::unique_ptr<SchedulerDisk> disk_;
  SchedulerHost scheduler_;
  std::vector<std::unique_ptr<Machine>> machines_;
  FenceCommand fence_command_;
  Users users_;
  FaultSchedule faults_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_WORLD_H_
