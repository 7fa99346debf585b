#ifndef BERTH_SCHEDULER_RPC_OPEN_BY_TOKEN_H_
#define BERTH_SCHEDULER_RPC_OPEN_BY_TOKEN_H_

// What is open for somebody between two streams, by id, and no more than so many of one token.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "common/check.h"

namespace berth {

// T is made of (id, token id) and has token_id(). Safe from any thread.
template <typename T>
class OpenByToken {
 public:
  explicit OpenByToken(int per_token_max) : per_token_max_(per_token_max) {}

  // Null: the token has as many as it may.
  std::shared_ptr<T> Add(absl::string_view token_id) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    int& count = counts_[std::string(token_id)];
    if (count >= per_token_max_) {
      return nullptr;
    }
    ++count;
    ++last_id_;
    return open_[last_id_] = std::make_shared<T>(last_id_, std::string(token_id));
  }
  // Null: there is none with the id.
  std::shared_ptr<T> Find(uint64_t id) const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const auto found = open_.find(id);
    return found == open_.end() ? nullptr : found->second;
  }
  // How many the token has.
  int Count(absl::string_view token_id) const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const auto found = counts_.find(std::string(token_id));
    return found == counts_.end() ? 0 : found->second;
  }
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const auto found = open_.find(id);
    if (found == open_.end()) {
      return;
    }
    const auto count = counts_.find(found->second->token_id());
    BERTH_CHECK(count != counts_.end());
    if (--count->second == 0) {
      counts_.erase(count);
    }
    open_.erase(found);
  }
  std::vector<std::shared_ptr<T>> All() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    std::vector<std::shared_ptr<T>> all;
    for (const auto& [id, one] : open_) {
      all.push_back(one);
    }
    return all;
  }

 private:
  const int per_token_max_;
  mutable absl::Mutex mu_;
  uint64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, std::shared_ptr<T>> open_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> counts_ ABSL_GUARDED_BY(mu_);  // by token
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_RPC_OPEN_BY_TOKEN_H_
