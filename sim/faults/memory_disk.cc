#include "sim/faults/memory_disk.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"

#include "common/check.h"
#include "common/status_macros.h"

namespace berth::sim {
namespace {

// As store/restore.cc has them for a backup of the same day.
constexpr uint64_t kEpochStep = uint64_t{1} << 32;
constexpr uint64_t kJobsPerDay = 10'000'000;
constexpr uint64_t kAllocationsPerDay = uint64_t{1} << 32;

absl::Status Differ(const char* noun, uint64_t id) {
  return absl::InternalError(absl::StrCat(noun, " ", id, " is not on disk as it is in memory"));
}

bool SameJob(const Job& a, const Job& b) {
  return a.version == b.version && a.state == b.state && a.attempt.state == b.attempt.state &&
         a.attempt.number == b.attempt.number && a.cancel_requested == b.cancel_requested;
}

bool SameAllocation(const Allocation& a, const Allocation& b) {
  return a.state == b.state && a.job == b.job && a.attempt == b.attempt && a.node == b.node &&
         a.assign_seq == b.assign_seq && a.evidence == b.evidence;
}

bool SameNode(const Node& a, const Node& b) {
  return a.state == b.state && a.boot_id == b.boot_id && a.assign_seq == b.assign_seq &&
         a.drain_requested == b.drain_requested;
}

// Calls `differ` with the first identifier whose nouns are not the same.
template <typename Id, typename Noun, typename Same>
absl::Status CheckNouns(const std::map<Id, Noun>& memory, const std::map<Id, Noun>& disk,
                        const char* name, Same same) {
  auto on_disk = disk.begin();
  for (const auto& [id, noun] : memory) {
    if (on_disk == disk.end() || on_disk->first != id || !same(noun, on_disk->second)) {
      return Differ(name, id.value());
    }
    ++on_disk;
  }
  return on_disk == disk.end() ? absl::OkStatus() : Differ(name, on_disk->first.value());
}

absl::Status CheckAll(const std::map<JobId, Job>& jobs,
                      const std::map<AllocationId, Allocation>& allocations,
                      const std::map<NodeId, Node>& nodes, const MemoryStore& disk) {
  RETURN_IF_ERROR(CheckNouns(jobs, disk.jobs(), "job", SameJob));
  RETURN_IF_ERROR(CheckNouns(allocations, disk.allocations(), "allocation", SameAllocation));
  return CheckNouns(nodes, disk.nodes(), "node", SameNode);
}

template <typename Noun>
auto ById(const std::vector<Noun>& nouns) {
  std::map<decltype(Noun::id), Noun> by_id;
  for (const Noun& noun : nouns) {
    by_id.emplace(noun.id, noun);
  }
  return by_id;
}

}  // namespace

absl::Status MemoryDisk::Commit(const DiskTurn& turn) {
  content_.nouns.Apply(turn.changes);
  for (const Job& job : turn.changes.jobs) {
    if (IsTerminal(job.state)) {
      content_.ended.insert(job.id);
    }
  }
  for (const SubmissionRecord& submission : turn.submissions) {
    content_.payloads[submission.job] = submission.payload;
    const bool is_new =
        content_.keys
            .emplace(std::pair(submission.tenant, submission.idempotency_key), submission.job)
            .second;
    if (!is_new) {
      return absl::InternalError("an idempotency key has two jobs");
    }
  }
  content_.recovery = content_.recovery && !turn.ends_recovery;
  return absl::OkStatus();
}

std::optional<JobId> MemoryDisk::FindSubmission(TenantId tenant, absl::string_view key) {
  const auto known = content_.keys.find({tenant, std::string(key)});
  return known == content_.keys.end() ? std::nullopt : std::optional(known->second);
}

bool MemoryDisk::Knows(JobId job) {
  return content_.nouns.jobs().contains(job) || content_.ended.contains(job);
}

absl::Status MemoryDisk::CheckSame(const Cluster& cluster) {
  return CheckAll(cluster.jobs(), cluster.allocations(), cluster.nodes(), content_.nouns);
}

absl::Status MemoryDisk::CheckSame(const StoredState& state) {
  const StoredState known = content_.nouns.Load();
  if (state.last_job != known.last_job || state.last_allocation != known.last_allocation) {
    return absl::InternalError("the last identifiers on disk are not those that were given out");
  }
  return CheckAll(ById(state.nouns.jobs), ById(state.nouns.allocations), ById(state.nouns.nodes),
                  content_.nouns);
}

void MemoryDisk::Restore() {
  BERTH_CHECK(backup_.has_value());
  const Content replaced = std::exchange(content_, *backup_);
  content_.epoch = replaced.epoch + kEpochStep;
  content_.recovery = true;
  content_.nouns.BeginAnotherLife(
      JobId(replaced.nouns.last_job().value() / kJobsPerDay * kJobsPerDay + kJobsPerDay),
      AllocationId(replaced.nouns.last_allocation().value() / kAllocationsPerDay *
                       kAllocationsPerDay +
                   kAllocationsPerDay));
}

}  // namespace berth::sim
