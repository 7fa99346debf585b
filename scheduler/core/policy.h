#ifndef BERTH_SCHEDULER_CORE_POLICY_H_
#define BERTH_SCHEDULER_CORE_POLICY_H_

// The center's settings that decisions depend on. Plain values from the configuration.

#include <cstdint>

#include "absl/time/time.h"

namespace berth {

struct Policy {
  // Lease (protocol.md, "Lease"): T_A, K, T_S. Requires T_S * (1 - rho) >= T_A * (1 + rho) + K with
  // rho = 1 %, the bound on the clocks' rate error.
  absl::Duration lease_timeout = absl::Minutes(30);
  absl::Duration kill_timeout = absl::Seconds(30);
  absl::Duration lost_after = absl::Minutes(32);
  absl::Duration suspect_after = absl::Seconds(30);
  absl::Duration heartbeat_interval = absl::Seconds(5);

  // No node is declared lost while more than this share of the nodes, and at least two, have fallen
  // silent within the window. 100: never held.
  int mass_loss_percent = 20;
  absl::Duration mass_loss_window = absl::Seconds(60);

  // A node that holds something and is silent for so long is switched off by the center's fence
  // command. InfiniteDuration: the center has none.
  absl::Duration fence_after = absl::InfiniteDuration();

  absl::Duration prepare_timeout = absl::Minutes(10);
  absl::Duration requeue_delay = absl::Seconds(1);  // doubles with every requeue
  absl::Duration requeue_delay_max = absl::Minutes(1);
  // How long a job may overstay its limit until the grace of the scheduler's own stop is over; the
  // shim enforces the limit first.
  absl::Duration time_limit_slack = absl::Seconds(30);

  absl::Duration grace_default_max =
      absl::Minutes(5);  // min(this, time limit / 4) when none was asked
  absl::Duration time_limit_max = absl::Hours(24 * 365);
  absl::Duration token_lifetime_default = absl::Hours(24 * 30);
  absl::Duration token_lifetime_max = absl::Hours(24 * 90);
  absl::Duration node_token_lifetime = absl::Hours(24 * 3650);

  // Reclaim (quota.md, R5 and A6). A borrowed gang may not be stopped for another tenant before it
  // has run for `reclaim_min_run`; devices freed for a claim are kept for it at most for
  // `nomination_timeout` after the last victim's notice and kill timeout are over.
  absl::Duration reclaim_min_run = absl::ZeroDuration();  // at most 10 minutes
  absl::Duration nomination_timeout = absl::Minutes(10);
  // A borrow request that has waited so long is anchored: nothing may delay it any more.
  absl::Duration borrow_age = absl::Hours(1);

  int nodes_per_job_max = 4096;
  int devices_per_node_max = 64;
  int array_tasks_max = 100000;
  int dependencies_per_job_max = 64;
  int starts_per_round_max = 1000;  // bounds one turn's transaction
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_POLICY_H_
