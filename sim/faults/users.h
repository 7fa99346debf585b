#ifndef BERTH_SIM_FAULTS_USERS_H_
#define BERTH_SIM_FAULTS_USERS_H_

// The people of the center: users who submit, cancel, hold and wait, and an operator who drains
// nodes and edits quotas. Their calls may be lost on the way there or back; then they call again.
// Owned by the World; one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "sim/faults/observer.h"
#include "sim/faults/scheduler_host.h"
#include "sim/faults/shim_process.h"
#include "sim/faults/timeline.h"

namespace berth::sim {

class Users {
 public:
  // `asks_more`: also what is asked less often.
  Users(Timeline& timeline, Observer& observer, SchedulerHost& scheduler, bool asks_more);
  Users(const Users&) = delete;
  Users& operator=(const Users&) = delete;

  // Tenants, users and `nodes` nodes of `devices` devices each. Requires: the scheduler is up.
  void SetUp(int nodes, int devices);
  // Jobs and edits until `until_us`.
  void Begin(int64_t until_us);
  // Whatever keeps a job from ending is taken away: drains, holds, a recovery. Call again until
  // nothing is left.
  void Settle();
  // Every submission was answered.
  bool IsDone() const { return unanswered_ == 0; }

  // ---- Faults that people make ----
  void EditQuota();
  void DrainSomeNode();
  void RequeueSomeJob();
  void SubmitStorm();
  // The operator knows that it is off; `confirmed` is called when the scheduler has taken it.
  void ConfirmDead(int node, std::function<void()> confirmed);
  // Held nodes are lost after all.
  void EndHold();

 private:
  using Reply = std::function<void(const absl::StatusOr<Outcome>&)>;

  // Now and then somebody looks at the nodes and ends quarantines.
  void LookAtNodes();
  void SubmitOne();
  SubmitJob MakeJob();
  void MakeShape(JobSpec& spec);
  void MakeRules(JobSpec& spec);
  TaskScript MakeScript() const;
  void OnSubmitted(const std::string& key, JobId job);
  // ---- What is asked less often ----
  void MakeArray(JobSpec& spec);
  void CancelTasksOf(size_t tenant, JobId array);
  // And ends it after a while, and begins again.
  void SuspendSomeTenant();
  void Resume(size_t tenant);
  // Whom a restore has suspended again.
  void ResumeAll();

  // Repeats the call until it is answered, then replies once.
  void Call(UserRequest request, Reply reply);
  void CallOnce(const UserRequest& request, const std::shared_ptr<Reply>& reply);
  void Ask(const Actor& actor, UserEvent event);

  Timeline& timeline_;
  Observer& observer_;
  SchedulerHost& scheduler_;
  const bool asks_more_;
  Actor operator_;
  std::vector<Actor> users_;  // one per tenant
  std::vector<std::string> tenants_;
  int nodes_ = 0;
  int devices_ = 0;  // of each node
  int64_t until_us_ = 0;
  int64_t submitted_ = 0;
  int unanswered_ = 0;
  bool is_suspending_ = false;                  // until its end is answered
  std::vector<std::pair<size_t, JobId>> jobs_;  // tenant and job, acknowledged
};

}  // namespace berth::sim

#endif  // BERTH_SIM_FAULTS_USERS_H_
