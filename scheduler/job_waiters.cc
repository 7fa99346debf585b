#include "scheduler/job_waiters.h"

#include <vector>

namespace berth {

bool JobWaiters::IsReached(const JobWait& wait, const Job& job) {
  switch (wait.until) {
    case JobWait::Until::kEnded:
      return IsTerminal(job.state);
    case JobWait::Until::kStarted:
      return IsTerminal(job.state) || job.state == JobState::kRunning;
    case JobWait::Until::kChanged:
      return IsTerminal(job.state) || job.version != wait.known_version;
  }
  return true;
}

void JobWaiters::Add(JobWait wait, const ReadView& view) {
  const auto record = view.FindJob(wait.actor, wait.job);
  if (!record.ok() || IsReached(wait, record->job)) {
    wait.done(record, true);
    return;
  }
  const Key key{wait.job, ++last_};
  const absl::Time deadline = view.now() + wait.timeout;
  deadlines_.insert({deadline, key});
  entries_[key] = {std::move(wait), deadline};
}

void JobWaiters::Remove(std::map<Key, Entry>::iterator entry) {
  deadlines_.erase({entry->second.deadline, entry->first});
  entries_.erase(entry);
}

void JobWaiters::Notify(JobId job, const ReadView& view) {
  auto entry = entries_.lower_bound({job, 0});
  while (entry != entries_.end() && entry->first.first == job) {
    const auto present = entry++;
    const auto record = view.FindJob(present->second.wait.actor, job);
    if (!record.ok() || IsReached(present->second.wait, record->job)) {
      const auto done = std::move(present->second.wait.done);
      Remove(present);
      done(record, true);
    }
  }
}

void JobWaiters::Recall(absl::string_view token_id, const ReadView& view) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto present = entry++;
    if (present->second.wait.actor.token_id == token_id) {
      const JobWait wait = std::move(present->second.wait);
      Remove(present);
      wait.done(view.FindJob(wait.actor, wait.job), false);
    }
  }
}

void JobWaiters::Expire(const ReadView& view) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= view.now()) {
    const auto entry = entries_.find(deadlines_.begin()->second);
    const JobWait wait = std::move(entry->second.wait);
    Remove(entry);
    wait.done(view.FindJob(wait.actor, wait.job), false);
  }
}

void JobWaiters::FailAll(const absl::Status& status) {
  for (auto& [key, entry] : std::exchange(entries_, {})) {
    entry.wait.done(status, false);
  }
  deadlines_.clear();
}

std::optional<absl::Time> JobWaiters::NextDeadline() const {
  return deadlines_.empty() ? std::nullopt : std::optional<absl::Time>(deadlines_.begin()->first);
}

}  // namespace berth
