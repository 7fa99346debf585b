// The picture of one tenant.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/device_use.h"
#include "client/output.h"
#include "client/text.h"
#include "client/top_view.h"
#include "client/views.h"

namespace berth {
namespace {

int HeldDevices(const v1::Job& job) {
  int count = 0;
  for (const v1::Allocation& allocation : job.allocations()) {
    count += allocation.devices_size();
  }
  return count;
}

std::string TenantTitle(const TenantFacts& facts, absl::Time now) {
  int64_t waiting = 0;
  int64_t devices = 0;
  for (const v1::Job& job : facts.jobs) {
    waiting += IsWaiting(job.state()) ? 1 : 0;
    devices += HeldDevices(job);
  }
  return absl::StrCat(CleanText(facts.name), "  ", ClockText(now), "   jobs ",
                      facts.more_jobs ? "at least " : "",
                      static_cast<int64_t>(facts.jobs.size()) - waiting, " running on ", devices,
                      devices == 1 ? " device, " : " devices, ", waiting, " waiting");
}

Listing RunningJobs(const std::vector<v1::Job>& jobs, absl::Time now) {
  Listing listing{
      .kind = "RunningJobList",
      .columns = {Right("ID"),     Left("NAME"), Left("PROJECT", 3), Left("USER", 2), Left("STATE"),
                  Right("DEVICES"), Right("UTILIZATION"), Right("RUN"), Left("NODES", 1)},
      .rows = {   }
  };
  for (const v1::Job& job : jobs) {
    if (IsWaiting(job.state())) {
      continue;
    }
    listing.rows.push_back({
        .json = {    },
        .cells = { JobIdText(job), job.name(), job.project(), job.user(), StateSummary(job),
                 absl::StrCat(HeldDevices(job)), PercentText(MeanUtilization(job)),
                 job.started_at_us() == 0
                      ? "-"
                      : LengthForPeople(now - TimeFromMicros(job.started_at_us())),
                 absl::StrJoin(NodesOf(job), ",")}
    });
  }
  return listing;
}

}  // namespace

std::string TenantPicture(const TenantFacts& facts, const PictureSize& size, absl::Time now) {
  std::vector<std::string> lines = {TenantTitle(facts, now)};
  // Half of the picture, so that jobs have their place.
  AddTable(QuotaListing(facts.quota, {}), size, size.rows / 2, now, lines);
  std::vector<v1::Job> jobs = facts.jobs;
  std::sort(jobs.begin(), jobs.end(),
            [](const v1::Job& a, const v1::Job& b) { return a.id() < b.id(); });
  AddTable(RunningJobs(jobs, now), size, now, lines);
  return JoinLines(lines, size);
}

}  // namespace berth
