#ifndef BERTH_SIM_FAULTS_OBSERVER_H_
#define BERTH_SIM_FAULTS_OBSERVER_H_

// Who sees everything: what really runs on the nodes, what the scheduler made durable and what it
// told the users; and whether the invariants of the protocol hold between them. The first one that
// does not hold is kept. Owned by the World; one thread.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/agent_api.pb.h"
#include "sim/faults/scheduler_disk.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

// What a supervisor writes when its task is over.
struct ExitRecord {
  int exit_code = 0;
  int signal = 0;
  v1::StopReason stop_reason = v1::STOP_REASON_UNSPECIFIED;
  bool exec_failed = false;
};

class Observer {
 public:
  explicit Observer(Timeline& timeline) : timeline_(timeline) {}
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  bool broken() const { return !invariant_.empty(); }
  const std::string& invariant() const { return invariant_; }
  const std::string& detail() const { return detail_; }
  void Broken(const char* invariant, std::string detail);

  // ---- The scheduler ----
  void OnBoot(uint64_t epoch, SchedulerDisk& disk);
  // Before anybody is told.
  void OnCommit(const DiskTurn& turn);
  void OnBackup();
  void OnRestore();

  // ---- The users ----
  void OnSubmitted(const std::string& key, JobId job);
  void OnCancelled(JobId job);
  void OnTasksCancelled(JobId array, const std::vector<IndexRange>& tasks);
  void OnSuspended(TenantId tenant) { now_.suspended.insert(tenant); }
  // Somebody asks for it: from now on the tenant's jobs may start.
  void OnResumes(TenantId tenant) { now_.suspended.erase(tenant); }

  // ---- The nodes ----
  // The agent listens to this scheduler from now on.
  void OnObeyed(int node, uint64_t epoch);
  void OnPrepared(uint64_t allocation);
  // The task's first process.
  void OnStarted(int node, const v1::Assignment& assignment);
  // The last one is gone.
  void OnGone(uint64_t allocation);
  void OnExitRecord(uint64_t allocation, const ExitRecord& record);
  // Its folder is lost: nobody may get to know how it ended.
  void OnExitLost(uint64_t allocation) { exits_lost_.insert(allocation); }
  // Its processes were killed and hang: what the lease assumes does not hold for them.
  void OnUndying(uint64_t allocation);
  // An operator declares held nodes lost.
  void OnHoldEnded() { hold_ended_us_ = timeline_.now_us(); }
  // The whole machine stood still, its clock with it, so that no lease could end anything.
  void OnStoodStill(int node);

  int64_t executions() const { return static_cast<int64_t>(executions_.size()); }
  int restores() const { return restores_; }
  const std::map<std::string, JobId>& submitted() const { return now_.submitted; }

 private:
  struct Execution {
    int node = 0;
    uint64_t job = 0;
    int attempt = 0;
    std::vector<std::string> devices;
    bool is_alive = false;
    bool stood_still = false;  // its machine, since it began or soon before
    bool is_undying = false;
  };
  struct Row {
    int64_t commit = 0;  // that made it: a gang's rows come together
    bool is_released = false;
    ReleaseEvidence evidence = ReleaseEvidence::kNone;
  };
  struct ArrayRecord {
    int fails_max = 0;
    int failed = 0;
  };
  // What a restore from a backup takes back.
  struct Promises {
    std::map<std::string, JobId> submitted;           // acknowledged ones, by key
    std::set<JobId> cancelled;                        // acknowledged
    std::set<std::pair<JobId, int>> cancelled_tasks;  // acknowledged, by array and index
    std::set<TenantId> suspended;                     // acknowledged
    std::map<JobId, std::pair<JobId, int>> tasks;     // array and index
    std::map<JobId, ArrayRecord> arrays;
    std::set<JobId> terminal;
    std::map<AllocationId, Row> rows;
    std::map<std::pair<JobId, int>, std::vector<AllocationId>> members;  // by attempt
    std::map<NodeId, int64_t> assign_seq;
  };

  void CheckNodes(const std::vector<Node>& nodes);
  void CheckRow(const Allocation& allocation);
  void NoteTasks(const std::vector<Job>& jobs);
  void CheckNewRow(const Allocation& allocation);
  // Nothing starts that nobody wants to start any more.
  void CheckWanted(const Allocation& allocation);
  void CheckRelease(const Allocation& allocation);
  void CheckJob(const Job& job);
  void CheckEnd(JobId job, const Attempt& attempt);
  bool HasStoodStill(int node) const;
  // Whether both are members of one attempt: a gang's rows come with one commit.
  bool AreOneGang(uint64_t allocation, uint64_t other) const;
  void CheckOverlap(int node, const v1::Assignment& assignment);
  void CheckMayStart(const v1::Assignment& assignment);

  Timeline& timeline_;
  std::string invariant_;
  std::string detail_;

  uint64_t epoch_ = 0;
  std::map<int, uint64_t> obeyed_;  // the highest epoch, by node
  Promises now_;
  Promises in_backup_;
  AllocationId restored_;  // the highest that the backup knows
  int restores_ = 0;
  AllocationId last_allocation_;
  int64_t commits_ = 0;
  // Of all allocations ever, whatever a restore has forgotten: the commit that made its row.
  std::map<uint64_t, int64_t> made_by_;
  std::set<uint64_t> prepared_;
  std::map<uint64_t, Execution> executions_;
  std::set<uint64_t> alive_;
  std::map<uint64_t, ExitRecord> exits_;
  std::set<uint64_t> exits_lost_;
  std::map<NodeId, NodeState> node_states_;
  std::vector<int64_t> lost_us_;  // when nodes were lost for their silence
  int64_t hold_ended_us_ = -kSecond * 1000;
  std::map<int, int64_t> stood_still_us_;  // when a node last did, or began to
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_OBSERVER_H_
