#ifndef BERTH_SIM_POLICIES_WAITING_JOBS_H_
#define BERTH_SIM_POLICIES_WAITING_JOBS_H_

// Waiting jobs by a fixed rank, with the question that backfilling asks: the next one that is small
// and short enough. A tree of minima over the ranks, so that those who are not are passed over in
// logarithmic time.

#include <cstdint>
#include <vector>

namespace berth::sim {

class WaitingJobs {
 public:
  explicit WaitingJobs(int ranks);

  void Add(int rank, int64_t devices, int64_t estimate_us);
  void Remove(int rank);

  struct Need {
    int64_t devices_max = 0;      // of any job
    int64_t estimate_us_max = 0;  // of a job that needs more than
    int64_t spare = 0;            // this many devices
  };
  // The first rank of `from` or later that meets the need; -1 when there is none.
  int Next(int from, const Need& need) const;
  // Whether the job of this rank, which waits, meets the need.
  bool Meets(int rank, const Need& need) const;

 private:
  struct Minima {
    int64_t devices;
    int64_t estimate_us;
  };
  static bool MayMeet(const Minima& minima, const Need& need);
  void Set(int rank, Minima minima);

  int leaves_ = 1;  // a power of two
  std::vector<Minima> tree_;
};

}  // namespace berth::sim

#endif  // BERTH_SIM_POLICIES_WAITING_JOBS_H_
