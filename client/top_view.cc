#include "client/top_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/output.h"
#include "client/text.h"
#include "client/views.h"

namespace berth {
namespace {

constexpr int kBarCells = 32;
constexpr int kClassCells = 18;

// Devices of one class.
struct ClassUse {
  int64_t owned = 0;     // in use
  int64_t borrowed = 0;  // in use
  int64_t free = 0;
  int64_t out = 0;  // not to be had
  int64_t total() const { return owned + borrowed + free + out; }
};

bool TakesJobs(v1::NodeState state) {
  return state == v1::NODE_STATE_READY;
}

std::map<std::string, ClassUse> UseByClass(const CenterFacts& facts) {
  std::map<std::string, ClassUse> classes;
  for (const v1::Node& node : facts.nodes) {
    ClassUse& use = classes[node.device_class().empty() ? "-" : node.device_class()];
    const auto& devices = node.facts().devices();
    const auto usable = std::count_if(devices.begin(), devices.end(), [](const v1::Device& device) {
      return device.health() != v1::DEVICE_HEALTH_QUARANTINED;
    });
    const int64_t free = std::min<int64_t>(node.devices_free(), usable);
    use.owned += usable - free;
    (TakesJobs(node.state()) ? use.free : use.out) += free;
    use.out += devices.size() - usable;
  }
  for (const v1::QuotaRow& row : facts.quota) {
    const auto found = classes.find(row.device_class());
    if (row.project().empty() && found != classes.end()) {
      const int64_t borrowed = std::min(row.borrowed(), found->second.owned);
      found->second.owned -= borrowed;
      found->second.borrowed += borrowed;
    }
  }
  return classes;
}

// Every kind that has devices has a cell.
std::string Bar(const ClassUse& use) {
  const std::pair<int64_t, const char*> parts[] = {
      {use.owned,    "█"},
      {use.borrowed, "▓"},
      {use.free,     "·" },
      {use.out,      "×" }
  };
  std::string bar;
  int64_t sum = 0;
  int cells = 0;
  for (const auto& [count, sign] : parts) {
    sum += count;
    const auto until =
        static_cast<int>(use.total() == 0 ? 0 : (sum * kBarCells + use.total() / 2) / use.total());
    const int end = count == 0 ? cells : std::min(std::max(until, cells + 1), kBarCells);
    for (; cells < end; ++cells) {
      bar += sign;
    }
  }
  return bar + std::string(static_cast<size_t>(kBarCells - cells), ' ');
}

std::string ClassLine(const std::string& name, const ClassUse& use) {
  return absl::StrCat(PadToWidth(CutToWidth(CleanText(name), kClassCells), kClassCells, false), " ",
                      Bar(use), "  ", use.owned + use.borrowed, " of ", use.total(), " in use",
                      use.borrowed == 0 ? "" : absl::StrCat(" (", use.borrowed, " borrowed)"),
                      use.out == 0 ? "" : absl::StrCat(", ", use.out, " out"));
}

std::string CenterTitle(const CenterFacts& facts, absl::Time now) {
  const auto ready = std::count_if(facts.nodes.begin(), facts.nodes.end(),
                                   [](const v1::Node& node) { return TakesJobs(node.state()); });
  const auto waiting = std::count_if(facts.jobs.begin(), facts.jobs.end(),
                                     [](const v1::Job& job) { return IsWaiting(job.state()); });
  return absl::StrCat(CleanText(facts.server), "  ", ClockText(now), "   nodes ", ready, " of ",
                      facts.nodes.size(), " ready   jobs ", facts.more_jobs ? "at least " : "",
                      static_cast<int64_t>(facts.jobs.size()) - waiting, " running, ", waiting,
                      " waiting");
}

}  // namespace

std::string CenterPicture(const CenterFacts& facts, const PictureSize& size, absl::Time now) {
  std::vector<std::string> lines = {CenterTitle(facts, now)};
  for (const auto& [name, use] : UseByClass(facts)) {
    lines.push_back(ClassLine(name, use));
  }
  std::vector<v1::QuotaRow> tenants;
  for (const v1::QuotaRow& row : facts.quota) {
    if (row.project().empty()) {
      tenants.push_back(row);
    }
  }
  // A third of the picture, so that jobs have their place.
  AddTable(QuotaListing(tenants, {}), size, size.rows / 3, now, lines);
  std::vector<v1::Job> jobs = facts.jobs;
  std::stable_sort(jobs.begin(), jobs.end(), [](const v1::Job& a, const v1::Job& b) {
    return std::pair(IsWaiting(a.state()), a.id()) < std::pair(IsWaiting(b.state()), b.id());
  });
  AddTable(JobListing(jobs, facts.owners, OutputKind::kTable, now), size, now, lines);
  return JoinLines(lines, size);
}

}  // namespace berth
