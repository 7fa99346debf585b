#include "scheduler/rpc/job_tokens.h"

#include "absl/strings/str_cat.h"

namespace berth {

// With the time, the facts are no other task's, even if a database that was brought back by hand
// gives out the same numbers again.
BearerToken JobTokens::Derive(absl::string_view token_id, const JobTokenHolder& holder) const {
  return DeriveBearerToken(key_, token_id,
                           absl::StrCat(cluster_id_, " ", holder.job.value(), " ", holder.attempt,
                                        " ", absl::ToUnixMicros(holder.since)));
}

std::string JobTokens::Make(const Allocation& allocation) const {
  return FormatBearerToken(Derive(
      NumberedTokenId(allocation.id.value()),
      {.job = allocation.job, .attempt = allocation.attempt, .since = allocation.reserved_at}));
}

bool JobTokens::Note(const std::vector<Allocation>& changed, const Cluster& cluster) {
  bool lost = false;
  absl::MutexLock lock(&mu_);
  for (const Allocation& allocation : changed) {
    const std::string id = NumberedTokenId(allocation.id.value());
    const Job* job = cluster.FindJob(allocation.job);
    if (job == nullptr || allocation.state == AllocationState::kReleased ||
        cluster.IsDoubtful(allocation)) {
      lost = holders_.erase(id) > 0 || lost;
    } else if (job->spec.gang.nodes > 1) {
      holders_[id] = {.job = allocation.job,
                      .attempt = allocation.attempt,
                      .since = allocation.reserved_at,
                      .tenant = allocation.tenant,
                      .user = job->spec.user};
    }
  }
  return lost;
}

std::optional<JobTokenHolder> JobTokens::Find(const BearerToken& presented) const {
  const std::optional<JobTokenHolder> holder = Find(presented.id);
  const BearerToken known = Derive(presented.id, holder.value_or(JobTokenHolder()));
  const bool matches = EqualInConstantTime(presented.secret.Reveal(), known.secret.Reveal());
  return matches ? holder : std::nullopt;
}

std::optional<JobTokenHolder> JobTokens::Find(absl::string_view token_id) const {
  absl::MutexLock lock(&mu_);
  const auto found = holders_.find(std::string(token_id));
  return found == holders_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace berth
