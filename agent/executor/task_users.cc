#include "agent/executor/task_users.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace berth {
namespace {

constexpr int64_t kUserMin = 1000;
constexpr int64_t kNobody = 65534;
constexpr int64_t kUserMax = 4294967293;

// FNV-1a (Fowler, Noll, Vo), 64 bits: the same on every node and in every version.
uint64_t Hash(absl::string_view text) {
  uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return hash;
}

int64_t Pick(const UserRange& range, uint64_t number) {
  return range.first +
         static_cast<int64_t>(number % static_cast<uint64_t>(range.last - range.first + 1));
}

}  // namespace

absl::StatusOr<UserRange> ParseUserRange(absl::string_view text) {
  const std::vector<std::string> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  UserRange range;
  if (!absl::SimpleAtoi(ends.front(), &range.first) ||
      !absl::SimpleAtoi(ends.back(), &range.last) || range.first > range.last) {
    return absl::InvalidArgumentError("must be FIRST-LAST, two user numbers");
  }
  const bool has_nobody = range.first <= kNobody && range.last >= kNobody;
  if (range.first < kUserMin || range.last > kUserMax || has_nobody) {
    return absl::InvalidArgumentError(
        absl::StrCat("must lie in ", kUserMin, "-", kUserMax, " and leave ", kNobody, " out"));
  }
  return range;
}

TaskOwner FindTaskOwner(const TaskUsers& users, absl::string_view tenant, absl::string_view user,
                        uint64_t job) {
  const auto range = users.of_tenant.find(std::string(tenant));
  const int64_t number =
      range == users.of_tenant.end() ? Pick(users.per_job, job) : Pick(range->second, Hash(user));
  return {number, number};
}

}  // namespace berth
